"""The targets hold this package to its promises, and would notice a broken one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqttws import codec as codec_package
from mqttws.codec import Connect, Framer, Publish, encode
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz import targets
from mqttws.fuzz.corpus import for_target, past_findings, seeds
from mqttws.fuzz.loop import try_input
from mqttws.fuzz.machine import conversation
from mqttws.fuzz.sources import BytesSource, RandomSource
from mqttws.fuzz.targets import TARGETS, codec, connection_server, framer, link_server
from mqttws.fuzz.targets.link import HANDSHAKE, binary_frame
from mqttws.fuzz.targets.packets import pieces_of
from mqttws.session import Connection
from mqttws.vocabulary import Role

#: Seconds of work that no single input may take.
LIMIT = 10.0

NAMES = pytest.mark.parametrize("name", TARGETS)


@NAMES
def test_any_bytes_keep_the_promises(name: str) -> None:
    @settings(max_examples=80)
    @given(st.binary(max_size=120))
    def check(data: bytes) -> None:
        TARGETS[name](data)

    check()


@NAMES
def test_seeds_keep_the_promises(name: str) -> None:
    outcomes = {try_input(TARGETS[name], for_target(seed, name), LIMIT) for seed in list(seeds())[::40]}
    assert outcomes == {None}


@pytest.mark.parametrize(
    ("name", "data"),
    [pytest.param(name, data, id=f"{name}-{found}") for name in TARGETS for found, data in past_findings(name)],
)
def test_what_was_found_once_stays_mended(name: str, data: bytes) -> None:
    assert try_input(TARGETS[name], data, LIMIT) is None


def test_a_fault_of_a_past_day_is_kept_as_a_seed() -> None:
    assert [name for name, _ in past_findings("link-server")] == ["found_http-2.1-without-host"]


def test_pieces_are_bounded_and_complete() -> None:
    data = bytes(range(256)) * 10
    for control in range(6):
        pieces = pieces_of(BytesSource(bytes([control])), data)
        assert b"".join(pieces) == data
        assert len(pieces) <= 321
    assert pieces_of(BytesSource(b""), b"") == []


def test_codec_notices_a_decoder_that_raises_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any, **__: Any) -> Any:
        raise IndexError

    monkeypatch.setattr("mqttws.fuzz.targets.packets.decode", wrong)
    with pytest.raises(IndexError):
        codec(b"\xc0\0")


def test_codec_notices_an_error_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any, **__: Any) -> Any:
        raise RemoteProtocolError("no place")

    monkeypatch.setattr("mqttws.fuzz.targets.packets.decode", wrong)
    with pytest.raises(AssertionError, match="no offset"):
        codec(b"\xc0\0")


def test_codec_notices_a_decoder_that_takes_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.fuzz.targets.packets.decode", lambda *_, **__: codec_package.PingReq())
    with pytest.raises(AssertionError, match="a prefix is a packet"):
        codec(b"\xc0\0")


def test_framer_notices_that_pieces_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(Framer):
        def receive_data(self, data: bytes | bytearray | memoryview) -> None:
            super().receive_data(data if len(data) > 1 else b"")

    monkeypatch.setattr("mqttws.fuzz.targets.packets.Framer", Forgetful)
    with pytest.raises(AssertionError, match="other packets in pieces"):
        framer(bytes((2, 0, 0, 1)) + encode(Publish("a", b"x")))


def test_connection_notices_what_a_strict_peer_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "data_to_send", lambda *_: b"\x36\0")
    with pytest.raises(RemoteProtocolError, match=re.escape("MQTT-3.3.1-4")):
        connection_server(bytes(8))


def test_connection_notices_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "data_to_send", lambda *_: b"\xc0\0" * 10_000)
    with pytest.raises(AssertionError, match="more goes out"):
        connection_server(bytes(8))


def test_link_notices_an_exception_for_the_peers_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> None:
        raise RemoteProtocolError("escaped")

    monkeypatch.setattr(Connection, "receive_data", wrong)
    with pytest.raises(RemoteProtocolError, match="escaped"):
        link_server(bytes((0, 0, 0)) + encode(Connect(client_id="c")))


def test_frames_have_all_three_lengths() -> None:
    for size in (0, 125, 126, 65_535, 65_536):
        frame = binary_frame(bytes(size), masked=False)
        assert frame[0] == 0x82
        assert len(frame) == size + (2 if size < 126 else 4 if size < 65_536 else 10)
        assert len(binary_frame(bytes(size), masked=True)) == len(frame) + 4
    assert binary_frame(b"abc", masked=True)[6:] == bytes((0x61 ^ 1, 0x62 ^ 2, 0x63 ^ 3))
    assert HANDSHAKE.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("role", Role)
def test_packets_in_frames_reach_the_state_machine(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[bytes] = []
    take = Connection.receive_data

    def watch(self: Connection, data: bytes, now: float) -> None:
        arrived.append(data)
        take(self, data, now)

    monkeypatch.setattr(Connection, "receive_data", watch)
    ping = b"\xd0\0" if role is Role.CLIENT else b"\xc0\0"
    TARGETS[f"link-{role.value}"](bytes((0, 1, 1)) + ping * 2)
    assert arrived[1:] == [b"\xd0", b"\0", b"\xd0", b"\0"] if role is Role.CLIENT else [b"\xc0", b"\0"] * 2


@pytest.mark.parametrize("name", ["connection-client", "connection-server", "link-client", "link-server"])
def test_whole_conversations_keep_the_promises(name: str) -> None:
    wanted = Role.SERVER if name.endswith("client") else Role.CLIENT
    for seed in range(60):
        version = 4 + seed % 2
        steps = conversation(RandomSource(seed), version, most=25)
        said = b"".join(encode(packet, version) for sender, packet in steps if sender is wanted)
        choices = bytes((0, 0, seed % 5)) if name.startswith("link") else bytes((5 - version, 0, 1, seed % 5))
        assert said
        assert try_input(TARGETS[name], choices + said, LIMIT) is None


def test_all_targets_are_published() -> None:
    assert {function.__name__ for function in TARGETS.values()} <= set(targets.__all__)
    assert all(function.__doc__ for function in TARGETS.values())
