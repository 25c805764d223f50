"""Decoders in this process."""

from __future__ import annotations

import time
from collections import UserDict
from collections.abc import Iterator
from typing import Any

import pytest

from mqttws.conformance.codec import Answer, DecoderUnusable, InProcess, Taken
from mqttws.conformance.codec.in_process import load
from mqttws.errors import MalformedPacket
from mqttws.vocabulary import Role

PING = b"\xc0\0"


def ask(decode: Any, **options: Any) -> Answer:
    return InProcess(decode, name="x", **options).decode(PING, 5, Role.CLIENT)


def test_a_function_accepts_by_returning() -> None:
    assert ask(lambda _: None) == Answer(Taken.ACCEPTED)
    assert ask(lambda _: {"type": "PINGREQ"}) == Answer(Taken.ACCEPTED, fields={"type": "PINGREQ"})
    assert ask(lambda _: NotImplemented) == Answer(Taken.UNSUPPORTED)


def test_a_function_gets_as_much_as_it_takes() -> None:
    assert ask(lambda data: {"got": data}).fields == {"got": PING}
    assert ask(lambda data, version: {"got": (data, version)}).fields == {"got": (PING, 5)}
    assert ask(lambda data, version, sender: {"got": (data, version, sender)}).fields == {"got": (PING, 5, "client")}
    assert ask(lambda *everything: {"got": everything}).fields == {"got": (PING, 5, "client")}
    assert ask(lambda _data, *, strict=True: {"got": strict}).fields == {"got": True}
    assert ask(bytes.hex).taken is Taken.ACCEPTED
    assert ask(dict).taken is Taken.CRASHED  # built in, tells no signature, and gets the bytes alone


def raising(error: BaseException) -> Any:
    def decode(_: bytes) -> None:
        raise error

    return decode


def test_what_says_no_and_what_says_that_a_program_is_wrong() -> None:
    assert ask(raising(ValueError("bad"))) == Answer(Taken.REFUSED, "ValueError: bad")
    assert ask(raising(MalformedPacket("bad"))).taken is Taken.REFUSED
    assert ask(raising(IndexError("bad"))) == Answer(Taken.CRASHED, "IndexError: bad")
    assert ask(raising(IndexError("bad")), refusals=[IndexError]).taken is Taken.REFUSED
    assert ask(raising(ValueError("bad")), refusals=[IndexError]).taken is Taken.CRASHED
    assert ask(raising(SystemExit(3))).taken is Taken.CRASHED
    with pytest.raises(KeyboardInterrupt):
        ask(raising(KeyboardInterrupt()))


def test_a_packet_that_is_read_only_when_somebody_looks_counts_as_what_it_turns_out_to_be() -> None:
    class Lazy(UserDict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            raise MalformedPacket("bad")

    assert ask(lambda _: Lazy()) == Answer(Taken.REFUSED, "MalformedPacket: bad")


def test_a_function_that_does_not_end() -> None:
    assert ask(lambda _: time.sleep(60), limit=0.02).taken is Taken.HUNG


@pytest.mark.parametrize("reference", ["os", ":x", "os:", "os:nothing", "no_such_module:x", "os:path.nothing"])
def test_what_cannot_be_loaded(reference: str) -> None:
    with pytest.raises(DecoderUnusable):
        load(reference)


def test_what_can_be_loaded() -> None:
    assert load("os:path.join") is __import__("os").path.join
