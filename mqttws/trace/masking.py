"""Secrets in a wire's bytes covered with ``*``, byte for byte, so that what is left has the same length and form.

Covered are tokens in a request's target, credentials in HTTP headers, passwords and authentication data, user
properties whose name tells a secret, and whatever looks like a token (:func:`mqttws.redaction.redact`) elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias
from urllib.parse import unquote

from mqttws.codec import dissect
from mqttws.notes import Note
from mqttws.redaction import is_secret_name, secrets_in
from mqttws.trace.splitting import Splitter
from mqttws.trace.units import Kind, Unit
from mqttws.vocabulary import PacketType
from mqttws.websocket import mask

__all__ = ["Masker"]

#: Begin and end of a secret in a unit's data.
_Range: TypeAlias = tuple[int, int]

_COVER: Final = b"*"
#: Packets that may hold a secret without telling by a name; their first byte without the flags.
_CONFIDENTIAL: Final = frozenset((PacketType.CONNECT, PacketType.CONNACK, PacketType.AUTH))
#: Up to where such a packet tells nothing: the fixed header, and of CONNECT name, level, flags and Keep Alive.
_HARMLESS: Final = {PacketType.CONNECT: 12}
#: What a packet with a secret in it has somewhere; few others do. Reading those that do costs a hundred times as much.
#: In small letters and one by one: a pattern that ignores case takes 50 times as long.
_SUSPICIOUS: Final = (
    b"token", b"passw", b"secret", b"authorization", b"cookie", b"credential", b"access", b"api", b"bearer", b"eyj",
    b"ws://", b"wss://",
)  # fmt: skip
_PARAMETER: Final = re.compile(r"[?&]([^=&\s#]+)=([^&\s#]*)")
_PAYLOADS: Final = frozenset(("payload", "will.payload"))


class Masker:
    """One direction of a wire. :meth:`feed` gives out bytes as soon as it is certain what of them is a secret.

    With ``payloads=False`` those of application messages are covered, too.
    """

    def __init__(self, *, payloads: bool = True) -> None:
        self.splitter = Splitter()
        self.units: list[Unit] = []
        self._payloads = payloads
        self._raw = bytearray()  # from self._base on
        self._base = 0

    def feed(self, data: bytes) -> bytes:
        """Take in bytes, and give out those that are judged; ``units`` are what these have completed."""
        self._raw += data
        self.units = self.splitter.feed(data)
        return self._release(self.splitter.settled)

    def end(self) -> bytes:
        """All that is left."""
        self.units = self.splitter.end()
        return self._release(self.splitter.offset)

    def _release(self, settled: int) -> bytes:
        suspicious = _is_suspicious(b"".join([unit.data for unit in self.units]))
        for unit in self.units:
            if suspicious or unit.kind is not Kind.PACKET or self._is_judged(unit.first >> 4):
                for start, stop in self._secrets(unit):
                    self._cover(unit, start, stop)
        size = max(0, settled - self._base)
        released = bytes(self._raw[:size])
        del self._raw[:size]
        self._base += size
        return released

    def _cover(self, unit: Unit, start: int, stop: int) -> None:
        """Write stars over ``unit.data[start:stop]``, as they are on the wire."""
        position = 0
        for span in unit.spans:
            begin, end = max(start, position), min(stop, position + span.size)
            if begin < end:
                turn = (begin - position) % 4
                stars = _COVER * (end - begin)
                place = span.start + begin - position - self._base
                self._raw[place : place + len(stars)] = (
                    mask(span.key[turn:] + span.key[:turn], stars) if span.key else stars
                )
            position += span.size

    def _secrets(self, unit: Unit) -> Iterator[_Range]:
        match unit.kind:
            case Kind.HEAD:
                return _in_head(unit.data)
            case Kind.PACKET if unit.finished:
                return self._in_packet(unit)
            case Kind.PACKET | Kind.PART:
                return self._in_part(unit)
            case Kind.TEXT if not self._payloads:
                return iter([(0, len(unit.data))])  # of another protocol, and nothing but payload to us
            case _:
                return secrets_in(unit.data.decode("latin-1"))

    def _is_judged(self, kind: int) -> bool:
        """Whether packets of a kind are read, whatever is in them."""
        return kind in _CONFIDENTIAL or (kind == PacketType.PUBLISH and not self._payloads)

    def _in_packet(self, unit: Unit) -> Iterator[_Range]:
        kind = unit.first >> 4
        if self._is_judged(kind) or _is_suspicious(unit.data):
            for section in dissect(unit.data, unit.version):
                for note in section.notes:
                    if note.secret:
                        yield note.offset + len(note.data), note.offset + note.size
                    elif self._is_covered(note, confidential=kind in _CONFIDENTIAL):
                        yield note.offset, note.offset + note.size

    def _is_covered(self, note: Note, *, confidential: bool) -> bool:
        """What is covered whole: payloads if asked for, and what cannot be read where it may be a password."""
        if note.field in _PAYLOADS:
            return not self._payloads
        return confidential and note.value is None and not note.mask and note.offset > 0

    def _in_part(self, unit: Unit) -> Iterator[_Range]:
        """Of a packet that is cut off, or too long to be read as a whole."""
        kind = unit.first >> 4
        if self._is_judged(kind):
            begins = unit.data[0] == unit.first and unit.kind is Kind.PACKET
            yield (_HARMLESS.get(PacketType(kind), 2) if begins else 0), len(unit.data)
        else:
            yield from secrets_in(unit.data.decode("latin-1"))


def _is_suspicious(data: bytes) -> bool:
    small = data.lower()
    return any(word in small for word in _SUSPICIOUS)


def _in_head(data: bytes) -> Iterator[_Range]:
    """Secrets in the lines of a head, the line ends left as they are."""
    position, is_secret = 0, False
    for number, line in enumerate(data.splitlines(keepends=True)):
        text = line.decode("latin-1")
        name, colon, _ = text.partition(":")
        if number == 0:
            for match in _PARAMETER.finditer(text):
                if is_secret_name(unquote(match[1])):
                    yield position + match.start(2), position + match.end(2)
        elif colon or text[0] not in " \t":  # a line that begins with a space goes on with the header before it
            is_secret = is_secret_name(name)
        if is_secret:
            begin = len(name) + len(colon) if colon else 0
            rest = text[begin:]
            yield position + begin + len(rest) - len(rest.lstrip()), position + begin + len(rest.rstrip())
        else:
            for start, stop in secrets_in(text):
                yield position + start, position + stop
        position += len(line)
