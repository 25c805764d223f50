"""Wrong Servers: the WebSocket around MQTT (chapter 6, RFC 6455)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import Checks, Framer, encode
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, frame
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.tampers import emitter, swallower
from mqttws.errors import RemoteProtocolError

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _taking()
    yield from _sending()
    yield from _handshake()


def _taking() -> Iterator[Wrong]:
    yield wrong_server(
        "takes_text_frames", "It takes Control Packets in text frames.",
        v5="MQTT-6.0.0-1", v311="MQTT-6.0.0-1", shows=False,
        wire={"frame_from_tester": _text_as_binary},
    )  # fmt: skip
    yield wrong_server(
        "wants_whole_packets_in_frames", "It passes over frames that end inside a packet.",
        v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2", wire={"frame_from_tester": _whole_only}, shows=False,
    )  # fmt: skip
    yield wrong_server(
        "takes_first_packet_of_frame", "It takes the first packet of a frame only.",
        v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2", also=("*",), wire={"frame_from_tester": _first_only}, shows=False,
    )  # fmt: skip
    yield wrong_server(
        "takes_unmasked_frames", "It takes frames of a Client that are not masked.",
        v5="RFC 6455, 5.1", v311="RFC 6455, 5.1", shows=False,
        wire={"frame_from_tester": lambda _self, found: replace(found, masked=True)},
    )  # fmt: skip
    yield wrong_server(
        "answers_no_websocket_ping", "It sends no Pong.",
        v5="RFC 6455, 5.5.2", v311="RFC 6455, 5.5.2", shows=False,
        wire={"frame_from_tester": lambda _self, found: None if found.opcode == PING else found},
    )  # fmt: skip
    yield wrong_server(
        "answers_no_close_frame", "It does not answer a Close frame.",
        v5="RFC 6455, 5.5.1", v311="RFC 6455, 5.5.1", shows=False,
        wire={"frame_from_tester": lambda _self, found: None if found.opcode == CLOSE else found},
    )  # fmt: skip
    yield wrong_server(
        "takes_reserved_bits", "It passes over reserved bits and opcodes of frames.",
        v5="RFC 6455, 5.2", v311="RFC 6455, 5.2", shows=False,
        wire={"frame_from_tester": lambda _self, found: replace(found, reserved=0) if found.opcode in _KNOWN else None},
    )  # fmt: skip
    anything = swallower(None)
    yield wrong_server(
        "passes_over_everything_broken", "It passes over each packet that breaks a rule by itself.",
        v5=("MQTT-4.13.1-1", "MQTT-3.1.4-1", "MQTT-2.1.3-1"), v311=("MQTT-4.8.0-1", "MQTT-2.2.2-2", "MQTT-3.1.4-1"),
        also=("*",), wire={"from_tester": anything.from_tester, "unreadable": lambda *_: True}, shows=False,
    )  # fmt: skip


_KNOWN = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PING + 1)


def _text_as_binary(self: Any, found: Frame) -> Frame:
    del self
    return replace(found, opcode=BINARY) if found.opcode == TEXT else found


def _packets(found: Frame, most: int | None = None) -> tuple[bytes, bytes]:
    """The whole packets of a frame, and what is left."""
    framer = Framer(5)
    data, taken = found.payload, b""
    framer.receive_data(data)
    try:
        for index, raw in enumerate(framer.packets(Checks.RAW)):
            if most is not None and index >= most:
                break
            taken += encode(raw)
    except RemoteProtocolError:
        return data, b""
    return taken, data[len(taken) :]


def _whole_only(self: Any, found: Frame) -> Frame | None:
    del self
    if found.opcode != BINARY or not found.fin:
        return found
    return None if _packets(found)[1] else found


def _first_only(self: Any, found: Frame) -> Frame | None:
    del self
    if found.opcode != BINARY or not found.fin:
        return found
    taken, _ = _packets(found, 1)
    return replace(found, payload=taken or found.payload)


def _sending() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_text_frames", "It sends Control Packets in text frames.",
        v5="MQTT-6.0.0-1", v311="MQTT-6.0.0-1",
        wire={"frame_from_subject": lambda _self, payload, masked: frame(payload, TEXT, masked=masked)},
    )  # fmt: skip
    yield wrong_server(
        "masks_frames", "It masks its frames.",
        v5="RFC 6455, 5.1", v311="RFC 6455, 5.1",
        wire={"frame_from_subject": lambda _self, payload, masked: frame(payload, masked=not masked)},
    )  # fmt: skip
    yield wrong_server(
        "sets_reserved_bits", "It sets a reserved bit in its frames.",
        v5="RFC 6455, 5.2", v311="RFC 6455, 5.2",
        wire={"frame_from_subject": lambda _self, payload, masked: frame(payload, reserved=2, masked=masked)},
    )  # fmt: skip
    yield wrong_server(
        "sends_long_control_frames", "It sends a Ping of more than 125 bytes.",
        v5="RFC 6455, 5.5", v311="RFC 6455, 5.5",
        wire={"frame_from_subject": _with_long_ping},
    )  # fmt: skip
    padded = emitter(b"\xd0\x80\x00")
    yield wrong_server(
        "sends_long_lengths", "It writes a Remaining Length of 0 in two bytes.",
        v5="MQTT-1.5.5-1", wire={"from_subject": padded.from_subject, "_done": False},
    )  # fmt: skip


def _with_long_ping(self: Any, payload: bytes, *, masked: bool) -> bytes:
    del self
    return frame(bytes(200), PING, masked=masked) + frame(payload, masked=masked)


def _handshake() -> Iterator[Wrong]:
    yield wrong_server(
        "names_no_subprotocol", "It does not say which subprotocol it has chosen.",
        v5="MQTT-6.0.0-4", v311="MQTT-6.0.0-4", wire={"head": _head(b"Sec-WebSocket-Protocol: mqtt\r\n", b"")},
    )  # fmt: skip
    yield wrong_server(
        "names_another_subprotocol", "It chooses a subprotocol that was not offered.",
        v5="MQTT-6.0.0-4", v311="MQTT-6.0.0-4", wire={"head": _head(b"mqtt\r\n", b"mqttv3.1\r\n")},
    )  # fmt: skip


def _head(old: bytes, new: bytes) -> Any:
    def head(self: Any, data: bytes) -> bytes:
        del self
        at = data.lower().find(old.lower())
        return data if at < 0 else data[:at] + new + data[at + len(old) :]

    return head
