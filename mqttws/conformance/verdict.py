"""What a check has found out about a subject, and how a check says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any, ClassVar

__all__ = [
    "Broken",
    "Failed",
    "Inconclusive",
    "NotApplicable",
    "NotStrict",
    "NotTested",
    "Outcome",
    "Result",
    "Verdict",
]


class Verdict(Enum):
    """What became of a check."""

    PASSED = "passed"
    """The subject does what the statement asks for, in what this check has tried."""
    NOT_STRICT = "not strict"
    """What it does is allowed, but unwise: the standard recommends something else, or leaves it open."""
    FAILED = "failed"
    """It breaks the rule, and the transcript shows it."""
    NOT_APPLICABLE = "not applicable"
    """The rule speaks of something that this subject does not offer."""
    NOT_TESTED = "not tested"
    """There was no occasion to see it, or the check was left out."""
    INCONCLUSIVE = "inconclusive"
    """It was tried, but what was seen proves neither."""


class Outcome(Exception):
    """Ends a check with another verdict than passed; the text is the reason, in words.

    ``transcript`` is the evidence, if it is another one than what has passed on the check's own connections.
    """

    verdict: ClassVar[Verdict]
    transcript: tuple[str, ...] | None = None


class Failed(Outcome):
    """The subject has broken the rule."""

    verdict = Verdict.FAILED


class NotStrict(Outcome):
    """What it does is allowed, but unwise."""

    verdict = Verdict.NOT_STRICT


class NotApplicable(Outcome):
    """The subject does not offer what the rule speaks of."""

    verdict = Verdict.NOT_APPLICABLE


class NotTested(Outcome):
    """There was no occasion."""

    verdict = Verdict.NOT_TESTED


class Inconclusive(Outcome):
    """Neither can be said."""

    verdict = Verdict.INCONCLUSIVE


class Broken(Inconclusive):
    """Something that breaks a ``rule`` by itself has come in the way: a failure of checks that are about this rule."""

    def __init__(self, message: str, rule: str | None) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Result:
    """One check's verdict on one subject.

    ``statements`` are numbered as in ``version`` (4 is 3.1.1). ``transcript`` are lines of a trace (see
    :mod:`mqttws.trace`) of every connection of the check, secrets covered; of a codec there is none, the ``reason``
    holds the bytes.
    """

    check: str
    version: int
    statements: tuple[str, ...]
    chapter: str
    title: str
    verdict: Verdict
    reason: str = ""
    transcript: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As members of a JSON object."""
        return {
            "check": self.check,
            "version": self.version,
            "statements": list(self.statements),
            "chapter": self.chapter,
            "title": self.title,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "transcript": list(self.transcript),
        }

    @classmethod
    def from_json(cls, members: Any) -> Result:
        """Read :meth:`to_json`'s members again. Raises :class:`ValueError` for others."""
        try:
            seconds = float(members["seconds"])
            if not isfinite(seconds):
                raise ValueError(f"a check took {seconds} seconds")
            texts = {name: str(members[name]) for name in ("check", "chapter", "title", "reason")}
            return cls(
                version=int(members["version"]),
                statements=tuple(map(str, members["statements"])),
                verdict=Verdict(members["verdict"]),
                transcript=tuple(map(str, members["transcript"])),
                seconds=seconds,
                **texts,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no result of a check: {error!r}") from None
