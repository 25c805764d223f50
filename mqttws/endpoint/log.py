"""The endpoint's log: one line of printable ASCII for each event, whatever the peers have sent.

Client ids, topics, user ids and reason strings are other people's text. They are quoted and escaped here, once, so that
no peer can begin a new line or move the reader's cursor; and they are cut, so that no peer can fill a disk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

__all__ = ["FIELD_LIMIT", "Log"]

#: Characters of one field or message that are shown; the rest is cut.
FIELD_LIMIT: Final = 1000

#: What is readable without quotes.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@\[\]-]+")

_CONTROL: Final = re.compile(r"[^ -~]")


class Log:
    """Writes lines to ``write``; with None it does nothing, at the cost of a call.

    A line reads ``Event: message name=value …``. Fields that are None are left out. A ``write`` that raises (a full
    disk, a closed pipe) loses its line and nothing else; ``failures`` counts them.
    """

    __slots__ = ("_write", "failures")

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write
        self.failures = 0

    def __call__(self, event: str, message: str = "", **fields: object) -> None:
        """Write one line. ``event`` is our own word; ``message`` and the fields may hold anything but secrets."""
        if self._write is None:
            return
        parts = [f"{event}: {_escaped(message)}" if message else event]
        parts += [f"{name}={_shown(value)}" for name, value in fields.items() if value is not None]
        try:
            self._write(" ".join(parts))
        except Exception:  # noqa: BLE001 - the log is not worth a client's connection, and there is no log to say so
            self.failures += 1


def _escaped(text: str) -> str:
    """Printable ASCII as it is, everything else as an escape sequence of Python's."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text[:FIELD_LIMIT])


def _shown(value: object) -> str:
    """A field's value: bare if it is one plain word, else in quotes and with every strange character escaped."""
    text = str(value)[:FIELD_LIMIT]
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
