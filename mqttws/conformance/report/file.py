"""A report, and the file that it is kept in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mqttws.conformance.chapters import chapter_key, version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.verdict import Result, Verdict

__all__ = ["FORMAT", "BadReport", "Report"]

FORMAT: Final = "mqttws-conform-1"

#: Verdicts that decide whether a rule is kept.
_DECIDED: Final = frozenset((Verdict.PASSED, Verdict.NOT_STRICT, Verdict.FAILED))


class BadReport(ValueError):
    """Text that is no report; the text says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one subject, in the order of its checks.

    ``subject`` is its name and ``release`` its own version, ``""`` where nobody knows it. ``date`` is when the run
    began, in ISO 8601; ``seed`` is what the run made its choices from.
    """

    subject: str
    release: str
    kind: Kind
    date: str
    seed: int
    results: tuple[Result, ...]

    @property
    def title(self) -> str:
        """Name and release."""
        return f"{self.subject} {self.release}".rstrip()

    @property
    def failed(self) -> bool:
        """Whether a rule is broken."""
        return any(result.verdict is Verdict.FAILED for result in self.results)

    @property
    def versions(self) -> list[int]:
        """The protocol versions that there are results for, 5.0 first."""
        return sorted({result.version for result in self.results}, reverse=True)

    def speaks(self, version: int) -> bool:
        """Whether any rule of that version applies to it, as far as it was run."""
        return bool(self.counts(version).keys() - {Verdict.NOT_APPLICABLE})

    def counts(self, version: int | None = None) -> Counter[Verdict]:
        """How often each verdict was given, in one version or in both."""
        return Counter(result.verdict for result in self.results if version in (None, result.version))

    def decided(self, version: int) -> set[str]:
        """The statements of a version of which it is known whether they are kept, as far as the checks go."""
        return {
            statement
            for result in self.results
            if result.version == version and result.verdict in _DECIDED
            for statement in result.statements
        }

    def by_chapter(self, version: int) -> Iterator[tuple[str, list[Result]]]:
        """The results of a version, chapter by chapter in the standard's order."""
        chapters: dict[str, list[Result]] = {}
        for result in self.results:
            if result.version == version:
                chapters.setdefault(result.chapter, []).append(result)
        for chapter in sorted(chapters, key=chapter_key):
            yield chapter, chapters[chapter]

    def dumps(self) -> str:
        """The file's text."""
        members: dict[str, Any] = {"format": FORMAT, "subject": self.subject, "release": self.release}
        members |= {"kind": self.kind.value, "date": self.date, "seed": self.seed}
        members["verdicts"] = {verdict.value: count for verdict, count in self.counts().items()}
        members["results"] = [result.to_json() for result in self.results]
        return json.dumps(members, indent=1, allow_nan=False) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> Report:
        """Read :meth:`dumps`'s text again. Raises :class:`BadReport` for any other."""
        try:
            members = json.loads(text)
        except RecursionError:
            raise BadReport("it is nested too deep") from None
        except ValueError as error:
            raise BadReport(f"it is not JSON: {error}") from None
        if not isinstance(members, dict) or "format" not in members:
            raise BadReport("it is no report of the conformance kit")
        if members["format"] != FORMAT:
            raise BadReport(f"the format is {str(members['format'])[:40]!r}, not {FORMAT!r}")
        try:
            return cls(
                subject=str(members["subject"]),
                release=str(members["release"]),
                kind=Kind(members["kind"]),
                date=str(members["date"]),
                seed=int(members["seed"]),
                results=tuple(_results(members["results"])),
            )
        except KeyError as error:
            raise BadReport(f"it says nothing of {error}") from None
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BadReport(f"it is broken: {str(error)[:200]}") from None


def _results(found: Iterable[Any]) -> Iterator[Result]:
    for members in found:
        result = Result.from_json(members)
        version_name(result.version)
        chapter_key(result.chapter)
        yield result
