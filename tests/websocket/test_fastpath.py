"""The fast path is wsproto, only faster: the same events at every chunk, the same bytes but for the mask key."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.connection import Connection

from mqttws.websocket import FastFraming, Framing, WebSocket, mask
from mqttws.websocket.fastpath import frame_size
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, judge, merged, naive_mask

Make = Callable[[bool], bytes]

payloads = st.one_of(
    st.binary(max_size=20),
    st.integers(1, 40).map(lambda count: b"\x82\x01a" * count),  # looks like frames
    st.integers(1, 20).map(lambda count: b"\x82\x81\x00\x00\x00\x00a" * count),
    st.integers(120, 130).map(lambda size: b"x" * size),
    st.integers(65_530, 65_540).map(lambda size: b"y" * size),
)


def frames(*, faults: bool) -> st.SearchStrategy[Make]:
    """One frame as a function of the mask bit that is due."""
    opcodes = st.sampled_from((BINARY,) * 6 + (CONTINUATION, TEXT, PING, PONG))
    good = st.builds(
        lambda opcode, payload, fin: (
            lambda masked: frame(
                opcode, payload[:125] if opcode >= CLOSE else payload, masked=masked, fin=fin or opcode >= CLOSE
            )
        ),
        opcodes,
        payloads,
        st.booleans() | st.just(True),
    )
    if not faults:
        return good
    bad = st.builds(
        lambda opcode, payload, fin, reserved, wrong, width: (
            lambda masked: frame(opcode, payload[:125], masked=masked ^ wrong, fin=fin, reserved=reserved, width=width)
        ),
        st.integers(0, 15),
        payloads,
        st.booleans(),
        st.integers(0, 7),
        st.booleans(),
        st.sampled_from((1, 2, 8)),
    )
    return st.one_of(good, good, good, bad)


def fragmented(parts: list[bytes]) -> Make:
    """One binary message in so many frames."""
    return lambda masked: b"".join(
        frame(CONTINUATION if index else BINARY, part, masked=masked, fin=index == len(parts) - 1)
        for index, part in enumerate(parts)
    )


mixtures = st.lists(
    st.one_of(
        frames(faults=True),
        frames(faults=False),
        st.lists(st.binary(max_size=30), min_size=1, max_size=4).map(fragmented),
    ),
    max_size=8,
)
sizes = st.lists(st.integers(1, 9) | st.integers(1, 70_000), min_size=1, max_size=5)


@given(mixtures, sizes, st.booleans(), st.booleans(), st.sampled_from((5, 130, 1_000_000)))
@example([lambda masked: frame(BINARY, b"x" * 126, masked=masked)], [3, 1], True, False, 1_000_000)
@example([lambda masked: frame(3, b"", masked=masked)], [1], False, False, 1_000_000)
def test_at_every_chunk_it_says_what_wsproto_says(
    mixture: list[Make], sizes: list[int], client: bool, text: bool, maximum: int
) -> None:
    data = b"".join(make(not client) for make in mixture)
    plain = judge(Framing, client=client, text=text, maximum_message_size=maximum)
    fast = judge(FastFraming, client=client, text=text, maximum_message_size=maximum)
    position = 0
    for size in itertools.cycle(sizes):
        size = max(size, len(data) // 200)  # byte by byte only where that is quick
        chunk = data[position : position + size]
        position += size
        assert merged(plain.receive(chunk)) == merged(fast.receive(chunk))
        assert plain.over == fast.over
        assert plain.ping == fast.ping
        if position >= len(data):
            break


@pytest.mark.parametrize("client", [True, False])
def test_whole_binary_frames_up_to_64_kib_never_reach_wsproto(monkeypatch: pytest.MonkeyPatch, client: bool) -> None:
    reached: list[int] = []
    receive_data = Connection.receive_data

    def recorded(connection: Connection, data: bytes | None) -> None:
        reached.append(len(data or b""))
        receive_data(connection, data)

    monkeypatch.setattr(Connection, "receive_data", recorded)
    client_end, server_end = pair()
    sender, receiver = (server_end, client_end) if client else (client_end, server_end)
    reached.clear()
    sent = [b"x" * size for size in (0, 1, 125, 126, 127, 65535)]
    for message in sent:
        sender.send_message(message)
    receiver.receive_data(sender.data_to_send())
    assert receiver.events() == sent
    assert reached == []
    sender.send_message(b"x" * 65536)
    receiver.receive_data(sender.data_to_send())
    assert sum(reached) == 65536 + (10 if client else 14)


def pair() -> tuple[WebSocket, WebSocket]:
    """Both ends as they are by default, behind their handshake."""
    client, server = WebSocket.client(host="x", target="/"), WebSocket.server()
    server.receive_data(client.data_to_send())
    server.accept()
    client.receive_data(server.data_to_send())
    assert client.events()[0] == server.events()[1]
    return client, server


@given(st.binary(max_size=300), sizes, st.booleans())
def test_on_any_bytes_it_says_what_wsproto_says(data: bytes, sizes: list[int], client: bool) -> None:
    plain, fast = judge(Framing, client=client), judge(FastFraming, client=client)
    position = 0
    for size in itertools.cycle(sizes):
        assert plain.receive(data[position : position + size]) == fast.receive(data[position : position + size])
        position += size
        if position >= len(data):
            break


def unmasked(data: bytes) -> tuple[bytes, bytes]:
    """Header and payload of a frame, whichever key it is masked with."""
    size = {126: 4, 127: 10}.get(data[1] & 0x7F, 2)
    if not data[1] & 0x80:
        return data[:size], data[size:]
    return data[:size], naive_mask(data[size : size + 4], data[size + 4 :])


@given(payloads | st.text(max_size=20), st.booleans())
def test_it_writes_what_wsproto_writes(message: bytes | str, client: bool) -> None:
    fast = judge(FastFraming, client=client).message(message)
    plain = judge(Framing, client=client).message(message)
    assert unmasked(fast) == unmasked(plain)


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=40) | st.integers(1530, 1545).map(os.urandom))
def test_masking_is_that_of_the_standard(key: bytes, data: bytes) -> None:
    assert mask(key, data) == naive_mask(key, data)
    assert mask(key, mask(key, data)) == data


def test_every_frame_has_a_mask_key_of_its_own_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []
    urandom = os.urandom

    def recorded(size: int) -> bytes:
        drawn.append(urandom(size))
        return drawn[-1]

    monkeypatch.setattr(os, "urandom", recorded)
    ours = judge(FastFraming, client=True)
    keys = [ours.message(b"")[2:6] for _ in range(200)]
    assert len(set(keys)) == 200
    assert b"".join(drawn).startswith(b"".join(keys))
    again = judge(FastFraming, client=True).message(b"")[2:6]
    assert again not in keys


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_the_size_of_a_frame_is_known_as_soon_as_its_length_is(masked: bool, size: int) -> None:
    whole = frame(BINARY, b"x" * size, masked=masked)
    known = 2 if size < 126 else 4 if size < 65536 else 10
    assert [frame_size(whole[:cut]) for cut in range(known)] == [None] * known
    assert {frame_size(whole[:cut]) for cut in range(known, 15)} == {len(whole)}
