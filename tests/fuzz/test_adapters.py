"""Decoders in this process, behind a command, and of other projects."""

from __future__ import annotations

import io
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqttws.errors import MalformedPacket, RemoteProtocolError
from mqttws.fuzz.adapters import Answer, CommandDecoder, DecoderUnusable, InProcess, Verdict, own, serve
from mqttws.fuzz.adapters.command import read_answer
from mqttws.fuzz.adapters.in_process import load
from mqttws.fuzz.adapters.peers import PEERS, Incomplete, Peer, decoder_of
from mqttws.vocabulary import Role

PING = b"\xc0\0"


def ask(decode: Any, **options: Any) -> Answer:
    return InProcess(decode, name="x", **options).decode(PING, 5, Role.CLIENT)


def test_a_function_accepts_by_returning() -> None:
    assert ask(lambda _: None) == Answer(Verdict.ACCEPTED)
    assert ask(lambda _: {"type": "PINGREQ"}) == Answer(Verdict.ACCEPTED, fields={"type": "PINGREQ"})
    assert ask(lambda _: NotImplemented) == Answer(Verdict.UNSUPPORTED)


def test_a_function_gets_as_much_as_it_takes() -> None:
    assert ask(lambda data: {"got": data}).fields == {"got": PING}
    assert ask(lambda data, version: {"got": (data, version)}).fields == {"got": (PING, 5)}
    assert ask(lambda data, version, sender: {"got": (data, version, sender)}).fields == {"got": (PING, 5, "client")}
    assert ask(lambda *everything: {"got": everything}).fields == {"got": (PING, 5, "client")}
    assert ask(lambda _data, *, strict=True: {"got": strict}).fields == {"got": True}
    assert ask(bytes.hex).verdict is Verdict.ACCEPTED
    assert ask(dict).verdict is Verdict.CRASHED  # built in, tells no signature, and gets the bytes alone


def raising(error: BaseException) -> Any:
    def decode(_: bytes) -> None:
        raise error

    return decode


def test_what_says_no_and_what_says_that_a_program_is_wrong() -> None:
    assert ask(raising(ValueError("bad"))) == Answer(Verdict.REFUSED, "ValueError: bad")
    assert ask(raising(MalformedPacket("bad"))).verdict is Verdict.REFUSED
    assert ask(raising(IndexError("bad"))) == Answer(Verdict.CRASHED, "IndexError: bad")
    assert ask(raising(IndexError("bad")), refusals=[IndexError]).verdict is Verdict.REFUSED
    assert ask(raising(ValueError("bad")), refusals=[IndexError]).verdict is Verdict.CRASHED
    assert ask(raising(SystemExit(3))).verdict is Verdict.CRASHED
    with pytest.raises(KeyboardInterrupt):
        ask(raising(KeyboardInterrupt()))


def test_a_function_that_does_not_end() -> None:
    assert ask(lambda _: time.sleep(60), limit=0.02).verdict is Verdict.HUNG


@pytest.mark.parametrize("reference", ["os", ":x", "os:", "os:nothing", "no_such_module:x", "os:path.nothing"])
def test_what_cannot_be_loaded(reference: str) -> None:
    with pytest.raises(DecoderUnusable):
        load(reference)


def test_what_can_be_loaded() -> None:
    assert load("os:path.join") is __import__("os").path.join


def test_our_own_decoder_as_an_adapter() -> None:
    assert own.decode(PING, 5, "client") == {"type": "PINGREQ"}
    with pytest.raises(RemoteProtocolError):
        own.decode(PING, 5, "server")


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
    assert decoder.decode(PING, 5, Role.CLIENT) == Answer(Verdict.ACCEPTED, fields={"type": "5 client"})
    assert decoder.decode(PING, 4, Role.CLIENT).fields == {"type": "4 client"}
    assert decoder.decode(b"\x01", 5, Role.SERVER) == Answer(Verdict.REFUSED, "01")
    assert len(decoder._running) == 3


def test_a_command_finds_version_and_sender_in_its_environment(script: Any) -> None:
    decoder = script("answer = 'error %s %s' % (os.environ['MQTTWS_VERSION'], os.environ['MQTTWS_SENDER'])")
    assert decoder.decode(PING, 4, Role.SERVER).text == "4 server"


def test_a_command_that_dies_has_crashed_and_is_started_again(script: Any) -> None:
    decoder = script("if line == '01': sys.exit('out of memory')\nanswer = 'ok'")
    assert decoder.decode(b"\x01", 5, Role.CLIENT) == Answer(Verdict.CRASHED, "exit status 1: out of memory")
    assert decoder.decode(PING, 5, Role.CLIENT).verdict is Verdict.ACCEPTED


def test_a_command_that_does_not_answer_hangs_and_is_started_again(script: Any) -> None:
    decoder = script("if line == '01': time.sleep(3600)\nanswer = 'ok'", limit=0.2)
    assert decoder.decode(b"\x01", 5, Role.CLIENT).verdict is Verdict.HUNG
    assert decoder.decode(PING, 5, Role.CLIENT).verdict is Verdict.ACCEPTED


def test_a_command_that_says_nothing_at_all_cannot_be_asked(script: Any) -> None:
    decoder = script("sys.exit('not here')\nanswer = ''")
    with pytest.raises(DecoderUnusable, match="exit status 1: not here"):
        decoder.decode(PING, 5, Role.CLIENT)
    with pytest.raises(DecoderUnusable, match="cannot run"):
        CommandDecoder(["/no/such/program"], name="x").decode(PING, 5, Role.CLIENT)


def test_a_command_that_never_answers_cannot_be_asked(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.fuzz.adapters.command._START", 0.3)
    decoder = script("time.sleep(3600)\nanswer = ''", limit=0.1)
    with pytest.raises(DecoderUnusable, match="gives no answer"):
        decoder.decode(PING, 5, Role.CLIENT)


@pytest.mark.parametrize("line", [b"OK\n", b"\xff\n", b"ok {\n", b"yes\n"])
def test_a_line_that_means_nothing(line: bytes) -> None:
    with pytest.raises(DecoderUnusable, match=r"said|no JSON"):
        read_answer(line, "x")


def test_lines_that_mean_something() -> None:
    assert read_answer(b"ok [1]\r\n", "x") == Answer(Verdict.ACCEPTED)
    assert read_answer(b"unsupported no AUTH\n", "x") == Answer(Verdict.UNSUPPORTED, "no AUTH")
    assert read_answer(b"crash KeyError\n", "x") == Answer(Verdict.CRASHED, "KeyError")


def served(name: str, *lines: bytes) -> list[str]:
    output = io.StringIO()
    text = io.StringIO("".join(f"{line.hex()}\n" for line in lines))
    assert serve.main([name, "5", "client"], text, output) == 0
    return output.getvalue().splitlines()


def test_a_python_function_behind_the_line_protocol() -> None:
    lines = served("mqttws.fuzz.adapters.own:decode", PING, b"\xd0\0")
    assert lines[0] == 'ok {"type": "PINGREQ"}'
    assert lines[1].startswith("error RemoteProtocolError: PINGRESP from a Client")


def test_verdicts_behind_the_line_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes) -> Any:
        if data == PING:
            return NotImplemented
        if data == b"\x01":
            raise IndexError("a\nb")
        return None

    monkeypatch.setattr(own, "decode", decode)
    lines = served("mqttws.fuzz.adapters.own:decode", PING, b"\x01", b"\x02")
    assert lines == ["unsupported", "crash IndexError: a b", "ok"]


def test_who_is_not_there_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> Any:
        raise ImportError("no module of that name")

    monkeypatch.setitem(PEERS, "mqttium", Peer("no-such-distribution", (5,), (Role.SERVER,), absent))
    assert serve.main(["mqttium", "--check"], io.StringIO(), io.StringIO()) == 1
    assert serve.main(["mqttium", "5", "server"], io.StringIO(), io.StringIO()) == 1
    assert serve.main(["nobody", "5", "server"], io.StringIO(), io.StringIO()) == 1
    assert "is not installed" in capsys.readouterr().err


def test_a_peer_says_what_it_does_not_read() -> None:
    decoder = decoder_of("amqtt", 5, Role.CLIENT)
    assert decoder.decode(PING, 5, Role.CLIENT).verdict is Verdict.UNSUPPORTED


def test_a_known_release_is_named() -> None:
    def make(*_: Any) -> Any:
        return (lambda _: None), (Incomplete,)

    assert Peer("pytest", (5,), (Role.SERVER,), make).release() == pytest.__version__
