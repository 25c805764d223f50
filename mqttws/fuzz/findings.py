"""Findings as files: what was sent, what had to happen, what happened instead.

A finding is one JSON object in a file of its own. ``mqttws explain --file`` shows its bytes field by field,
``mqttws fuzz replay`` tries it again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from mqttws.conformance.codec.cases import Wrong
from mqttws.vocabulary import Role

__all__ = ["FORMAT", "Finding", "read_finding", "write_finding"]

#: What the member ``format`` says; another number is another layout.
FORMAT: Final = "mqttws-finding-1"


@dataclass(slots=True)
class Finding:
    """One input and what is wrong with the answer to it.

    ``data`` is one packet as ``sender`` (None: either end) would send it in ``version``, or for a ``target`` of this
    package its whole input. ``rule``, ``statement`` and ``mutation`` say what the bytes break; ``expected`` and
    ``answer`` are words for people. ``original`` is the input before it was made smaller.
    """

    kind: Wrong
    data: bytes
    subject: str
    expected: str
    answer: str
    version: int = 5
    sender: Role | None = None
    rule: str = ""
    statement: str | None = None
    mutation: str | None = None
    codes: tuple[int, ...] = ()
    original: bytes | None = None
    fields: dict[str, Any] | None = field(default=None)
    target: str | None = None

    @property
    def name(self) -> str:
        """A file name that tells what the finding shows; the digest keeps two of a kind apart."""
        what = self.target or f"v{self.version}"
        words = f"{self.kind}_{what}_{self.mutation or self.rule or 'valid'}"
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip("-")[:80]
        return f"{safe}_{hashlib.sha256(self.data).hexdigest()[:8]}.json"

    def as_json(self) -> dict[str, Any]:
        """The members of the file; bytes are in hex."""
        members = asdict(self)
        members["hex"] = self.data.hex()
        members["original_hex"] = None if self.original is None else self.original.hex()
        members["sender"] = None if self.sender is None else self.sender.value
        del members["data"], members["original"]
        return {"format": FORMAT, **members}


def write_finding(finding: Finding, folder: Path) -> Path:
    """Write one file into ``folder``, which is made if it is not there, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / finding.name
    path.write_text(json.dumps(finding.as_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def read_finding(path: Path) -> Finding:
    """A finding from its file. Raises :class:`ValueError` for anything else."""
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
        if (said := members.pop("format")) != FORMAT:
            live = "; mqttws fuzz server and client take it with --replay" if "live" in said else ""
            raise ValueError(f"its format is {said!r}{live}")
        original = members.pop("original_hex")
        sender = members.pop("sender")
        members["codes"] = tuple(members["codes"])
        return Finding(
            data=bytes.fromhex(members.pop("hex")),
            sender=None if sender is None else Role(sender),
            original=None if original is None else bytes.fromhex(original),
            **members,
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} holds no finding: {error}") from None
