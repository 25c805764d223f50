"""Decoders behind a command, one line each way."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqttws.conformance.codec import Answer, CommandDecoder, DecoderUnusable, Taken
from mqttws.conformance.codec.command import read_answer
from mqttws.vocabulary import Role

PING = b"\xc0\0"


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    """Makes a decoder of a line that sets ``answer`` from ``line``."""
    opened: list[CommandDecoder] = []

    def make(body: str, limit: float = 20.0) -> CommandDecoder:
        file = tmp_path / f"decoder{len(opened)}.py"
        head = "import os, sys, time\nversion, sender = sys.argv[1:]\nfor line in sys.stdin:\n    line = line.strip()\n"
        tail = "    print(answer, flush=True)\n"
        file.write_text(head + textwrap.indent(body, "    ") + "\n" + tail)
        opened.append(CommandDecoder([sys.executable, str(file), "{version}", "{sender}"], name="script", limit=limit))
        return opened[-1]

    yield make
    for decoder in opened:
        decoder.close()


def test_a_command_answers_line_by_line(script: Any) -> None:
    decoder = script("answer = 'ok {\"type\": \"%s %s\"}' % (version, sender) if line == 'c000' else 'error ' + line")
    assert decoder.decode(PING, 5, Role.CLIENT) == Answer(Taken.ACCEPTED, fields={"type": "5 client"})
    assert decoder.decode(PING, 4, Role.CLIENT).fields == {"type": "4 client"}
    assert decoder.decode(b"\x01", 5, Role.SERVER) == Answer(Taken.REFUSED, "01")
    assert len(decoder._running) == 3


def test_a_command_finds_version_and_sender_in_its_environment(script: Any) -> None:
    decoder = script("answer = 'error %s %s' % (os.environ['MQTTWS_VERSION'], os.environ['MQTTWS_SENDER'])")
    assert decoder.decode(PING, 4, Role.SERVER).text == "4 server"


def test_a_command_that_dies_has_crashed_and_is_started_again(script: Any) -> None:
    decoder = script("if line == '01': sys.exit('out of memory')\nanswer = 'ok'")
    assert decoder.decode(b"\x01", 5, Role.CLIENT) == Answer(Taken.CRASHED, "exit status 1: out of memory")
    assert decoder.decode(PING, 5, Role.CLIENT).taken is Taken.ACCEPTED


def test_a_command_that_does_not_answer_hangs_and_is_started_again(script: Any) -> None:
    decoder = script("if line == '01': time.sleep(3600)\nanswer = 'ok'", limit=0.2)
    assert decoder.decode(b"\x01", 5, Role.CLIENT).taken is Taken.HUNG
    assert decoder.decode(PING, 5, Role.CLIENT).taken is Taken.ACCEPTED


def test_a_command_that_says_nothing_at_all_cannot_be_asked(script: Any) -> None:
    decoder = script("sys.exit('not here')\nanswer = ''")
    with pytest.raises(DecoderUnusable, match="exit status 1: not here"):
        decoder.decode(PING, 5, Role.CLIENT)
    with pytest.raises(DecoderUnusable, match="cannot run"):
        CommandDecoder(["/no/such/program"], name="x").decode(PING, 5, Role.CLIENT)


def test_a_command_that_never_answers_cannot_be_asked(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.conformance.codec.command._START", 0.3)
    decoder = script("time.sleep(3600)\nanswer = ''", limit=0.1)
    with pytest.raises(DecoderUnusable, match="gives no answer"):
        decoder.decode(PING, 5, Role.CLIENT)


def ask_often(decoder: CommandDecoder, data: bytes) -> None:
    for _ in range(100):
        decoder.decode(data, 5, Role.CLIENT)


def test_a_command_that_says_more_than_it_is_asked_cannot_be_asked(script: Any) -> None:
    decoder = script("print('ok', flush=True)\nanswer = 'error' if line == '01' else 'ok'")
    with pytest.raises(DecoderUnusable, match="it says more than a line for each of ours"):
        ask_often(decoder, PING)


def test_a_command_that_never_stops_talking_nor_reads_is_held_within_bounds() -> None:
    source = "import os, time\nwhile True: os.write(1, b'ok\\n'); os.write(2, bytes(10_000))"
    decoder = CommandDecoder([sys.executable, "-c", source], name="x")
    for _ in range(2):
        with pytest.raises(DecoderUnusable, match="it says more than a line for each of ours"):
            ask_often(decoder, bytes(100_000))
    for process in decoder._running.values():
        assert process._lines.qsize() <= 9
        assert len(process._errors) <= 2_000
    decoder.close()


def test_a_command_that_reads_no_more_hangs_however_long_the_packet(script: Any) -> None:
    decoder = script("print('ok', flush=True)\ntime.sleep(3600)\nanswer = ''", limit=0.2)
    assert decoder.decode(bytes(1_000_000), 5, Role.CLIENT).taken is Taken.HUNG
    decoder = script("answer = 'ok'")
    assert decoder.decode(bytes(1_000_000), 5, Role.CLIENT).taken is Taken.ACCEPTED


def test_a_process_that_a_command_leaves_behind_is_not_waited_for(script: Any) -> None:
    left = "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(9)'])\n"
    decoder = script(f"if line == '01':\n{textwrap.indent(left, '    ')}    os._exit(3)\nanswer = 'ok'", limit=0.2)
    began = time.monotonic()
    assert decoder.decode(b"\x01", 5, Role.CLIENT).taken is Taken.HUNG
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("line", [b"OK\n", b"\xff\n", b"ok {\n", b"yes\n", b"ok " + b"[" * 200_000 + b"\n"])
def test_a_line_that_means_nothing(line: bytes) -> None:
    with pytest.raises(DecoderUnusable, match=r"said|no JSON"):
        read_answer(line, "x")


def test_lines_that_mean_something() -> None:
    assert read_answer(b"ok [1]\r\n", "x") == Answer(Taken.ACCEPTED)
    assert read_answer(b"unsupported no AUTH\n", "x") == Answer(Taken.UNSUPPORTED, "no AUTH")
    assert read_answer(b"crash KeyError\n", "x") == Answer(Taken.CRASHED, "KeyError")
