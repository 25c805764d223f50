"""Targets without memory: ``decode`` and ``encode``, the framer, and the map of any bytes."""

from __future__ import annotations

from functools import cache
from typing import Final

from mqttws.codec import Framer, Packet, decode, encode
from mqttws.codec.dissection import dissect, explain
from mqttws.conformance import statements
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.sources import BytesSource
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["codec", "dissection", "framer", "pieces_of"]

_SENDERS: Final = (None, Role.CLIENT, Role.SERVER)
_VERSIONS: Final = (None, 4, 5)


@cache
def _numbers(version: ProtocolVersion) -> frozenset[str]:
    return frozenset(statement["id"] for statement in statements(version))


def _check_error(error: RemoteProtocolError, size: int) -> None:
    """A fault tells its place, its field and a statement that exists."""
    assert error.offset is not None, "no offset"
    assert 0 <= error.offset <= size, f"offset {error.offset} of {size}"
    assert error.field, "no field"
    assert 0x80 <= error.reason_code <= 0xA2
    if error.statement is not None:
        # before a CONNECT has told the version, the numbers are those of 5.0
        numbers = _numbers(error.version or ProtocolVersion.V5)
        assert error.statement in numbers, f"no statement {error.statement}"


def _refused(data: bytes, version: int, sender: Role | None) -> bool:
    try:
        decode(data, version, sender=sender)
    except RemoteProtocolError:
        return True
    return False


def codec(data: bytes) -> None:
    """``decode`` gives a packet or a fault that tells its place; what it takes, ``encode`` writes and it reads again.

    Both versions, from either end and from one that is not known. Neither a byte less nor a byte more is a packet.
    """
    for version in (4, 5):
        for sender in _SENDERS:
            try:
                packet = decode(data, version, sender=sender)
            except RemoteProtocolError as error:
                _check_error(error, len(data))
                continue
            written = encode(packet, version)
            assert decode(written, version, sender=sender) == packet, "not the same after a round trip"
            assert len(written) <= len(data), "written longer than it was read"
            assert _refused(data[:-1], version, sender), "a prefix is a packet"
            assert _refused(data + b"\0", version, sender), "a packet with a byte behind it is a packet"


def dissection(data: bytes) -> None:
    """The map of any bytes covers each of them once, and agrees with ``decode``."""
    for version in (4, 5):
        position = 0
        for section in dissect(data, version):
            assert section.offset == position, "bytes left out, or shown twice"
            position += section.size
            assert (section.packet is None) == (section.error is not None)
            inside = section.offset
            for note in section.notes:
                if not note.mask and not note.depth and note.size:
                    assert note.offset >= inside, "rows out of order"
                    inside = note.offset
        assert position == len(data)
        assert explain(data, version).isprintable() or data, "no bytes, but a text"


def pieces_of(source: BytesSource, data: bytes) -> list[bytes]:
    """``data`` cut as a fuzzer's bytes say: whole, byte by byte, or in pieces of a few sizes; at most 300 of them."""
    size = max((len(data) or 1, 1, 2, 3, 7, 64)[source.draw(5)], len(data) // 300)
    return [data[start : start + size] for start in range(0, len(data), size)]


def _frame(framer: Framer, pieces: list[bytes]) -> tuple[list[Packet], RemoteProtocolError | None]:
    packets: list[Packet] = []
    fed = 0
    for piece in pieces:
        fed += len(piece)
        framer.receive_data(piece)
        try:
            packets += framer.packets()
        except RemoteProtocolError as error:
            assert framer.pending == 0, "bytes held behind a fault"
            return packets, error
        assert framer.pending <= fed, "more held than came"
    return packets, None


def framer(data: bytes) -> None:
    """A :class:`Framer` gives the same packets and the same fault however its bytes are cut.

    The first bytes choose version, sender, limit and pieces; the rest is the stream.
    """
    source = BytesSource(data)
    version = source.choice(_VERSIONS)
    sender = source.choice(_SENDERS)
    maximum = source.choice((268_435_460, 100, 16))
    cut = BytesSource(source.block(1))
    stream = source.rest()
    whole = Framer(version, sender=sender, maximum_packet_size=maximum)
    other = Framer(version, sender=sender, maximum_packet_size=maximum)
    packets, fault = _frame(whole, [stream])
    again, same_fault = _frame(other, pieces_of(cut, stream))
    assert packets == again, "other packets in pieces"
    assert repr(fault) == repr(same_fault), "another fault in pieces"
    if fault is None:
        assert whole.pending == other.pending
        assert whole.version == other.version
    else:
        assert same_fault is not None
        _check_error(fault, len(stream))
        assert (fault.offset, fault.statement, fault.reason_code) == (
            same_fault.offset,
            same_fault.statement,
            same_fault.reason_code,
        )
