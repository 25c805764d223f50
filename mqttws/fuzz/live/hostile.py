"""One connection of a Client to a Server that is good until it is not.

Without a script it stays good to the end, and sees whether the Client does its part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from mqttws.codec import (
    ConnAck,
    Connect,
    Disconnect,
    Framer,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    encode,
)
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, FrameReader, close, frame
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.live.answer_faults import ANSWER
from mqttws.fuzz.live.attack import cut, pieces_of, send_pieces
from mqttws.fuzz.live.referee import ClientReferee, Demand
from mqttws.fuzz.live.script import Layer, Moment, Script, Step
from mqttws.redaction import redact
from mqttws.topics import is_shared
from mqttws.vocabulary import QOS, ProtocolVersion, Role
from mqttws.websocket import accept_token

__all__ = ["IDLE", "Visit", "receive_visit"]

#: Seconds to get to know a Client, that is, for what it may do after CONNACK.
IDLE: Final = 0.3
#: Seconds in which a Client that owes nothing may show what it thinks.
_QUIET: Final = 0.05
#: Bytes of a request, behind which no more of it is kept.
_LARGEST_HEAD: Final = 65_536
_LONGEST_LOG: Final = 200
#: The identifier of a message by which we find out whether the Client still listens.
_PROBE_ID: Final = 64_321
_GOOD_ID: Final = 7


@dataclass(slots=True)
class Visit:
    """What has happened on one connection.

    ``version`` is None until CONNECT has come. ``offers`` are the moments at which something can be done to this
    Client. ``played`` tells whether the script has begun, ``served`` whether a good message was acknowledged (None:
    nothing was subscribed). ``closed`` says how the Client has ended it, ``""`` if we had to. The rest is as in
    :class:`~mqttws.fuzz.live.attack.Trace`.
    """

    version: int | None = None
    offers: set[Moment] = field(default_factory=set)
    played: bool = False
    served: bool | None = None
    closed: str = ""
    demand: Demand | None = None
    answered: bool = False
    nonsense: str = ""
    sent: bytearray = field(default_factory=bytearray)
    log: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Remember what happened next."""
        if len(self.log) < _LONGEST_LOG:
            self.log.append(line)


async def receive_visit(
    stream: trio.abc.Stream,
    script: Script | None,
    *,
    patience: float,
    idle: float = IDLE,
    known: Collection[Moment] = (),
) -> Visit:
    """Serve one connection to its end.

    Waits at most ``patience`` seconds for each thing that the Client owes. On a good connection SUBSCRIBE is one of
    them if it is ``known`` for that; as long as it is not, we wait ``idle`` seconds for what it may do.
    """
    visit = Visit()
    async with trio.open_nursery() as nursery:
        host = _Host(stream, script, visit, patience, 0 if Moment.SUBSCRIBE in known else idle)
        nursery.start_soon(host.listen)
        await host.perform()
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)
    return visit


class _Host:
    """A task listens and answers as a good Server would; another one waits for the moment and acts."""

    def __init__(
        self, stream: trio.abc.Stream, script: Script | None, visit: Visit, patience: float, idle: float
    ) -> None:
        self._stream = stream
        self._script = script
        self._visit = visit
        self._patience = patience
        self._idle = idle
        self._moment = None if script is None else script.moment
        self._head = bytearray()
        self._accept = b""
        self._frames = FrameReader()
        self._framer: Framer | None = Framer(sender=Role.CLIENT)
        self._connect: Connect | None = None
        self._referee: ClientReferee | None = None
        self._request: int = 1  # the identifier of the last one
        self._topic = ""
        self._acknowledged: set[int] = set()
        self._good = True  # until the moment has come
        self._changed = trio.Event()
        self._sending = trio.Lock()

    # -- what the Client says ---------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Take in whatever comes."""
        try:
            while data := await self._stream.receive_some(65_536):
                await self._take(bytes(data))
                self._change()
            how = "the end of the stream"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            how = "a reset"
        self._close(how)

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _close(self, how: str) -> None:
        self._visit.closed = self._visit.closed or how
        self._visit.note(f"< {how}")
        self._change()

    async def _take(self, data: bytes) -> None:
        if not self._accept:
            if len(self._head) < _LARGEST_HEAD:
                self._head += data
            head, end, data = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return
            self._accept = _accept_for(head)
            # the request line may hold a token
            self._visit.note(f"< {redact(head.partition(b' HTTP')[0].decode('latin-1'))[:200]}")
            await self._offer(Moment.HANDSHAKE, Step("101", ANSWER, Layer.HTTP))
        for found in self._frames.receive(data):
            if found.opcode == CLOSE:
                self._close(f"a Close frame with {found.close_code}")
            elif found.opcode == PING and self._good:
                await self._send(Step("pong", frame(found.payload, PONG, masked=False), Layer.WIRE))
            elif found.opcode in (BINARY, CONTINUATION):
                await self._take_packets(found.payload)

    async def _take_packets(self, data: bytes) -> None:
        if self._framer is None:
            return
        self._framer.receive_data(data)
        try:
            for packet in self._framer.packets():
                code = getattr(packet, "reason_code", None)
                self._visit.note(f"< {packet.packet_type.name}" + (f" 0x{code:02X}" if code is not None else ""))
                if self._referee is not None:
                    self._referee.sent(packet)
                await self._answer(packet)
        except RemoteProtocolError as error:
            self._framer = None
            if self._good:
                self._visit.nonsense = str(error)

    async def _answer(self, packet: Packet) -> None:
        """As a good Server does."""
        match packet:
            case Connect():
                self._connect = packet
                self._visit.version = int(packet.version)
                self._referee = ClientReferee(packet)
                await self._offer(Moment.CONNACK, self._packet(_welcome(packet)))
                await self._offer(Moment.OPEN, None)
            case Subscribe():
                self._request = packet.packet_id
                self._topic = _topic_for(packet.subscriptions[0].topic_filter)
                codes = [int(each.qos) for each in packet.subscriptions]
                await self._offer(Moment.SUBSCRIBE, self._packet(SubAck(packet.packet_id, codes)))
            case Unsubscribe():
                codes = [0] * len(packet.topic_filters) if self._visit.version == ProtocolVersion.V5 else []
                await self._offer(None, self._packet(UnsubAck(packet.packet_id, codes)))
            case Publish(packet_id=int() as packet_id):
                self._request = packet_id
                answer: Packet = PubAck(packet_id) if packet.qos == 1 else PubRec(packet_id)
                await self._offer(Moment.PUBLISH, self._packet(answer))
            case PubRel():
                await self._offer(None, self._packet(PubComp(packet.packet_id)))
            case PubRec():
                await self._offer(None, self._packet(PubRel(packet.packet_id)))
            case PubAck():
                self._acknowledged.add(packet.packet_id)
            case PingReq():
                await self._offer(None, self._packet(PingResp()))
            case Disconnect():
                self._close(f"DISCONNECT 0x{packet.reason_code:02X}")

    def _packet(self, packet: Packet) -> Step:
        return Step(packet.packet_type.name, encode(packet, self._visit.version or 5))

    async def _offer(self, moment: Moment | None, step: Step | None) -> None:
        """Do the good thing, or nothing if this is the moment to do something else, or that is over."""
        if moment is not None:
            self._visit.offers.add(moment)
            if self._good and moment is self._moment:
                self._good = False
                return
        if self._good and step is not None:
            await self._send(step)

    # -- what we do -------------------------------------------------------------------------------------------------

    async def perform(self) -> None:
        """Wait for the moment and play the script; without one, see to a good end."""
        if self._script is None:
            await self._be_good()
            return
        await self._until(lambda: not self._good)
        if not self._good:
            self._visit.played = True
            await self._play(self._script)

    async def _play(self, script: Script) -> None:
        visit = self._visit
        behind_handshake = script.moment is not Moment.HANDSHAKE
        for step in script.steps:
            visit.note(f"> {step.note}")
            filled = self._filled(step)  # now: the Client's next request may have another identifier
            if visit.closed or not await self._send(filled):
                break
            if self._referee is not None and behind_handshake:
                self._referee.receive(b"".join(pieces_of(filled, masked=False)))
            if step.then:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await cut(self._stream, step.then)
                await self._until(lambda: False, _QUIET)
                return
        self._find_demand(script)
        if visit.demand is not None:
            await self._probe()
        else:
            await self._until(lambda: False, _QUIET)

    def _find_demand(self, script: Script) -> None:
        stated = next((step.demand for step in script.steps if step.demand), "")
        if stated:
            self._visit.demand = Demand(stated)
        elif self._referee is not None and not any(step.debatable for step in script.steps):
            self._visit.demand = self._referee.demand

    async def _probe(self) -> None:
        """Wait for the end that is due; a Client that acknowledges one more message has passed over it."""
        connect = self._connect
        if connect is not None and self._topic and not self._visit.closed:
            probe = Publish(self._topic, b"still there?", QOS[1], packet_id=_PROBE_ID)
            await self._send(self._packet(probe))
        await self._until(lambda: _PROBE_ID in self._acknowledged)
        self._visit.answered = _PROBE_ID in self._acknowledged

    async def _be_good(self) -> None:
        """CONNECT has to come, and a message at QoS 1 has to be acknowledged if there is a subscription for it."""
        visit = self._visit
        await self._until(lambda: self._connect is not None)
        if self._connect is None:
            return
        # None of a Client that is known to subscribe, so that all our patience is waited for that
        await self._until(lambda: Moment.SUBSCRIBE in visit.offers, 2 * self._idle or None)
        if self._topic:
            await self._send(self._packet(Publish(self._topic, b"a good message", QOS[1], packet_id=_GOOD_ID)))
            await self._until(lambda: _GOOD_ID in self._acknowledged)
        if self._topic or not self._idle:
            visit.served = _GOOD_ID in self._acknowledged
        await self._until(lambda: False, self._idle)
        if not visit.closed:
            self._good = False
            await self._send(Step("goodbye", close(1001, masked=False), Layer.WIRE))
            await self._until(lambda: False, _QUIET)

    async def _until(self, done: Callable[[], bool], seconds: float | None = None) -> None:
        with trio.move_on_after(self._patience if seconds is None else seconds):
            while not done() and not self._visit.closed:
                await self._changed.wait()

    def _filled(self, step: Step) -> Step:
        """A step with its places filled in."""
        if step.layer is Layer.HTTP:
            return replace(step, data=step.data.replace(b"{accept}", self._accept))
        if step.identifier is not None:
            at = step.identifier
            data = step.data[:at] + self._request.to_bytes(2, "big") + step.data[at + 2 :]
            return replace(step, data=data, identifier=None)
        return step

    async def _send(self, step: Step) -> bool:
        pieces = pieces_of(self._filled(step), masked=False)
        self._visit.sent += b"".join(pieces)
        if not step.spoiled and step.layer is Layer.MQTT and self._referee is not None:
            self._referee.receive(b"".join(pieces))
        try:
            with trio.move_on_after(self._patience) as scope:
                async with self._sending:
                    await send_pieces(self._stream, pieces)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._close("a reset")
            return False
        return not scope.cancelled_caught


def _topic_for(topic_filter: str) -> str:
    """A Topic Name that belongs to it."""
    levels = topic_filter.split("/")
    if is_shared(topic_filter):
        levels = levels[2:]
    return "/".join("x" if level in ("+", "#") else level for level in levels)


def _accept_for(head: bytes) -> bytes:
    """What answers the key of a request."""
    key = b""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"sec-websocket-key":
            key = value.strip()
    return accept_token(key)


def _welcome(connect: Connect) -> ConnAck:
    if connect.version == ProtocolVersion.V5 and not connect.client_id:
        return ConnAck(False, 0, {"assigned_client_identifier": "mqttwsfuzzed"})
    return ConnAck()
