"""One line at the bottom of a terminal while there is no connection: what has happened, and when the next attempt is.

Where nobody looks, because standard error is no terminal, there is none.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import trio

from mqttws.cli.outcome import say_why
from mqttws.client import ClientEvent, Connected, Disconnected, Ended

__all__ = ["Status", "status_line"]

#: Seconds between two looks at the clock; the line counts down in whole ones.
_TICK: Final = 0.25
#: Seconds that connecting may take before there is anything to say.
_PATIENCE: Final = 0.5


class Painter(Protocol):
    """How a line gets onto the terminal."""

    def show(self, text: str) -> None:
        """This one in place of the one before."""

    def clear(self) -> None:
        """None at all; what is printed next stands where it stood."""


class PlainPainter:
    """With what every terminal can do: go back to the beginning of the line and wipe it."""

    def show(self, text: str) -> None:
        """Write over the line."""
        sys.stderr.write(f"\r\x1b[K{text[: _columns() - 1]}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Wipe it."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _columns() -> int:
    return shutil.get_terminal_size().columns


def _painter() -> Painter:
    """Rich's moving line where rich is installed."""
    try:
        from mqttws.cli.rich_status import RichPainter  # noqa: PLC0415 - rich is optional, and slow to load
    except ImportError:
        return PlainPainter()
    return RichPainter()


class Status:
    """What there is to say, moment by moment; called with each event of the client."""

    def __init__(self, where: str, painter: Painter, now: float) -> None:
        self._painter = painter
        self._shown: str | None = None
        self._what = f"connecting to {where}" if where else "connecting"
        self._deadline: float | None = now + _PATIENCE
        self._waiting = False  # the deadline is that of the next attempt
        self._connected = False

    def __call__(self, event: ClientEvent) -> None:
        """Something has happened."""
        if isinstance(event, Disconnected):
            why = "moving to a new connection" if event.error is None else say_why(event.error)
            self._what = f"{why}; attempt {event.attempt}"
            self._deadline = trio.current_time() + event.delay
            self._waiting, self._connected = True, False
        elif isinstance(event, Connected | Ended):
            self._connected = True
        self.tick(trio.current_time())

    def text(self, now: float) -> str | None:
        """The line; None where nothing has to be said."""
        if self._connected:
            return None
        if self._deadline is not None and now < self._deadline:
            return f"{self._what} in {self._deadline - now:.0f} s" if self._waiting else None
        return f"{self._what} …"

    def tick(self, now: float) -> None:
        """Show what there is to say now."""
        text = self.text(now)
        if text == self._shown:
            return
        self._shown = text
        if text is None:
            self._painter.clear()
        else:
            self._painter.show(text)

    def end(self) -> None:
        """The client's time is over."""
        self._connected = True
        self.tick(0.0)


@asynccontextmanager
async def status_line(where: str) -> AsyncIterator[Callable[[ClientEvent], None]]:
    """A status line while the block runs, as an ``on_event`` hook; it shows nothing if there is nobody to see it.

    ``where`` is what is connected to, without secrets.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    status = Status(where, _painter(), trio.current_time())
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tick, status)
        try:
            yield status
        except Exception as error:  # noqa: BLE001 - raised below; in here the nursery would wrap it into a group
            failure = error
        finally:
            status.end()
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _tick(status: Status) -> None:
    while True:
        status.tick(trio.current_time())
        await trio.sleep(_TICK)
