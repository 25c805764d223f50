"""Faults of WebSocket framing and of the TCP connection under it, as steps in place of one good packet.

Both ends can make them: what differs is whether a good frame is masked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mqttws.codec import RawPacket, encode
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, close, frame
from mqttws.fuzz.live.script import END, RESET, Layer, Step
from mqttws.fuzz.sources import Source

__all__ = ["FRAME_FAULTS", "FrameFault", "Good"]

#: Codes that may not stand in a Close frame, or are defined by nobody (RFC 6455, 7.4).
_CLOSE_CODES: Final = (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
_RESERVED_OPCODES: Final = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)


@dataclass(frozen=True, slots=True)
class Good:
    """The packet that stands where the fault goes, and who sends it."""

    packet: bytes
    masked: bool

    def frame(self, payload: bytes = b"", opcode: int = BINARY, *, fin: bool = True, reserved: int = 0) -> bytes:
        """A frame that is right, but for what is asked for."""
        return frame(payload, opcode, fin=fin, reserved=reserved, masked=self.masked)


#: ``(source, good) -> steps``
FrameFault = Callable[[Source, Good], list[Step]]
#: All of them by name.
FRAME_FAULTS: Final[dict[str, FrameFault]] = {}


def _fault(name: str) -> Callable[[FrameFault], FrameFault]:
    def enter(fault: FrameFault) -> FrameFault:
        FRAME_FAULTS[name] = fault
        return fault

    return enter


def _wire(note: str, data: bytes = b"", *, times: int = 1, pieces: int = 0, then: str = "") -> list[Step]:
    return [Step(note, data, Layer.WIRE, pieces=pieces, times=times, spoiled=True, then=then)]


# -- frames that break a rule ---------------------------------------------------------------------------------------


@_fault("wrong-mask")
def _wrong_mask(_source: Source, good: Good) -> list[Step]:
    """Masked where it must not be, or not masked where it must be."""
    return _wire("a frame masked the wrong way", frame(good.packet, masked=not good.masked))


@_fault("reserved-bits")
def _reserved_bits(source: Source, good: Good) -> list[Step]:
    return _wire("a frame with reserved bits", good.frame(good.packet, reserved=1 + source.draw(6)))


@_fault("reserved-opcode")
def _reserved_opcode(source: Source, good: Good) -> list[Step]:
    return _wire("a frame with a reserved opcode", good.frame(good.packet[:100], source.choice(_RESERVED_OPCODES)))


@_fault("text-frame")
def _text_frame(source: Source, good: Good) -> list[Step]:
    return _wire("a text frame", good.frame(source.choice((good.packet, b"plain text", b"\xff\xfe")), TEXT))


@_fault("fragmented-control")
def _fragmented_control(source: Source, good: Good) -> list[Step]:
    return _wire("a fragmented control frame", good.frame(b"x", source.choice((PING, CLOSE)), fin=False))


@_fault("long-ping")
def _long_ping(source: Source, good: Good) -> list[Step]:
    return _wire("a ping with too much in it", good.frame(b"p" * source.choice((126, 127, 70_000)), PING))


@_fault("stray-continuation")
def _stray_continuation(source: Source, good: Good) -> list[Step]:
    return _wire("a continuation of nothing", good.frame(good.packet, CONTINUATION, fin=source.boolean()))


@_fault("message-in-message")
def _message_in_message(_source: Source, good: Good) -> list[Step]:
    return _wire("a message begun inside another", good.frame(good.packet, fin=False) + good.frame(good.packet))


@_fault("padded-length")
def _padded_length(source: Source, good: Good) -> list[Step]:
    width = source.choice((2, 8)) if len(good.packet) < 126 else 8
    return _wire("a length in more bytes than needed", frame(good.packet, width=width, masked=good.masked))


@_fault("length-sign")
def _length_sign(_source: Source, good: Good) -> list[Step]:
    claimed = frame(good.packet, claimed=1 << 63 | 1, width=8, masked=good.masked)
    return _wire("a length with its highest bit set", claimed)


@_fault("close-code")
def _close_code(source: Source, good: Good) -> list[Step]:
    return _wire(
        "a Close frame with a code that it may not have", close(source.choice(_CLOSE_CODES), masked=good.masked)
    )


@_fault("close-one-byte")
def _close_one_byte(_source: Source, good: Good) -> list[Step]:
    return _wire("a Close frame of one byte", good.frame(b"\x03", CLOSE))


@_fault("close-reason")
def _close_reason(source: Source, good: Good) -> list[Step]:
    reason = source.choice((b"\xff\xfe", b"\xed\xa0\x80", b"\xc3"))
    return _wire("a Close frame with a reason that is no text", close(1000, reason, masked=good.masked))


# -- frames that are legal, or that only a limit forbids ------------------------------------------------------------


@_fault("huge-claim")
def _huge_claim(source: Source, good: Good) -> list[Step]:
    claimed = source.choice((1 << 24, 1 << 31, 1 << 32, (1 << 63) - 1))
    return _wire(
        f"a frame that claims {claimed} bytes", frame(good.packet, claimed=claimed, width=8, masked=good.masked)
    )


@_fault("endless-fragments")
def _endless_fragments(source: Source, good: Good) -> list[Step]:
    size = source.choice((0, 1, 1_000))
    begun = encode(RawPacket(0x30, b"\0\1a\0", remaining_length=268_435_455))
    first = _wire("the first of many fragments, a PUBLISH in it", good.frame(begun, fin=False))
    return first + _wire("fragments without end", good.frame(bytes(size), CONTINUATION, fin=False), times=500)


@_fault("empty-frames")
def _empty_frames(_source: Source, good: Good) -> list[Step]:
    return _wire("empty messages", good.frame(), times=500) + _wire("a good packet", good.frame(good.packet))


@_fault("ping-flood")
def _ping_flood(source: Source, good: Good) -> list[Step]:
    return _wire("pings, pongs unread", good.frame(source.block(100), PING), times=500)


@_fault("fragments")
def _fragments(_source: Source, good: Good) -> list[Step]:
    cut = max(1, len(good.packet) // 3)
    parts = [good.packet[:cut], good.packet[cut : 2 * cut], good.packet[2 * cut :]]
    ping = good.frame(b"between", PING)
    frames_ = [
        good.frame(part, BINARY if index == 0 else CONTINUATION, fin=index == 2) for index, part in enumerate(parts)
    ]
    return _wire("a packet in three fragments with a ping between", frames_[0] + ping + frames_[1] + frames_[2])


@_fault("close")
def _close(source: Source, good: Good) -> list[Step]:
    code = source.choice((None, 1000, 1001, 1002, 1003, 1007, 1009, 1011, 3000, 4999))
    return _wire(f"a Close frame with {code}", close(code, b"" if code is None else b"so long", masked=good.masked))


@_fault("data-behind-close")
def _data_behind_close(_source: Source, good: Good) -> list[Step]:
    return _wire("data behind a Close frame", close(1000, masked=good.masked) + good.frame(good.packet) * 3)


# -- the connection under the frames --------------------------------------------------------------------------------


@_fault("trickle")
def _trickle(_source: Source, good: Good) -> list[Step]:
    return _wire("byte by byte", good.frame(good.packet[:200]), pieces=1)


@_fault("byte-messages")
def _byte_messages(_source: Source, good: Good) -> list[Step]:
    return [Step("each byte in a message of its own", good.packet[:200], pieces=1, spoiled=True)]


@_fault("cut-in-frame")
def _cut_in_frame(source: Source, good: Good) -> list[Step]:
    whole = good.frame(good.packet)
    return _wire("cut in the middle of a frame", whole[: 1 + source.draw(len(whole) - 2)], then=_cut(source))


@_fault("cut-in-packet")
def _cut_in_packet(source: Source, good: Good) -> list[Step]:
    half = good.packet[: 1 + source.draw(max(0, len(good.packet) - 2))]
    return _wire("cut in the middle of a packet", good.frame(half), then=_cut(source))


@_fault("noise")
def _noise(source: Source, _good: Good) -> list[Step]:
    return _wire("random bytes in place of a frame", source.block(1 + source.draw(200)))


@_fault("garbled-frame")
def _garbled_frame(source: Source, good: Good) -> list[Step]:
    garbled = bytearray(good.frame(good.packet))
    for _ in range(1 + source.draw(2)):
        garbled[source.draw(min(13, len(garbled) - 1))] ^= 1 << source.draw(7)
    return _wire("a frame with bits flipped in its header", bytes(garbled))


def _cut(source: Source) -> str:
    return source.choice((END, RESET))
