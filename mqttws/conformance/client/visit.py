"""One connection of a Client under test, on which the kit is the Server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import trio

from mqttws.codec import (
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    RawPacket,
    Subscribe,
    Unsubscribe,
)
from mqttws.conformance.verdict import Failed, Inconclusive
from mqttws.conformance.wire.opening import Head
from mqttws.conformance.wire.peer import Ended, Missing, Peer
from mqttws.vocabulary import QOS

__all__ = ["SLOW", "Visit"]

_P = TypeVar("_P", bound=Packet)
#: How much longer than usual a step of a good conversation may take.
SLOW: Final = 4
#: What a Client may send whenever it likes.
_AT_WILL: Final = (Publish, Subscribe, Unsubscribe, PingReq)


class Visit(Peer):
    """Made by a probe. ``head`` is the request for a WebSocket, ``connect`` the CONNECT, if it was waited for.

    ``topic`` is one that the Client has subscribed to, else one that it has not.
    """

    head: Head
    connect: Connect
    topic = "mqttws/nobody"
    _next_id = 1_000

    def packet_id(self) -> int:
        """An identifier that the kit has not used on this connection; Clients begin at the other end."""
        self._next_id += 1
        return self._next_id

    async def expect(
        self,
        kind: type[_P],
        *,
        aside: Sequence[type[Packet]] = _AT_WILL,
        where: Callable[[_P], bool] | None = None,
        within: float | None = None,
    ) -> _P:
        """As :meth:`Peer.expect`; a Client may do many things of its own."""
        return await super().expect(kind, aside=aside, where=where, within=within)

    async def another(self, found: Packet, wanted: str) -> Failed:
        """As :meth:`Peer.another`; DISCONNECT begins the end of the connection, which is there for a Client to end."""
        if isinstance(found, Disconnect) and (ending := await self.end()) is not None:
            return Ended(wanted, ending, found)
        return await super().another(found, wanted)

    async def receive(self, wanted: str = "a packet", *, within: float | None = None) -> Packet:
        """As :meth:`Peer.receive`; a Client has longer before it is accused of owing something."""
        return await super().receive(wanted, within=SLOW * self.patience if within is None else within)

    async def anything(self, wanted: str) -> Packet | RawPacket:
        """The next packet, be it good or broken. Raises as :meth:`receive` does for none."""
        found = await self._next(trio.current_time() + self.patience)
        if found is not None:
            return found
        if self.ending is not None:
            raise Ended(wanted, self.ending, self.disconnect)
        raise Missing(f"{wanted} does not come within {self.patience:g} s")

    def message(self, payload: bytes = b"x", qos: int = 0, *, topic: str | None = None, **said: Any) -> Publish:
        """A message for the Client, on the topic that it has subscribed to, with an identifier if it needs one.

        ``said`` are properties, and ``retain`` and ``dup``.
        """
        flags = {name: said.pop(name) for name in ("retain", "dup", "packet_id") if name in said}
        if qos:
            flags.setdefault("packet_id", self.packet_id())
        properties: Any = said
        return Publish(self.topic if topic is None else topic, payload, QOS[qos], properties=properties, **flags)

    async def deliver(self, publish: Publish) -> None:
        """Send a message and finish its exchange. Raises as :meth:`finish` does."""
        await self.send(publish)
        await self.finish(publish)

    async def finish(self, publish: Publish) -> None:
        """Finish the exchange of a message that was sent.

        Raises :class:`Failed` unless the Client plays its part, :class:`Inconclusive` if PUBREC refuses the message.
        """
        packet_id = publish.packet_id
        if packet_id is None:
            return
        if publish.qos == 1:
            ack = await self.expect(PubAck)
            _same("PUBACK", ack.packet_id, packet_id)
            return
        received = await self.expect(PubRec)
        _same("PUBREC", received.packet_id, packet_id)
        if received.reason_code >= 0x80:  # the end of the exchange
            raise Inconclusive(f"it refuses a good message with 0x{received.reason_code:02X}, as it may")
        await self.send(PubRel(packet_id))
        _same("PUBCOMP", (await self.expect(PubComp)).packet_id, packet_id)

    async def accept(self, publish: Publish) -> None:
        """Play a Server's part in the exchange of a message of the Client."""
        packet_id = publish.packet_id
        if packet_id is None:
            return
        if publish.qos == 1:
            await self.send(PubAck(packet_id))
            return
        await self.send(PubRec(packet_id))
        _same("PUBREL", (await self.expect(PubRel)).packet_id, packet_id)
        await self.send(PubComp(packet_id))


def _same(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise Failed(f"{what} has identifier {found}, not {wanted}")
