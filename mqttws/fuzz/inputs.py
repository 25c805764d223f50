"""Inputs for the targets from a source: right packets, packets with one known fault, and noise on both."""

from __future__ import annotations

from typing import Final

from mqttws.codec import Packet, encode
from mqttws.fuzz.grammar import packet
from mqttws.fuzz.machine import conversation
from mqttws.fuzz.mutations import spoil
from mqttws.fuzz.sources import Source
from mqttws.fuzz.targets.link import HANDSHAKE, binary_frame
from mqttws.vocabulary import Role

__all__ = ["Inputs", "scramble"]

#: How many packets are kept to be changed again and again.
_KEPT: Final = 256
_INTERESTING: Final = b"\0\x01\x02\x10\x20\x7f\x80\x81\xbf\xc0\xed\xf0\xf4\xfe\xff#+/$"
_ANSWER: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"
    b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nabc"
)


def scramble(source: Source, data: bytes) -> bytes:
    """``data`` with one to four bytes or spans changed, put in, taken out, doubled or moved."""
    changed = bytearray(data or b"\0")
    for _ in range(1 + source.draw(3)):
        at = source.draw(len(changed) - 1)
        span = 1 + source.draw(7)
        match source.draw(7):
            case 0:
                changed[at] ^= 1 << source.draw(7)
            case 1:
                changed[at] = _INTERESTING[source.draw(len(_INTERESTING) - 1)]
            case 2:
                changed[at] = source.draw(255)
            case 3:
                changed[at:at] = source.block(span)
            case 4:
                del changed[at : at + span]
            case 5:
                changed[at:at] = changed[at : at + span]
            case 6:
                changed[at] = (changed[at] + (1 if source.boolean() else 255)) % 256
            case _:
                del changed[at:]
        if not changed:
            changed.append(source.draw(255))
    return bytes(changed)


class Inputs:
    """Bytes for targets. The same source gives the same inputs in the same order."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: list[bytes] = []
        self._streams: list[bytes] = []

    def next(self, target: str) -> bytes:
        """The next input for a target, by its name."""
        if target in ("codec", "dissection"):
            return self.packet()
        role = Role.CLIENT if target.endswith("client") else Role.SERVER
        control = self._source.block(6)
        if target.startswith("link"):
            return control + self._wire(role)
        return control + self.stream(role.peer if target.startswith("connection") else None)

    def packet(self) -> bytes:
        """Bytes around one packet."""
        source = self._source
        match source.draw(19):
            case 0 | 1:
                return self._keep(self._packet(None))
            case 2 | 3 | 4:
                version = source.choice((5, 4))
                sender = source.choice((None, Role.CLIENT, Role.SERVER))
                return self._keep(spoil(source, encode(packet(source, version, sender), version), version, sender).data)
            case 5:
                return source.block(source.size(0, 60))
            case 6:
                first, second = self._kept_one(), self._kept_one()
                return first[: source.draw(len(first))] + second[source.draw(len(second)) :]
            case _:
                return scramble(source, self._kept_one())

    def stream(self, sender: Role | None) -> bytes:
        """Bytes around several packets of one end."""
        source = self._source
        match source.draw(9):
            case 0:
                return b"".join(self.packet() for _ in range(source.draw(4)))
            case 1 | 2:
                return self._conversation(sender)
            case _:
                if len(self._streams) < 8 or source.rarely(16):
                    self._conversation(sender)
                return scramble(source, source.choice(self._streams))

    def _conversation(self, sender: Role | None) -> bytes:
        """What one end says in a conversation, perhaps with another packet between."""
        source = self._source
        version = source.choice((5, 4))
        said: list[bytes] = []
        wanted = sender or source.choice((Role.CLIENT, Role.SERVER))
        for each, step in conversation(source, version, most=20):
            if each is wanted:
                said.append(encode(step, version))
        if source.boolean():
            said = said[1:]  # without CONNECT or CONNACK, for an end that is open already
        if source.boolean():
            said.insert(source.draw(len(said)), self.packet())
        stream = b"".join(said)[: 4_000 if source.rarely(8) else 500]
        self._streams.append(stream)
        del self._streams[:-_KEPT]
        return stream

    def _wire(self, role: Role) -> bytes:
        """Bytes around a handshake, frames, or what is in them, for one end."""
        source = self._source
        match source.draw(3):
            case 0:
                return scramble(source, HANDSHAKE if role is Role.SERVER else _ANSWER)
            case 1:
                payloads = [self.packet() for _ in range(1 + source.draw(2))]
                frames = b"".join(binary_frame(payload, masked=role is Role.SERVER) for payload in payloads)
                return scramble(source, frames) if source.draw(3) else frames
            case _:
                return self.stream(role.peer)

    def _packet(self, sender: Role | None) -> bytes:
        version = self._source.choice((5, 4))
        built: Packet = packet(self._source, version, sender)
        return encode(built, version)

    def _keep(self, data: bytes) -> bytes:
        if len(data) <= 2_000:
            if len(self._kept) < _KEPT:
                self._kept.append(data)
            else:
                self._kept[self._source.draw(_KEPT - 1)] = data
        return data

    def _kept_one(self) -> bytes:
        return self._source.choice(self._kept) if self._kept else self._keep(self._packet(None))
