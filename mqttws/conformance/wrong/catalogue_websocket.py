"""Wrong Servers and Clients: the WebSocket around MQTT (chapter 6, RFC 6455)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from mqttws.codec import Checks, Framer, RawPacket, encode
from mqttws.conformance.check import Kind
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, frame
from mqttws.conformance.wire.opening import KEY
from mqttws.conformance.wrong.entry import Names, Wrong, wrong_client, wrong_server
from mqttws.conformance.wrong.tampers import swallower
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import Role
from mqttws.websocket import accept_token

__all__ = ["entries"]

_KNOWN: Final = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
#: A key that a Client uses each time.
_KEY: Final = b"YWx3YXlzIHRoZSBzYW1lIQ=="


def entries() -> Iterator[Wrong]:
    """All of them."""
    for kind in (Kind.SERVER, Kind.CLIENT):
        yield from _messages(kind)
        yield from _frames(kind)
        yield from _faults(kind)
        yield from _sending(kind)
    yield from _server_only()
    yield from _client_only()


def _wrong(
    kind: Kind, name: str, sentence: str, both: Names, *, also: Names = (), shows: bool = False, unwise: bool = False,
    **wire: Any,
) -> Wrong:  # fmt: skip
    """A Server or a Client of both versions, which breaks the same in either."""
    if kind is Kind.CLIENT:
        return wrong_client(name, sentence, v5=both, v311=both, also=also, shows=shows, unwise=unwise, **wire)
    return wrong_server(name, sentence, v5=both, v311=both, also=also, shows=shows, unwise=unwise, wire=wire)


def _by_version(kind: Kind, name: str, sentence: str, v5: Names, v311: Names, **wire: Any) -> Wrong:
    """One that shows by itself, and breaks something else in each version."""
    if kind is Kind.CLIENT:
        return wrong_client(name, sentence, v5=v5, v311=v311, also="*", **wire)
    return wrong_server(name, sentence, v5=v5, v311=v311, also="*", wire=wire)


def _messages(kind: Kind) -> Iterator[Wrong]:
    yield _wrong(kind, "takes_text_frames", "It takes Control Packets in text frames.", "MQTT-6.0.0-1",
                 frame_from_tester=_text_as_binary)  # fmt: skip
    yield _wrong(kind, "wants_whole_packets_in_frames", "It passes over frames that end inside a packet.",
                 "MQTT-6.0.0-2", also=("*",), frame_from_tester=_whole_only)  # fmt: skip
    yield _wrong(kind, "takes_first_packet_of_frame", "It takes the first packet of a frame only.", "MQTT-6.0.0-2",
                 also=("*",), frame_from_tester=_first_only)  # fmt: skip
    yield _wrong(kind, "takes_first_frame_of_message", "It takes the first frame of a message only.", "RFC 6455, 5.4",
                 also=("*",), frame_from_tester=_first_frame)  # fmt: skip


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


def _first_frame(self: Any, found: Frame) -> Frame | None:
    del self
    return None if found.opcode == CONTINUATION else replace(found, fin=True)


def _short_only(self: Any, found: Frame) -> Frame | None:
    del self
    return None if len(found.payload) > 125 else found


def _frames(kind: Kind) -> Iterator[Wrong]:
    yield _wrong(kind, "answers_no_websocket_ping", "It sends no Pong.", "RFC 6455, 5.5.2", also=("*",),
                 frame_from_tester=lambda _self, found: None if found.opcode == PING else found)  # fmt: skip
    yield _wrong(kind, "changes_pong", "Its Pong has other bytes than the Ping.", "RFC 6455, 5.5.2", also=("*",),
                 frame_from_tester=_changing(PING, payload=b"x"))  # fmt: skip
    yield _wrong(kind, "answers_no_close_frame", "It does not answer a Close frame.", "RFC 6455, 5.5.1", also=("*",),
                 frame_from_tester=lambda _self, found: None if found.opcode == CLOSE else found)  # fmt: skip


def _changing(kind: int, **fields: Any) -> Any:
    def changed(self: Any, found: Frame) -> Frame:
        del self
        return replace(found, **fields) if found.opcode == kind else found

    return changed


def _faults(kind: Kind) -> Iterator[Wrong]:
    """Subjects that take frames which break a rule; of some nobody is told to refuse them."""
    masked = kind is Kind.SERVER
    yield _wrong(kind, "takes_wrong_masks", "It does not look whether frames are masked.", "RFC 6455, 5.1",
                 frame_from_tester=lambda _self, found: replace(found, masked=masked))  # fmt: skip
    yield _wrong(kind, "takes_reserved_bits", "It passes over reserved bits and opcodes of frames.", "RFC 6455, 5.2",
                 frame_from_tester=_no_reserved)  # fmt: skip
    yield _wrong(kind, "takes_any_continuation", "It takes a continuation of nothing, and a message within another.",
                 "RFC 6455, 5.4", also=("*",), unwise=True, frame_from_tester=_any_order)  # fmt: skip
    yield _wrong(kind, "takes_bad_control_frames", "It passes over control frames that are split or too long.",
                 "RFC 6455, 5.5", unwise=True, frame_from_tester=_good_control)  # fmt: skip


def _no_reserved(self: Any, found: Frame) -> Frame | None:
    del self
    return replace(found, reserved=0) if found.opcode in _KNOWN else None


def _any_order(self: Any, found: Frame) -> Frame:
    del self
    return found if found.opcode >= CLOSE else replace(found, opcode=BINARY, fin=True)


def _good_control(self: Any, found: Frame) -> Frame | None:
    if found.opcode >= CLOSE and (not found.fin or len(found.payload) > 125):
        self.skips = not found.fin
        return None
    if getattr(self, "skips", False):
        self.skips = not found.fin
        return None
    return found


def _sending(kind: Kind) -> Iterator[Wrong]:
    yield _wrong(kind, "sends_text_frames", "It sends Control Packets in text frames.", "MQTT-6.0.0-1", also=("*",),
                 shows=True, frame_from_subject=_framed(opcode=TEXT))  # fmt: skip
    yield _wrong(kind, "masks_wrongly", "It masks as the other end has to.", "RFC 6455, 5.1", also=("*",), shows=True,
                 frame_from_subject=lambda _self, payload, masked: frame(payload, masked=not masked))  # fmt: skip
    yield _wrong(kind, "sets_reserved_bits", "It sets a reserved bit in its frames.", "RFC 6455, 5.2", also=("*",),
                 shows=True, frame_from_subject=_framed(reserved=2))  # fmt: skip
    yield _wrong(kind, "sends_long_control_frames", "It sends a Ping of more than 125 bytes.", "RFC 6455, 5.5",
                 also=("*",), shows=True, frame_from_subject=_with_long_ping)  # fmt: skip
    ping = b"\xd0" if kind is Kind.SERVER else b"\xc0"
    for name, data in (("an_unknown_packet", b"\0\0"), ("a_longer_ping", ping + b"\1x")):
        yield _by_version(kind, f"sends_{name}", "It sends a packet that breaks a rule without a number.",
                          "MQTT 5.0, 4.13.1", "MQTT 3.1.1, 4.8", from_subject=_followed_by(data))  # fmt: skip
    yield _by_version(kind, "sends_long_lengths", "It writes a Remaining Length in more bytes than it takes.",
                      "MQTT-1.5.5-1", (), from_subject=_padded)  # fmt: skip


def _framed(**fields: Any) -> Any:
    def wrapped(self: Any, payload: bytes, *, masked: bool) -> bytes:
        del self
        return frame(payload, masked=masked, **fields)

    return wrapped


def _with_long_ping(self: Any, payload: bytes, *, masked: bool) -> bytes:
    del self
    return frame(payload, masked=masked) + frame(bytes(200), PING, masked=masked)


def _followed_by(data: bytes) -> Any:
    """A bad packet behind the first good one."""

    def method(tamper: Any, packet: Any) -> Any:
        if getattr(tamper, "has_sent", False):
            return (packet,)
        tamper.has_sent = True
        return (packet, data)

    return method


def _padded(tamper: Any, packet: Any) -> Any:
    """The first packet behind CONNECT or CONNACK is longer than it need be."""
    count = tamper.__dict__["count"] = tamper.__dict__.get("count", 0) + 1
    raw = RawPacket.parse(encode(packet, tamper.version))
    if count != 2 or len(raw.body) > 0x7F:
        return (packet,)
    return (replace(raw, remaining_length=bytes((len(raw.body) | 0x80, 0))),)


def _server_only() -> Iterator[Wrong]:
    yield _wrong(Kind.SERVER, "names_no_subprotocol", "It does not say which subprotocol it has chosen.",
                 "MQTT-6.0.0-4", head=_head(b"Sec-WebSocket-Protocol: mqtt\r\n", b""))  # fmt: skip
    yield _wrong(Kind.SERVER, "names_another_subprotocol", "It chooses a subprotocol that was not offered.",
                 "MQTT-6.0.0-4", head=_head(b"mqtt\r\n", b"mqttv3.1\r\n"))  # fmt: skip
    yield _wrong(Kind.SERVER, "gives_wrong_accept", "Its Sec-WebSocket-Accept does not answer the key.",
                 "RFC 6455, 4.2.2", also=("*",), head=_head(b"-Accept: ", b"-Accept: x"))  # fmt: skip
    yield _wrong(Kind.SERVER, "takes_any_request", "It opens a WebSocket whatever it is asked for.",
                 ("RFC 6455, 4.2.1", "RFC 6455, 4.2.2", "RFC 6455, 4.4", "MQTT-6.0.0-4"), also=("*",),
                 head_from_tester=_good_request)  # fmt: skip
    yield _wrong(Kind.SERVER, "takes_bad_keys", "It does not look at the key of a request.", "RFC 6455, 4.2.1",
                 unwise=True, head_from_tester=_good_key)  # fmt: skip
    yield _wrong(Kind.SERVER, "takes_short_frames_only", "It passes over frames of more than 125 bytes.",
                 "MQTT-6.0.0-2", also=("*",), frame_from_tester=_short_only)  # fmt: skip
    yield _wrong(Kind.SERVER, "closes_with_forbidden_code", "Its Close frames have the code 1005.", "RFC 6455, 7.4.1",
                 also=("*",), control_from_subject=_changing(CLOSE, payload=b"\x03\xed"))  # fmt: skip
    anything = swallower(None)
    yield wrong_server(
        "passes_over_everything_broken", "It passes over each packet that breaks a rule by itself.",
        v5=("MQTT-4.13.1-1", "MQTT-3.1.4-1", "MQTT-2.1.3-1"), v311=("MQTT-4.8.0-1", "MQTT-2.2.2-2", "MQTT-3.1.4-1"),
        also=("*",), wire={"from_tester": anything.from_tester, "unreadable": lambda *_: True}, shows=False,
    )  # fmt: skip


def _head(old: bytes, new: bytes) -> Any:
    def head(self: Any, data: bytes) -> bytes:
        del self
        at = data.lower().find(old.lower())
        return data if at < 0 else data[:at] + new + data[at + len(old) :]

    return head


def _good_request(self: Any, head: bytes) -> bytes:
    del self, head
    return (
        b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: " + KEY.encode() + b"\r\n\r\n"
    )


def _good_key(self: Any, head: bytes) -> bytes:
    del self
    return re.sub(rb"(?i)(sec-websocket-key: )[^\r]*", rb"\g<1>" + KEY.encode(), head)


def _client_only() -> Iterator[Wrong]:
    yield _wrong(Kind.CLIENT, "ends_at_pong", "A Pong that it has not asked for ends the connection.",
                 "RFC 6455, 5.5.3", also=("*",), frame_from_tester=_changing(PONG, opcode=3))  # fmt: skip
    yield _wrong(Kind.CLIENT, "takes_short_frames_only", "It passes over frames of more than 125 bytes.",
                 "RFC 6455, 5.2", also=("*",), frame_from_tester=_short_only)  # fmt: skip
    yield _wrong(Kind.CLIENT, "offers_no_subprotocol", "It offers no subprotocol.", "MQTT-6.0.0-3", also=("*",),
                 head=_head(b"Sec-WebSocket-Protocol: mqtt\r\n", b""))  # fmt: skip
    yield _wrong(Kind.CLIENT, "offers_another_subprotocol", "It offers a subprotocol that is not MQTT's.",
                 "MQTT-6.0.0-3", also=("*",), head=_head(b"Protocol: mqtt\r\n", b"Protocol: chat\r\n"))  # fmt: skip
    yield _wrong(Kind.CLIENT, "asks_wrongly", "Its request names no version of WebSocket.", "RFC 6455, 4.1",
                 also=("*",), head=_head(b"Sec-WebSocket-Version: 13\r\n", b""))  # fmt: skip
    yield _wrong(Kind.CLIENT, "uses_one_key", "Its requests all have the same key.", "RFC 6455, 4.1", also=("*",),
                 head=_same_key, head_from_tester=_own_accept)  # fmt: skip
    yield _wrong(Kind.CLIENT, "takes_any_answer", "It takes every answer for a WebSocket.",
                 ("RFC 6455, 4.1", "MQTT-6.0.0-4"), also=("*",), unwise=True, head=_note_key,
                 head_from_tester=lambda self, _head: _answer(self.key))  # fmt: skip
    anything = swallower(None, Role.SERVER)
    for name, v5, v311, unwise in (
        ("passes_over_everything_broken", (), ("MQTT-4.8.0-1", "MQTT-2.2.2-2"), False),
        ("goes_on_behind_faults", "MQTT 5.0, 4.13.1", (), True),
    ):
        yield wrong_client(
            name, "It passes over each packet that breaks a rule by itself.", v5=v5, v311=v311, also=("*",),
            shows=False, unwise=unwise, from_tester=anything.from_tester, unreadable=lambda *_: True,
        )  # fmt: skip


def _key_in(head: bytes) -> bytes:
    found = re.search(rb"(?i)sec-websocket-key: *([^\r]*)", head)
    return found[1] if found else b""


def _note_key(self: Any, head: bytes) -> bytes:
    self.key = _key_in(head)
    return head


def _same_key(self: Any, head: bytes) -> bytes:
    self.key = _key_in(head)
    return head.replace(self.key, _KEY)


def _own_accept(self: Any, head: bytes) -> bytes:
    return head.replace(accept_token(_KEY), accept_token(self.key))


def _answer(key: bytes) -> bytes:
    """The good answer to a request with this key."""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt"
        b"\r\nSec-WebSocket-Accept: " + accept_token(key) + b"\r\n\r\n"
    )
