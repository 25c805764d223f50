"""Between a tester and a correct subject: takes apart WebSocket and MQTT, and does one thing wrong.

Both directions pass as they come where a fault does not touch them. Where it does, packets are taken out of their
frames, leniently, and what the fault makes of them goes on in frames of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import trio

from mqttws.codec import Checks, Framer, Packet, RawPacket, decode, encode
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, Frame, FrameReader, frame
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["Item", "Proxy", "Tamper"]

#: A packet on its way, one that breaks a rule by itself, or bytes that take its place.
Item: TypeAlias = Packet | RawPacket | bytes


class Tamper:
    """What is done to one connection; this one does nothing. Each method gives what goes on in the place of what came.

    A direction is only taken apart if its method is overridden. ``version`` is that of the CONNECT, once it is known.
    """

    version: ProtocolVersion = ProtocolVersion.V5

    def __init__(self) -> None:
        #: What the tester is sent at once, past the subject.
        self.replies: list[Item] = []
        #: What the subject is sent, past the tester.
        self.echoes: list[Item] = []
        #: What all connections of one subject know.
        self.shared: dict[Any, Any] = {}
        #: Whether the tester's connection is to be ended.
        self.cuts = False

    def head(self, head: bytes) -> bytes:
        """The subject's HTTP head."""
        return head

    def head_from_tester(self, head: bytes) -> bytes:
        """The tester's."""
        return head

    def from_subject(self, packet: Item) -> Iterable[Item]:
        """What the subject sends."""
        return (packet,)

    def from_tester(self, packet: Item) -> Iterable[Item]:
        """What the tester sends."""
        return (packet,)

    def unreadable(self, error: RemoteProtocolError) -> bool:
        """The tester's bytes have no frame any more; whether they are forgotten, else they go on as they are."""
        del error
        return False

    def frame_from_subject(self, payload: bytes, *, masked: bool) -> bytes:
        """The frame, or frames, around packets of the subject."""
        return frame(payload, masked=masked)

    def frame_from_tester(self, found: Frame) -> Frame | None:
        """A frame of the tester, before its packets are looked at; None if it never came."""
        return found

    def control_from_subject(self, found: Frame) -> Frame | None:
        """A Close, Ping or Pong of the subject; None if it never came."""
        return found

    def hides_end(self) -> bool:
        """Whether the tester is not told that the subject has ended the connection."""
        return False

    def touches(self, method: str) -> bool:
        """Whether this fault has something to do there."""
        return getattr(type(self), method) is not getattr(Tamper, method)


class _Direction:
    """One direction of a connection, taken apart."""

    def __init__(self, tamper: Tamper, sender: Role, *, of_subject: bool) -> None:
        self._tamper = tamper
        self._sender = sender
        self._of_subject = of_subject
        self._frames = FrameReader()
        self._framer = Framer(None if sender is Role.CLIENT else ProtocolVersion.V5, sender=sender)
        self._held = b""
        self._in_message = False
        self._is_lost = False

    def take(self, data: bytes) -> bytes:
        """Bytes that came; those that go on."""
        return b"".join(map(self._frame, self._frames.receive(data)))

    def _frame(self, found: Frame) -> bytes:
        if not self._of_subject:
            changed = self._tamper.frame_from_tester(found)
            if changed is None:
                return b""
            found = changed
        elif found.opcode >= CLOSE:
            shown = self._tamper.control_from_subject(found)
            if shown is None:
                return b""
            found = shown
        is_good = not found.reserved and found.masked is (self._sender is Role.CLIENT)
        carries = found.opcode == (CONTINUATION if self._in_message else BINARY)
        if found.opcode < CLOSE:
            self._in_message = not found.fin
        if self._is_lost or not (is_good and carries):
            return frame(found.payload, found.opcode, fin=found.fin, reserved=found.reserved, masked=found.masked)
        payload = self._packets(found.payload)
        if not payload:
            return b""
        if self._of_subject:
            return self._tamper.frame_from_subject(payload, masked=found.masked)
        return frame(payload, masked=found.masked)

    def _packets(self, data: bytes) -> bytes:
        """What becomes of the packets that these bytes complete; what is not changed goes on as it came."""
        tamper, framer = self._tamper, self._framer
        change: Callable[[Item], Iterable[Item]] = tamper.from_subject if self._of_subject else tamper.from_tester
        if self._sender is Role.SERVER:
            framer.version = tamper.version
        self._held += data
        framer.receive_data(data)
        out: list[bytes] = []
        try:
            for raw in framer.packets(Checks.RAW):
                if self._sender is Role.CLIENT and framer.version is not None:
                    tamper.version = framer.version
                came = encode(raw)
                self._held = self._held[len(came) :]
                packet = decode(came, tamper.version, sender=self._sender, checks=Checks.LENIENT)
                out += (came if item is packet else _bytes(item, tamper.version) for item in change(packet))
        except RemoteProtocolError as error:
            if not self._of_subject and tamper.unreadable(error):
                self._framer = Framer(tamper.version, sender=self._sender)
            else:
                self._is_lost = True
                out.append(self._held)
            self._held = b""
        return b"".join(out)


def _bytes(item: Item, version: ProtocolVersion) -> bytes:
    return item if isinstance(item, bytes) else encode(item, version)


class Proxy:
    """One connection. ``role`` is that of the subject; the streams lead to tester and subject."""

    def __init__(self, tamper: Tamper, role: Role, tester: trio.abc.Stream, subject: trio.abc.Stream) -> None:
        self._tamper = tamper
        self._role = role
        self._tester = tester
        self._subject = subject
        self._sending = {id(tester): trio.Lock(), id(subject): trio.Lock()}
        self._is_over = False

    async def run(self) -> None:
        """Pass on until both ends have gone."""
        tamper, role = self._tamper, self._role
        touches = tamper.touches
        taken = {
            True: any(map(touches, ("from_subject", "frame_from_subject", "control_from_subject"))),
            False: any(map(touches, ("from_tester", "frame_from_tester", "unreadable"))),
        }
        # the version stands in the Client's CONNECT
        client_is_subject = role is Role.CLIENT
        taken[client_is_subject] = taken[client_is_subject] or taken[not client_is_subject]
        async with trio.open_nursery() as nursery:
            for of_subject in (True, False):
                sender = role if of_subject else role.peer
                apart = _Direction(tamper, sender, of_subject=of_subject) if taken[of_subject] else None
                nursery.start_soon(self._pass_on, apart, of_subject)

    async def _pass_on(self, apart: _Direction | None, of_subject: bool) -> None:
        source, sink = (self._subject, self._tester) if of_subject else (self._tester, self._subject)
        head: bytearray | None = bytearray()
        try:
            while data := bytes(await source.receive_some(65_536)):
                if head is not None:
                    head += data
                    first, end, data = bytes(head).partition(b"\r\n\r\n")
                    if not end:
                        continue
                    head = None
                    change = self._tamper.head if of_subject else self._tamper.head_from_tester
                    await self._send(sink, change(first + end))
                if apart is not None:
                    data = apart.take(data)
                if data:
                    await self._send(sink, data)
                await self._answer()
                if self._tamper.cuts:
                    await trio.aclose_forcefully(self._tester)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        if of_subject and self._tamper.hides_end():
            return
        await trio.aclose_forcefully(sink)

    async def _answer(self) -> None:
        """Send either end what is not from the other."""
        tamper = self._tamper
        for items, stream, role in (
            (tamper.replies, self._tester, self._role),
            (tamper.echoes, self._subject, self._role.peer),
        ):
            if items:
                payload = b"".join(_bytes(item, tamper.version) for item in items)
                items.clear()
                await self._send(stream, frame(payload, masked=role is Role.CLIENT))

    async def _send(self, stream: trio.abc.Stream, data: bytes) -> None:
        """Both directions may want to at once, with what a fault answers by itself."""
        async with self._sending[id(stream)]:
            await stream.send_all(data)
