"""What is printed for a message: bytes as they are for a pipe, nothing that moves the cursor on a terminal."""

from __future__ import annotations

import io
import json

import pytest
from trio.testing import trio_test

from mqttws.cli.output import as_json, as_line, write_lines
from tests.cli.peers import message

EVIL = message("to\npic", b"\x1b[2Jtext\xff\ttab", 1)


def test_a_line_is_the_payload_byte_for_byte() -> None:
    assert as_line(EVIL, with_topic=False) == EVIL.payload + b"\n"
    assert as_line(EVIL, with_topic=True) == b"to\npic " + EVIL.payload + b"\n"


def test_json_is_one_line_of_ascii_whatever_the_message_holds() -> None:
    line = as_json(EVIL)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line)["topic"] == "to\npic"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@trio_test
async def test_a_terminal_gets_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", terminal)
    await write_lines([as_line(EVIL, with_topic=False)])
    assert terminal.buffer.getvalue() == "\N{REPLACEMENT CHARACTER}[2Jtext\N{REPLACEMENT CHARACTER}\ttab\n".encode()  # type: ignore[attr-defined]
