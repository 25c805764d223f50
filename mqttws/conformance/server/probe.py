"""What a check of a Server works with: connections, unique names, and the steps that every check needs."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import trio

from mqttws.codec import (
    ConnAck,
    Connect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    Will,
)
from mqttws.conformance.check import Kind, checker
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Failed, Inconclusive
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import Head, request
from mqttws.conformance.wire.peer import Peer
from mqttws.errors import ConnectionLost
from mqttws.trace import Recorder
from mqttws.transport.tap import tap
from mqttws.vocabulary import QOS, ProtocolVersion, Role

__all__ = ["Connected", "ServerProbe", "server_check"]

#: Registers a check of Servers; it takes a :class:`ServerProbe`.
server_check = checker(Kind.SERVER)

#: Bytes of transcript that are kept of one check.
_TRANSCRIPT: Final = 256 * 1024
_ALPHABET: Final = string.ascii_lowercase + string.digits


class Connected(Peer):
    """A connection on which MQTT was agreed. ``connack`` is the Server's answer, if CONNECT was sent and answered."""

    connack: ConnAck
    _next_id = 0

    def packet_id(self) -> int:
        """An identifier that was not used on this connection."""
        self._next_id += 1
        return self._next_id


class ServerProbe:
    """One check's view of a Server, in one version of MQTT. Its connections are closed when the check is over."""

    def __init__(self, subject: ServerSubject, version: ProtocolVersion, *, check: str = "") -> None:
        self.subject = subject
        self.version = version
        #: Seconds that something owed may take.
        self.patience = subject.patience
        self._recorder = Recorder(last=_TRANSCRIPT)
        self._peers: list[Connected] = []
        self._streams: list[trio.abc.Stream] = []
        # Names repeat with the seed, whatever else goes on at the same time.
        self._random = random.Random(f"{subject.seed}/{check}")  # noqa: S311 - no secret

    @property
    def watch(self) -> Watch:
        """What was seen of the Server on all connections so far."""
        return self.subject.watch

    @property
    def is_v5(self) -> bool:
        """Whether MQTT 5.0 is spoken."""
        return self.version == ProtocolVersion.V5

    @property
    def capabilities(self) -> frozenset[str]:
        """What the Server offers in this version (:data:`~mqttws.conformance.server.subject.CAPABILITIES`)."""
        return self.subject.capabilities.get(self.version, frozenset())

    @property
    def offers(self) -> dict[str, Any]:
        """The properties of the CONNACK that it gives to a plain CONNECT."""
        return dict(self.subject.offers.get(self.version, {}))

    @property
    def limits(self) -> dict[str, Any]:
        """What its 5.0 CONNACK says of itself; it holds in 3.1.1 too, which has no words for it."""
        return dict(self.subject.offers.get(ProtocolVersion.V5, {}))

    @property
    def transcript(self) -> tuple[str, ...]:
        """What has passed on all connections of this check, as lines of a trace without secrets."""
        return tuple(self._recorder.lines)

    def name(self, length: int = 12) -> str:
        """A new name of letters and digits, behind what is to stand in front of Client Identifiers."""
        return self.subject.client_ids + "".join(self._random.choices(_ALPHABET, k=length))

    def topic(self, *levels: str) -> str:
        """A new topic, in which nothing else is published, with more levels behind it."""
        return "/".join((self.subject.topics, self.name(), *levels))

    # -- connections ------------------------------------------------------------------------------------------------

    async def stream(self, account: Account | None = None) -> trio.abc.Stream:
        """A fresh byte stream to the Server, recorded. Raises :class:`Inconclusive` if there is none."""
        target = (account or self.subject.account).target
        try:
            with trio.fail_after(max(self.patience, 5.0)):
                stream = await target.open()
        except (ConnectionLost, trio.TooSlowError) as error:
            raise Inconclusive(f"no connection: {str(error) or 'not in time'}") from None
        self._streams.append(stream)
        return tap(stream, self._recorder, Role.CLIENT, url=str(target.url))

    async def handshake(
        self, *, change: Callable[[bytes], bytes] = bytes, account: Account | None = None
    ) -> tuple[trio.abc.Stream, Head | None]:
        """Ask for a WebSocket, perhaps wrongly; the stream, and the answer if there was one."""
        stream = await self.stream(account)
        return stream, await request((account or self.subject.account).target, stream, self.patience, change=change)

    async def open(self, *, account: Account | None = None) -> Connected:
        """An open WebSocket, on which no CONNECT was sent. Raises :class:`Failed` if the Server gives none."""
        stream, head = await self.handshake(account=account)
        if head is None or head.status != 101:
            await trio.aclose_forcefully(stream)
            said = "nothing" if head is None else f"HTTP {head.status}"
            raise Failed(f"it answers a good WebSocket request by {said}")
        peer = Connected(
            stream,
            Role.CLIENT,
            self.version,
            patience=self.patience,
            watch=self.subject.watch,
            recorder=self._recorder,
            rest=head.rest,
        )
        self._peers.append(peer)
        return peer

    def connect_packet(
        self,
        client_id: str | None = None,
        *,
        clean_start: bool = True,
        keep_alive: int = 60,
        will: Will | None = None,
        account: Account | None = None,
        **properties: Any,
    ) -> Connect:
        """A CONNECT of this version that gets in. ``properties`` count in 5.0 only; None leaves one out.

        In 3.1.1 a ``session_expiry_interval`` above 0 does without CleanSession: it is how long a Session may last.
        """
        who = account or self.subject.account
        said = {name: value for name, value in ({**self.subject.properties, **properties}).items() if value is not None}
        if not self.is_v5:
            clean_start = clean_start and not said.get("session_expiry_interval")
            said = {}
        return Connect(
            self.version,
            self.name() if client_id is None else client_id,
            clean_start,
            keep_alive,
            who.username,
            who.password,
            will,
            said,  # type: ignore[arg-type]
        )

    async def connect(
        self,
        client_id: str | None = None,
        *,
        clean_start: bool = True,
        keep_alive: int = 60,
        will: Will | None = None,
        account: Account | None = None,
        **properties: Any,
    ) -> Connected:
        """Connect as :meth:`connect_packet` says. Raises :class:`Failed` unless the Server accepts."""
        peer = await self.open(account=account)
        await peer.send(
            self.connect_packet(
                client_id, clean_start=clean_start, keep_alive=keep_alive, will=will, account=account, **properties
            )
        )
        peer.connack = await peer.expect(ConnAck)
        if peer.connack.reason_code:
            raise Failed(f"it refuses a good CONNECT with 0x{peer.connack.reason_code:02X}")
        return peer

    # -- steps that many checks need ----------------------------------------------------------------------------------

    async def subscribe(self, peer: Connected, topic_filter: str, qos: int = 1, **options: Any) -> SubAck:
        """Subscribe to one filter. ``options`` are those of the subscription, ``identifier`` its identifier.

        Raises :class:`Failed` unless it is granted, at whatever QoS.
        """
        identifier = options.pop("identifier", None)
        said: Any = {} if identifier is None else {"subscription_identifier": identifier}
        packet_id = peer.packet_id()
        await peer.send(Subscribe(packet_id, [Subscription(topic_filter, QOS[qos], **options)], said))
        suback = await peer.expect(SubAck)
        if suback.packet_id != packet_id:
            raise Failed(f"SUBACK has identifier {suback.packet_id}, not {packet_id}")
        if suback.reason_codes[0] >= 0x80:
            raise Failed(f"it refuses a good SUBSCRIBE with 0x{suback.reason_codes[0]:02X}")
        return suback

    async def publish(
        self, peer: Connected, topic: str, payload: bytes = b"x", qos: int = 1, *, retain: bool = False, **said: Any
    ) -> None:
        """Publish one message and finish its exchange. ``said`` are properties. Raises :class:`Failed` if refused."""
        packet_id = peer.packet_id() if qos else None
        properties: Any = said
        await peer.send(Publish(topic, payload, QOS[qos], retain, packet_id=packet_id, properties=properties))
        answer: Packet
        if qos == 1:
            answer = await peer.expect(PubAck, where=lambda found: found.packet_id == packet_id)
        elif qos == 2:
            answer = await peer.expect(PubRec, where=lambda found: found.packet_id == packet_id)
        else:
            return
        if answer.reason_code >= 0x80:
            raise Failed(f"it refuses a good PUBLISH with 0x{answer.reason_code:02X}")
        if qos == 2:
            assert packet_id is not None
            await peer.send(PubRel(packet_id))
            await peer.expect(PubComp, where=lambda found: found.packet_id == packet_id)

    async def message(self, peer: Connected, topic: str | None = None, *, acknowledge: bool = True) -> Publish:
        """The next PUBLISH that the Server sends, on this topic; its exchange is finished, unless told otherwise.

        Looks at what came aside first. Messages on other topics stay aside. Raises :class:`Failed` if none comes.
        """
        for index, packet in enumerate(peer.aside):
            if isinstance(packet, Publish) and topic in (None, packet.topic):
                del peer.aside[index]
                found = packet
                break
        else:
            found = await peer.expect(Publish, where=lambda packet: topic in (None, packet.topic))
        if acknowledge:
            await self.acknowledge(peer, found)
        return found

    async def acknowledge(self, peer: Connected, publish: Publish) -> None:
        """Finish the exchange of a message of the Server."""
        if publish.packet_id is None:
            return
        if publish.qos == 1:
            await peer.send(PubAck(publish.packet_id))
            return
        await peer.send(PubRec(publish.packet_id))
        await peer.expect(PubRel, where=lambda found: found.packet_id == publish.packet_id)
        await peer.send(PubComp(publish.packet_id))

    async def fresh_message(self, peer: Connected, topic: str, publisher: Connected, qos: int = 1) -> list[Packet]:
        """Publish a message by ``publisher`` and take it at ``peer``: a fence for what went the same way before.

        Gives the packets that came before it. Raises :class:`Failed` if it does not arrive.
        """
        payload = self.name().encode()
        await self.publish(publisher, topic, payload, qos)
        before: list[Packet] = []
        while True:
            found = await self.message(peer, topic)
            if found.payload == payload:
                return before
            before.append(found)

    async def close(self) -> None:
        """Say goodbye on each connection that is still open, and leave none."""
        try:
            async with trio.open_nursery() as nursery:
                for peer in self._peers:
                    nursery.start_soon(_leave, peer)
        finally:
            for stream in self._streams:
                await trio.aclose_forcefully(stream)


async def _leave(peer: Connected) -> None:
    with suppress(Inconclusive):
        if peer.ending is None:
            await peer.send_frame(b"\xe0\x00")
        await peer.close()
