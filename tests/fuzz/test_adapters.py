"""Our own decoder and those of other projects, and the line protocol in front of them."""

from __future__ import annotations

import io
from typing import Any

import pytest

from mqttws.conformance.codec import Taken
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.adapters import own, serve
from mqttws.fuzz.adapters.peers import PEERS, Incomplete, Peer, decoder_of
from mqttws.vocabulary import Role

PING = b"\xc0\0"


def test_our_own_decoder_as_an_adapter() -> None:
    assert own.decode(PING, 5, "client") == {"type": "PINGREQ"}
    with pytest.raises(RemoteProtocolError):
        own.decode(PING, 5, "server")


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
    assert decoder.decode(PING, 5, Role.CLIENT).taken is Taken.UNSUPPORTED


def test_a_known_release_is_named() -> None:
    def make(*_: Any) -> Any:
        return (lambda _: None), (Incomplete,)

    assert Peer("pytest", (5,), (Role.SERVER,), make).release() == pytest.__version__
