"""The QoS 1 and QoS 2 exchanges (4.3) and their ledgers of Packet Identifiers, one for each direction.

The two ends number independently, so an identifier alone says nothing: :class:`Outgoing` holds the exchanges that we
began (SUBSCRIBE and UNSUBSCRIBE among them), :class:`Incoming` those that the peer began. Both know packets and
changes only; what goes on the wire when is the connection's business.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from mqttws.codec import Publish
from mqttws.codec.properties import AckProperties
from mqttws.errors import LocalProtocolError
from mqttws.session.store import (
    Change,
    IncomingEnded,
    IncomingStored,
    OutgoingEnded,
    OutgoingReleased,
    OutgoingStored,
    SessionState,
)
from mqttws.vocabulary import PacketType, QoS

__all__ = ["AWAITED", "Incoming", "IncomingExchange", "Outgoing", "OutgoingExchange"]

_P = PacketType

#: What an exchange that we began waits for, and what it waits for after that has come; None: it has ended. A PUBREC
#: with a Reason Code of 0x80 or above ends the exchange whatever the table says (5.0: 4.3.3).
AWAITED: dict[PacketType, dict[PacketType, PacketType | None]] = {
    _P.PUBACK: {_P.PUBACK: None},
    _P.PUBREC: {_P.PUBREC: _P.PUBCOMP},
    _P.PUBCOMP: {_P.PUBREC: _P.PUBCOMP, _P.PUBCOMP: None},
    _P.SUBACK: {_P.SUBACK: None},
    _P.UNSUBACK: {_P.UNSUBACK: None},
}


@dataclass(slots=True)
class OutgoingExchange:
    """One identifier of ours: what it waits for, the message, and how many filters a SUBSCRIBE had.

    ``reason_code`` and ``properties`` are what PUBACK or PUBREC has said of the message.
    """

    awaits: PacketType
    publish: Publish | None = None
    filters: int = 0
    reason_code: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict)


class Outgoing:
    """Exchanges that we began, by Packet Identifier, in the order in which they go out again after a reconnect."""

    __slots__ = ("_exchanges", "_last_id", "_record", "_resend", "_unfinished")

    def __init__(self, state: SessionState, record: Callable[[Change], None]) -> None:
        self._exchanges: dict[int, OutgoingExchange] = {
            packet_id: OutgoingExchange(
                _P.PUBCOMP if released else _P.PUBACK if publish.qos == QoS.AT_LEAST_ONCE else _P.PUBREC, publish
            )
            for packet_id, (publish, released) in state.outgoing.items()
        }
        self._record = record
        self._last_id = 0
        #: What waits to be sent again, oldest first; a deque could not say quickly whether an identifier is among them.
        self._resend: OrderedDict[int, None] = OrderedDict()
        self._unfinished = len(self._exchanges)

    def __len__(self) -> int:
        """How many messages are under way; SUBSCRIBE and UNSUBSCRIBE do not count."""
        return self._unfinished

    @property
    def sent(self) -> int:
        """How many of them were sent on this connection, and so count against the peer's Receive Maximum."""
        return self._unfinished - len(self._resend)

    def new_id(self, wanted: int | None = None) -> int:
        """A Packet Identifier that is not in use [MQTT-2.2.1-3, -4; 3.1.1: MQTT-2.3.1-2, -4]."""
        if wanted is not None:
            if wanted in self._exchanges:
                raise LocalProtocolError(f"packet identifier {wanted} is in use", statement="MQTT-2.2.1-3")
            return wanted
        if len(self._exchanges) >= 65_535:
            raise LocalProtocolError("all 65,535 packet identifiers are in use", statement="MQTT-2.2.1-3")
        packet_id = self._last_id
        while True:
            packet_id = packet_id % 65_535 + 1
            if packet_id not in self._exchanges:
                return packet_id

    def begin(self, packet_id: int, awaits: PacketType, publish: Publish | None = None, filters: int = 0) -> None:
        """Take an identifier from :meth:`new_id` into use."""
        self._last_id = packet_id
        self._exchanges[packet_id] = OutgoingExchange(awaits, publish, filters)
        if publish is not None:
            self._unfinished += 1
            self._record(OutgoingStored(publish))

    def get(self, packet_id: int) -> OutgoingExchange | None:
        """The exchange that uses an identifier."""
        return self._exchanges.get(packet_id)

    def release(self, packet_id: int) -> None:
        """PUBREC has come: PUBREL is next, in the order of the PUBRECs [MQTT-4.6.0-4]."""
        exchange = self._exchanges.pop(packet_id)
        self._exchanges[packet_id] = exchange
        if exchange.awaits is not _P.PUBCOMP:
            exchange.awaits = _P.PUBCOMP
            self._record(OutgoingReleased(packet_id))

    def end(self, packet_id: int) -> None:
        """The identifier is free again."""
        if self._exchanges.pop(packet_id).publish is not None:
            self._unfinished -= 1
            self._record(OutgoingEnded(packet_id))

    def resume(self) -> list[int]:
        """A new connection resumes the Session: identifiers that wait for PUBCOMP, to be sent PUBREL at once.

        The PUBLISH packets wait in :meth:`next_resend`, in their original order [MQTT-4.6.0-1]. SUBSCRIBE and
        UNSUBSCRIBE do not survive a connection.
        """
        self.forget_requests()
        released = [packet_id for packet_id, item in self._exchanges.items() if item.awaits is _P.PUBCOMP]
        self._resend = OrderedDict.fromkeys(
            packet_id for packet_id, item in self._exchanges.items() if item.awaits is not _P.PUBCOMP
        )
        return released

    @property
    def resending(self) -> bool:
        """Whether exchanges of a resumed Session still wait to be sent again."""
        return bool(self._resend)

    def waits_for_resend(self, packet_id: int) -> bool:
        """Whether a message has not been sent on this connection yet."""
        return packet_id in self._resend

    def next_resend(self) -> Publish:
        """The next message to send again; from now on it counts as sent."""
        publish = self._exchanges[self._resend.popitem(last=False)[0]].publish
        assert publish is not None  # requests were forgotten in resume()
        return publish

    def forget_requests(self) -> None:
        """Free the identifiers of SUBSCRIBE and UNSUBSCRIBE, which no Session keeps."""
        self._exchanges = {key: item for key, item in self._exchanges.items() if item.publish is not None}

    def clear(self) -> tuple[Publish, ...]:
        """Forget everything and say which messages were under way."""
        lost = tuple(item.publish for item in self._exchanges.values() if item.publish is not None)
        self._exchanges.clear()
        self._resend.clear()
        self._unfinished = 0
        return lost


class _Step(IntEnum):
    """What an exchange that the peer began waits for."""

    CONSUMER = 0
    """The owner has not acknowledged the message."""
    TURN = 1
    """Acknowledged; the acknowledgements of earlier messages go first."""
    PUBREL = 2
    """PUBREC has gone out."""
    NOTHING = 3
    """The exchange has ended."""


@dataclass(slots=True, eq=False)
class IncomingExchange:
    """One identifier of the peer's. ``current`` is False until a resumed connection has seen the PUBLISH again."""

    packet_id: int
    qos: QoS
    publish: Publish | None
    step: _Step = _Step.CONSUMER
    reason_code: int = 0
    properties: AckProperties | None = None
    current: bool = True
    queued: bool = True

    @property
    def is_taken_over(self) -> bool:
        """Whether this is a QoS 2 message that was consumed: it must not be delivered again before its PUBREL."""
        return self.qos == QoS.EXACTLY_ONCE and self.step in (_Step.TURN, _Step.PUBREL) and self.reason_code < 0x80


class Incoming:
    """Exchanges that the peer began, and the order in which their acknowledgements leave."""

    __slots__ = ("_current", "_exchanges", "_order", "_record")

    def __init__(self, state: SessionState, record: Callable[[Change], None]) -> None:
        self._exchanges: dict[int, IncomingExchange] = {
            packet_id: IncomingExchange(packet_id, QoS.EXACTLY_ONCE, None, _Step.PUBREL, current=False, queued=False)
            for packet_id in state.incoming
        }
        self._record = record
        #: No deque without need: an empty one takes 760 bytes, and most connections are idle.
        self._order: deque[IncomingExchange] | tuple[()] = ()
        self._current = 0

    def __len__(self) -> int:
        """How many identifiers of the peer's are in use on this connection, to be held against our Receive Maximum."""
        return self._current

    @property
    def remembered(self) -> int:
        """How many identifiers are known, those of earlier connections included."""
        return len(self._exchanges)

    def receive(self, publish: Publish) -> bool:
        """Take in a QoS 1 or 2 PUBLISH; True when it is a new message for the owner.

        A message that still waits for its consumer, or a QoS 2 message before its PUBREL, is not delivered again
        [MQTT-4.3.3-10]. Raises :class:`LocalProtocolError`, for the receiving side to turn round, where the peer uses
        an identifier for a second message while the first is open.
        """
        packet_id = publish.packet_id
        assert packet_id is not None  # the codec lets no QoS 1 or 2 PUBLISH without identifier pass
        known = self._exchanges.get(packet_id)
        if known is not None:
            if self._is_repeated(known, publish):
                self._again(known)
                return False
            if known.current:
                raise LocalProtocolError(
                    f"PUBLISH with packet identifier {packet_id}, which is in use", statement="MQTT-2.2.1-3"
                )
            # An identifier of before the reconnect, given up by the peer and used for something new.
            self._end(known)
        exchange = IncomingExchange(packet_id, publish.qos, publish)
        self._exchanges[packet_id] = exchange
        self._enqueue(exchange)
        self._current += 1
        return True

    @staticmethod
    def _is_repeated(known: IncomingExchange, publish: Publish) -> bool:
        if known.qos != publish.qos:
            return False
        return publish.dup or publish.qos == QoS.EXACTLY_ONCE

    def _again(self, known: IncomingExchange) -> None:
        """A PUBLISH that we know already: its answer comes (again) in the order of this arrival, once."""
        if not known.current:
            known.current = True
            self._current += 1
        elif known.step is not _Step.PUBREL:
            return
        if not known.queued:
            known.queued = True
            self._enqueue(known)

    def _enqueue(self, exchange: IncomingExchange) -> None:
        self._order = self._order or deque()
        self._order.append(exchange)

    def acknowledge(self, publish: Publish, reason_code: int, properties: AckProperties | None) -> None:
        """The owner has consumed a message; one of a lost Session, or acknowledged before, is passed over.

        At QoS 2 that is recorded at once and not when PUBREC leaves: the PUBRECs of earlier messages may hold it up, or
        the connection may be gone, and the message would be delivered a second time.
        """
        exchange = self._exchanges.get(publish.packet_id or 0)
        if exchange is not None and exchange.publish is publish and exchange.step is _Step.CONSUMER:
            exchange.step = _Step.TURN
            exchange.reason_code = reason_code
            exchange.properties = properties
            if exchange.is_taken_over:
                self._record(IncomingStored(exchange.packet_id))

    def due(self) -> IncomingExchange | None:
        """The next exchange whose PUBACK or PUBREC may leave now, moved on as if it had; None when none may."""
        while self._order and self._order[0].step is not _Step.CONSUMER:
            exchange = self._order.popleft()
            exchange.queued = False
            if exchange.step is _Step.TURN:
                exchange.publish = None
                if exchange.is_taken_over:
                    exchange.step = _Step.PUBREL
                else:
                    self._end(exchange)
                return exchange
            if exchange.step is _Step.PUBREL:
                return exchange
        return None

    def release(self, packet_id: int) -> bool:
        """PUBREL has come: whether its identifier was known. It is free now, and PUBCOMP is due [MQTT-4.3.3-11]."""
        exchange = self._exchanges.get(packet_id)
        if exchange is None:
            return False
        if exchange.step is not _Step.PUBREL:
            raise LocalProtocolError(f"PUBREL for packet identifier {packet_id} before its PUBREC")
        self._end(exchange)
        return True

    def _end(self, exchange: IncomingExchange) -> None:
        del self._exchanges[exchange.packet_id]
        if exchange.is_taken_over:
            self._record(IncomingEnded(exchange.packet_id))
        exchange.step = _Step.NOTHING
        if exchange.current:
            self._current -= 1

    def resume(self) -> None:
        """A new connection: nothing has been seen on it yet."""
        self._order = ()
        self._current = 0
        for exchange in self._exchanges.values():
            exchange.current = exchange.queued = False

    def clear(self) -> None:
        """Forget everything; acknowledgements of what was delivered before are passed over from now on."""
        self._exchanges.clear()
        self._order = ()
        self._current = 0
