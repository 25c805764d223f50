"""The status line on a terminal, as rich draws it."""

from __future__ import annotations

import io
import sys

import pytest

pytest.importorskip("rich")

from mqttws.cli.rich_status import RichPainter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_shown_changed_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    painter = RichPainter()
    painter.clear()
    painter.show("waiting")
    painter.show("[bold]a line that is much longer than the terminal is wide")
    painter.clear()
    painter.show("again")
    painter.clear()
    text = stream.getvalue()
    assert "[bold]a line that is much longer tha…" in text
    assert "again" in text
    assert text.endswith("\x1b[2K")
