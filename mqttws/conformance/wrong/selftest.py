"""The kit on trial: correct subjects must not fail a check, wrong ones must fail those that are about what they do."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from mqttws.conformance import statements
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.passive import passive_checks
from mqttws.conformance.verdict import Result, Verdict
from mqttws.conformance.wrong.catalogue import catalogue
from mqttws.conformance.wrong.entry import OFFERS, Wrong
from mqttws.conformance.wrong.in_process import Accidents
from mqttws.conformance.wrong.trial_client import try_client
from mqttws.conformance.wrong.trial_codec import try_codec
from mqttws.conformance.wrong.trial_server import try_server
from mqttws.vocabulary import ProtocolVersion

__all__ = ["Selftest", "Trial", "all_checks", "run_selftest", "try_reference", "try_wrong"]

#: Told after each trial: how many are done, and how many there are.
Progress: TypeAlias = Callable[[int, int], None]
#: The subjects that are correct, by kind.
_REFERENCES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.SERVER: tuple(OFFERS),
    Kind.CLIENT: ("reference",),
    Kind.CODEC: ("core",),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a wrong subject: ids of the checks that are about it, and of those that it has failed.

    ``others`` are checks that it has failed although they are about something else, ``accidents`` what it has fallen
    over, which was not meant: a fault of the catalogue.
    """

    name: str
    kind: Kind
    sentence: str
    concerned: tuple[str, ...]
    failed: tuple[str, ...]
    others: tuple[str, ...]
    proven: tuple[tuple[int, str], ...]
    accidents: tuple[str, ...]
    seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether a check that is about it has failed, and not because it fell over something else."""
        return bool(self.failed) and not self.accidents


@dataclass(slots=True)
class Selftest:
    """All of it. ``references`` are the results of the correct subjects, by what they are called."""

    references: dict[str, list[Result]] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def accused(self) -> list[tuple[str, Result]]:
        """Checks that a correct subject has failed, or that do not settle anything about it."""
        bad = (Verdict.FAILED, Verdict.INCONCLUSIVE)
        return [(name, one) for name, results in self.references.items() for one in results if one.verdict in bad]

    @property
    def survivors(self) -> list[Trial]:
        """Wrong subjects that no check has caught."""
        return [trial for trial in self.trials if not trial.is_caught]

    @property
    def kill_rate(self) -> float:
        """The part of the wrong subjects that was caught; 1 if there were none."""
        return 1 - len(self.survivors) / len(self.trials) if self.trials else 1.0

    @property
    def others(self) -> list[Trial]:
        """Wrong subjects that have failed checks about something else."""
        return [trial for trial in self.trials if trial.others]

    def unfailed(self) -> list[Check]:
        """Checks of the kinds that were tried which no wrong subject has failed."""
        failed = {one for trial in self.trials for one in (*trial.failed, *trial.others)}
        return [check for kind in self._kinds() for check in all_checks(kind) if check.id not in failed]

    def proven(self, version: ProtocolVersion) -> set[str]:
        """Numbered statements with a check that a subject has failed which breaks just that statement."""
        known = {one["id"] for one in statements(version)}
        caught = [trial for trial in self.trials if trial.is_caught]
        return {one for trial in caught for number, one in trial.proven if number == version} & known

    def _kinds(self) -> list[Kind]:
        found = {trial.kind for trial in self.trials}
        return [kind for kind in Kind if kind in found]

    def to_json(self) -> dict[str, Any]:
        """As members of a JSON object."""
        return {
            "seconds": round(self.seconds, 1),
            "wrong": len(self.trials),
            "caught": len(self.trials) - len(self.survivors),
            "survivors": [asdict(trial) | {"kind": trial.kind.value} for trial in self.survivors],
            "accidents": {trial.name: list(trial.accidents) for trial in self.trials if trial.accidents},
            "others": {trial.name: list(trial.others) for trial in self.others},
            "accused": {name: one.to_json() for name, one in self.accused},
            "unfailed": [check.id for check in self.unfailed()],
            "statements": {version_name(version): sorted(self.proven(version)) for version in ProtocolVersion},
        }


def all_checks(kind: Kind) -> list[Check]:
    """Every check of a kind of subject, the passive ones last."""
    found = checks(kind)
    known = {check.id for check in found}
    return found + [check for check in passive_checks(kind) if check.id not in known]


def try_reference(kind: Kind, name: str, *, every: int = 1) -> list[Result]:
    """All checks on a correct subject, or each so-manieth."""
    chosen = all_checks(kind)[::every]
    if kind is Kind.SERVER:
        return try_server(chosen, name)
    if kind is Kind.CLIENT:
        return try_client(chosen)
    return try_codec(chosen)


def try_wrong(wrong: Wrong, *, thorough: bool = False, quick: bool = False) -> Trial:
    """Put a wrong subject before the checks that are about it, or before all, or one by one until it is caught."""
    began = time.monotonic()
    known = {check.id: check for check in all_checks(wrong.kind)}
    versions = wrong.statements.keys()
    chosen = [one for one in known.values() if wrong.concerns(one) or (thorough and one.version in versions)]
    accidents = Accidents()
    wrong_ones = (Verdict.FAILED, Verdict.NOT_STRICT) if wrong.unwise else (Verdict.FAILED,)
    failed: list[Check] = []
    for some in [[one] for one in chosen] if quick else [chosen]:
        results = _put(wrong, some, accidents) if some else []
        failed += [known[one.check] for one in results if one.verdict in wrong_ones]
        if quick and failed:
            break
    mine = [check for check in failed if wrong.concerns(check)]
    return Trial(
        wrong.name,
        wrong.kind,
        wrong.sentence,
        tuple(check.id for check in known.values() if wrong.concerns(check)),
        tuple(check.id for check in mine),
        tuple(check.id for check in failed if check not in mine and not wrong.excuses(check)),
        tuple((int(one.version), rule) for one in mine for rule in one.statements if rule in wrong.rules(one.version)),
        tuple(dict.fromkeys(accidents.told)),
        time.monotonic() - began,
    )


def _put(wrong: Wrong, chosen: Sequence[Check], accidents: Accidents) -> list[Result]:
    if wrong.kind is Kind.SERVER:
        return try_server(chosen, wrong.offer, wrong, accidents)
    if wrong.kind is Kind.CLIENT:
        return try_client(chosen, wrong, accidents)
    return try_codec(chosen, wrong.decoder)


def run_selftest(
    kinds: Sequence[Kind] = tuple(Kind),
    *,
    only: Sequence[str] = (),
    every: int = 1,
    thorough: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Selftest:
    """Try the correct subjects, unless ``only`` some of the wrong ones are asked for, and the wrong ones.

    ``only`` are patterns of their names or statements; ``every`` takes each so-manieth of them, and of the checks of a
    correct one. ``thorough`` puts each before all checks, to see that no others fail. More than one of the ``jobs`` are
    processes of their own.
    """
    began = time.monotonic()
    found = Selftest()
    references = [(kind, name) for kind in kinds if not only for name in _REFERENCES.get(kind, ())]
    chosen = [one for kind in kinds for one in catalogue(kind) if _is_meant(one, only)][::every]
    total = len(references) + len(chosen)
    for done, (task, made) in enumerate(_carried_out(references, chosen, every, thorough, jobs), 1):
        if isinstance(made, Trial):
            found.trials.append(made)
        else:
            found.references[" ".join((task[0].value, task[1]))] = made
        if progress is not None:
            progress(done, total)
    order = {(one.kind, one.name): place for place, one in enumerate(chosen)}
    found.trials.sort(key=lambda trial: order[trial.kind, trial.name])
    found.seconds = time.monotonic() - began
    return found


def _is_meant(wrong: Wrong, only: Sequence[str]) -> bool:
    words = [wrong.name, *(rule for rules in wrong.statements.values() for rule in rules)]
    return not only or any(fnmatchcase(word, pattern) for word in words for pattern in only)


_Task: TypeAlias = tuple[Kind, str]


def _carried_out(
    references: Sequence[_Task], chosen: Sequence[Wrong], every: int, thorough: bool, jobs: int
) -> Iterator[tuple[_Task, Trial | list[Result]]]:
    wrong = [(one.kind, one.name) for one in chosen]
    if jobs == 1:
        for task in references:
            yield task, try_reference(*task, every=every)
        for task in wrong:
            yield task, _try_named(*task, thorough=thorough)
        return
    # Not by forking: the parent may have threads.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        waiting: dict[Future[Any], _Task] = {
            pool.submit(try_reference, *task, every=every): task for task in references
        }
        waiting |= {pool.submit(_try_named, *task, thorough=thorough): task for task in wrong}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _try_named(kind: Kind, name: str, *, thorough: bool) -> Trial:
    return try_wrong(next(one for one in catalogue(kind) if one.name == name), thorough=thorough)
