"""What an attack has shown, and the file that a finding is kept in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from mqttws.fuzz.live.attack import Trace
from mqttws.fuzz.live.hostile import Visit
from mqttws.fuzz.live.referee import Demand
from mqttws.fuzz.live.script import Script

__all__ = ["FORMAT", "Finding", "Findings", "Symptom", "Verdict", "judge", "judge_client", "load"]

#: The member ``format`` of our files.
FORMAT: Final = "mqttws-fuzz-live-1"
#: Bytes of a file that are read.
_LARGEST_FILE: Final = 64 * 1024 * 1024


class Verdict(Enum):
    """What became of the peer."""

    DIED = "died"
    """The process has ended, or nobody listens any more."""
    STOPPED = "stopped serving"
    """It is there, but a good client beside the attacks is no longer served, or not in time."""
    LOST = "lost a message"
    """A message of a good client at QoS 1 did not arrive, or was refused."""
    HUNG = "hung"
    """It neither closes the connection where the standard demands it, nor answers what it owes."""
    TOLERATED = "tolerated"
    """It goes on serving a connection that the standard tells it to close."""
    NONSENSE = "sent nonsense"
    """What it sends is no Control Packet, or one that it may not send."""
    GREW = "grew"
    """Its memory or its open files grow with the attacks."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """A verdict in words; ``key`` tells symptoms of one cause from others."""

    verdict: Verdict
    text: str
    key: str


def _key(demand: Demand) -> str:
    """The rule; where it has no number, the words without those that count."""
    return demand.rule or re.sub(r"0x[0-9A-F]+|\d+", "N", demand.message)


def judge(script: Script, trace: Trace) -> Symptom | None:
    """What one attack by itself shows of a Server; None if it has taken it as it should."""
    demand = trace.demand
    key = script.kind if demand is None else _key(demand)
    if trace.nonsense:
        return Symptom(Verdict.NONSENSE, f"what it has sent is wrong: {trace.nonsense}", trace.nonsense)
    if trace.unanswered:
        text = f"no {trace.unanswered} comes where nothing is wrong, and the connection stays open"
        return Symptom(Verdict.HUNG, text, f"no {trace.unanswered}")
    if demand is not None and trace.answered:
        return Symptom(Verdict.TOLERATED, f"it goes on behind this: {demand}", key)
    if demand is not None and not trace.closed:
        return Symptom(Verdict.HUNG, f"it neither closes nor answers behind this: {demand}", key)
    if trace.answered is False and not trace.closed:
        return Symptom(Verdict.HUNG, "PINGREQ is not answered, and the connection stays open", script.kind)
    return None


def judge_client(script: Script, visit: Visit) -> Symptom | None:
    """The same for a Client and one connection."""
    demand = visit.demand
    key = script.kind if demand is None else _key(demand)
    if visit.nonsense:
        return Symptom(Verdict.NONSENSE, f"what it has sent is wrong: {visit.nonsense}", visit.nonsense)
    if demand is not None and visit.answered:
        return Symptom(Verdict.TOLERATED, f"it goes on behind this: {demand}", key)
    if demand is not None and not visit.closed:
        verdict = Verdict.HUNG if demand.firm else Verdict.TOLERATED
        return Symptom(verdict, f"it does not close behind this: {demand}", key)
    return None


@dataclass(slots=True)
class Finding:
    """A symptom and what leads to it: the scripts, in order. ``url`` and ``log`` hold no secret.

    ``sent`` are the bytes of the last script as they went out: ``hex`` in the file, and for ``mqttws explain
    --websocket`` in a file of their own beside it. ``reproduced`` tells whether playing the scripts again has shown the
    same; None if that was not tried.
    """

    symptom: Symptom
    subject: str
    scripts: list[Script]
    number: int
    seed: int
    url: str = ""
    log: list[str] = field(default_factory=list)
    sent: bytes = b""
    reproduced: bool | None = None
    seen: int = 1

    @property
    def title(self) -> str:
        """One line."""
        kind = self.scripts[-1].kind if self.scripts else "the run"
        return f"{self.symptom.verdict.value}: {kind}: {self.symptom.text}"

    def to_json(self) -> dict[str, Any]:
        """As members of a JSON object."""
        return {
            "format": FORMAT,
            "subject": self.subject,
            "verdict": self.symptom.verdict.value,
            "symptom": self.symptom.text,
            "key": self.symptom.key,
            "url": self.url,
            "seed": self.seed,
            "attack": self.number,
            "seen": self.seen,
            "reproduced": self.reproduced,
            "log": self.log,
            "hex": self.sent.hex(),
            "scripts": [script.to_json() for script in self.scripts],
        }

    @classmethod
    def from_json(cls, members: Any) -> Finding:
        """Read :meth:`to_json`'s members again. Raises :class:`ValueError` for others."""
        try:
            if members["format"] != FORMAT:
                raise ValueError(f"the format is not {FORMAT}")
            symptom = Symptom(Verdict(members["verdict"]), str(members["symptom"]), str(members["key"]))
            scripts = [Script.from_json(script) for script in members["scripts"]]
            subject, number, seed = str(members["subject"]), int(members["attack"]), int(members["seed"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no finding: {error}") from None
        if subject not in ("server", "client"):
            raise ValueError("the subject is server or client")
        return cls(symptom, subject, scripts, number, seed, str(members.get("url", "")))


def load(path: Path) -> Finding:
    """Read a finding's file. Raises :class:`OSError`, or :class:`ValueError` for what is none."""
    with path.open("rb") as file:
        data = file.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise ValueError("this file is too large for a finding")
    try:
        members = json.loads(data)
    except RecursionError as error:
        raise ValueError(f"this is no finding: {error}") from None
    return Finding.from_json(members)


class Findings:
    """Findings by symptom, each kept once and counted; written to ``folder`` if there is one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._by_key: dict[tuple[Verdict, str], Finding] = {}
        self._paths: dict[tuple[Verdict, str], Path] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Any:
        return iter(self._by_key.values())

    def known(self, symptom: Symptom) -> Finding | None:
        """The finding of this symptom, if there is one; it is counted once more."""
        found = self._by_key.get((symptom.verdict, symptom.key))
        if found is not None:
            found.seen += 1
        return found

    def add(self, finding: Finding) -> None:
        """Keep a new one, and write its files."""
        key = (finding.symptom.verdict, finding.symptom.key)
        self._by_key[key] = finding
        if self._folder is not None:
            name = f"{len(self._by_key):03}-{_slug(finding.symptom.verdict.value)}-{_slug(finding.symptom.key)}"
            self._paths[key] = self._folder / f"{name}.json"
            self._folder.mkdir(parents=True, exist_ok=True)
            if finding.sent:
                (self._folder / f"{name}.bin").write_bytes(finding.sent)
            self._write(key)

    def finish(self) -> None:
        """Write the files again with the final counts."""
        for key in self._paths:
            self._write(key)

    def path_of(self, finding: Finding) -> Path | None:
        """Where it was written."""
        return self._paths.get((finding.symptom.verdict, finding.symptom.key))

    def _write(self, key: tuple[Verdict, str]) -> None:
        text = json.dumps(self._by_key[key].to_json(), indent=1)
        self._paths[key].write_text(text + "\n", encoding="utf-8")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")[:60] or "x"
