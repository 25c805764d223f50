"""The status line as rich draws it."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

__all__ = ["RichPainter"]

#: Columns that are the spinner's, and the last one, in which terminals differ.
_SPINNER: Final = 3


class RichPainter:
    """A spinner with a line behind it, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._status: Status | None = None

    def show(self, text: str) -> None:
        """This text, cut where the terminal ends; nothing in it is markup."""
        line = Text(text)
        line.truncate(max(self._console.width - _SPINNER, 1), overflow="ellipsis")
        if self._status is None:
            self._status = self._console.status(line)
            self._status.start()
        else:
            self._status.update(line)

    def clear(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None
