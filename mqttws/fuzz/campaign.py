"""Somebody else's decoder held to the standard: cases in, findings out, each way to fail once and made smaller."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from mqttws.conformance.codec import Answer, Decoder, Taken
from mqttws.conformance.codec.cases import Case, Wrong, judge, vector_cases
from mqttws.fuzz.cases import finding_of, made, replayed
from mqttws.fuzz.findings import Finding
from mqttws.fuzz.minimise import fewer_choices
from mqttws.fuzz.sources import Choice
from mqttws.vocabulary import Role

__all__ = ["CampaignReport", "replay", "run_campaign"]

#: Ways to fail that become findings; further ones are only counted.
_MOST: Final = 200
#: Attempts to make a finding smaller; one at a hang costs its time limit, one at a crash perhaps a new process.
_ATTEMPTS: Final[dict[Wrong, int]] = {"hang": 4, "crash": 200}
_USUAL_ATTEMPTS: Final = 1_000


@dataclass(slots=True)
class CampaignReport:
    """What a decoder did: inputs by what was due, verdicts, wrong answers by kind, and findings."""

    inputs: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0


class _Campaign:
    def __init__(
        self,
        decoder: Decoder,
        versions: Sequence[int],
        senders: Sequence[Role],
        found: Callable[[Finding], None] | None,
    ) -> None:
        self.report = CampaignReport()
        self._decoder = decoder
        self._versions = versions
        self._senders = senders
        self._found = found
        self._seen: set[tuple[object, ...]] = set()

    def ask(self, case: Case) -> tuple[Answer, Wrong | None]:
        answer = self._decoder.decode(case.data, case.version, case.sender)
        return answer, judge(case, answer)

    def try_case(self, case: Case, choices: Sequence[Choice] | None) -> None:
        """Ask, count, and keep what is wrong in a new way."""
        report = self.report
        report.inputs[{True: "valid", False: "invalid", None: "noise"}[case.valid]] += 1
        answer, kind = self.ask(case)
        report.verdicts[answer.taken.value] += 1
        if kind is None:
            return
        report.wrong[kind] += 1
        signature = _signature(case, answer, kind)
        if signature in self._seen or len(report.findings) >= _MOST:
            return
        self._seen.add(signature)
        finding = finding_of(case, answer, kind, self._decoder.name)
        if choices is not None:
            finding = self._smaller(choices, signature, kind, case)
        report.findings.append(finding)
        if self._found is not None:
            self._found(finding)

    def _smaller(self, choices: Sequence[Choice], signature: tuple[object, ...], kind: Wrong, first: Case) -> Finding:
        """The finding with a packet that takes fewer choices and fails in the same way."""

        def still(candidate: Sequence[Choice]) -> bool:
            case = replayed(candidate, self._versions, self._senders)
            answer, again = self.ask(case)
            return again == kind and _signature(case, answer, kind) == signature

        best = fewer_choices(choices, still, attempts=_ATTEMPTS.get(kind, _USUAL_ATTEMPTS))
        case = replayed(best, self._versions, self._senders)
        answer, again = self.ask(case)
        if again != kind:  # it does not fail each time
            case = first
            answer, _ = self.ask(case)
        return finding_of(case, answer, kind, self._decoder.name, first.data)


def _signature(case: Case, answer: Answer, kind: Wrong) -> tuple[object, ...]:
    """What makes two failures the same one."""
    if kind in ("crash", "hang"):
        return (kind, case.version, answer.text.partition(":")[0])
    return (kind, case.version, case.packet_type, case.group or case.name)


def run_campaign(
    decoder: Decoder,
    *,
    versions: Sequence[int] = (5, 4),
    senders: Sequence[Role] = tuple(Role),
    count: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    progress: Callable[[CampaignReport], None] | None = None,
    found: Callable[[Finding], None] | None = None,
) -> CampaignReport:
    """Ask ``decoder`` about the vectors and then about made packets, ``count`` in all or for ``seconds``.

    Every case is one whole packet. ``found`` is called with each finding, ``progress`` about once a second. Raises
    :class:`ValueError` if neither bound is given, and :class:`~mqttws.fuzz.adapters.DecoderUnusable`.
    """
    if count is None and seconds is None:
        raise ValueError("a run needs a count or a time")
    campaign = _Campaign(decoder, versions, senders, found)
    started = told = time.monotonic()
    for number, (case, choices) in enumerate(_cases(versions, senders, seed)):
        now = time.monotonic()
        campaign.report.seconds = now - started
        if number == count or (seconds is not None and now - started >= seconds):
            break
        campaign.try_case(case, choices)
        if progress is not None and now - told >= 1:
            told = now
            progress(campaign.report)
    return campaign.report


def _cases(
    versions: Sequence[int], senders: Sequence[Role], seed: int
) -> Iterator[tuple[Case, Sequence[Choice] | None]]:
    for case in vector_cases(versions, senders):
        yield case, None
    index = 0
    while True:
        yield made(seed, index, versions, senders)
        index += 1


def replay(finding: Finding, decoder: Decoder) -> tuple[Answer, Wrong | None]:
    """Ask a decoder about a finding once more: its answer, and what is wrong with it now, None if nothing is."""
    valid = {"accepted": True, "refused": False}.get(finding.expected)
    case = Case(
        finding.mutation or "", finding.data, finding.version, finding.sender or Role.CLIENT, valid, finding.fields
    )
    answer = decoder.decode(case.data, case.version, case.sender)
    if answer.taken is Taken.UNSUPPORTED:
        return answer, None
    return answer, judge(case, answer)
