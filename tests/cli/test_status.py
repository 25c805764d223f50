"""The status line: what it says when, and that it is gone when it should be."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.cli import status
from mqttws.cli.status import PlainPainter, Status, status_line
from mqttws.client import Connected, Disconnected, Ended
from mqttws.errors import ConnectionLost
from tests.cli.test_connecting import free_port

LOST = ConnectionLost("the wire\nbroke")


class Drawn:
    """A painter that remembers; None is an empty line."""

    def __init__(self) -> None:
        self.lines: list[str | None] = []

    def show(self, text: str) -> None:
        self.lines.append(text)

    def clear(self) -> None:
        self.lines.append(None)


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


@trio_test
async def test_it_counts_down_to_the_next_attempt_and_goes_when_there_is_a_connection() -> None:
    drawn = Drawn()
    now = trio.current_time()
    line = Status("ws://h/", drawn, now)
    line.tick(now)
    assert drawn.lines == []  # there is nothing to say yet
    line.tick(now + 1)
    line(Disconnected(LOST, 2, 3.0))
    now = trio.current_time()
    for second in (1, 1.1, 2, 4):
        line.tick(now + second)
    line(Connected(True))
    line.tick(now + 5)
    line(Disconnected(None, 1, 0.0))
    line(Ended(LOST))
    line.end()
    assert drawn.lines == [
        "connecting to ws://h/ …",
        "the wire broke; attempt 2 in 3 s",
        "the wire broke; attempt 2 in 2 s",
        "the wire broke; attempt 2 in 1 s",
        "the wire broke; attempt 2 …",
        None,
        "moving to a new connection; attempt 1 …",
        None,
    ]


@trio_test
async def test_it_is_drawn_while_the_block_runs(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn()
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(status, "_painter", lambda: drawn)
    async with status_line("") as on_event:
        await trio.sleep(10)
        on_event(Disconnected(LOST, 1, 1.5))
        await trio.sleep(2)
    assert drawn.lines == ["connecting …", "the wire broke; attempt 1 in 2 s", "the wire broke; attempt 1 in 1 s",
                           "the wire broke; attempt 1 in 0 s", "the wire broke; attempt 1 …", None]  # fmt: skip
    with pytest.raises(KeyError, match="its own"):
        async with status_line(""):
            raise KeyError("its own")


@pytest.mark.parametrize(("terminal", "term"), [(False, "xterm"), (True, "dumb")])
@trio_test
async def test_where_nobody_can_see_it_there_is_none(
    autojump_clock: MockClock, terminal: bool, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    async with status_line("ws://h/") as on_event:
        on_event(Disconnected(LOST, 1, 1.0))
        await trio.sleep(10)
    assert stream.getvalue() == ""


def test_plain_lines_are_written_over_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "10")
    painter = PlainPainter()
    painter.show("a line that is too long")
    painter.clear()
    assert stream.getvalue() == "\r\x1b[Ka line th\r\x1b[K"


def test_without_rich_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mqttws.cli.rich_status", raising=False)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(status._painter(), PlainPainter)


def test_on_a_terminal_it_is_seen_and_taken_away() -> None:
    ours, theirs = pty.openpty()
    url = f"ws://127.0.0.1:{free_port()}/mqtt"
    command = [sys.executable, "-m", "mqttws", "sub", "-L", url, "-t", "a", "--reconnect", "-W", "2"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        while chunk := _read(ours):
            seen += chunk
        assert process.wait(20) == 3
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    assert b"Connection refused; attempt " in seen  # which one depends on how long each wait happens to be
    assert seen.rpartition(b"\x1b[2K")[2].startswith(b"mqttws sub: no connection within 2 s")


def _read(terminal: int) -> bytes:
    """What comes next; nothing when nobody has the other end any more, which Linux calls an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
