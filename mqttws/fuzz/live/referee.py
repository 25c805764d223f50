"""What the standards ask of a peer that has been sent these bytes: read by our own core, in the peer's place.

The referee is lenient where a rule is only ours: limits that the peer has not announced are none, and a subprotocol
that is missing is the Client's business.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from mqttws.codec import ConnAck, Connect, Packet, PingReq, PubAck, Publish, PubRec, Subscribe, Unsubscribe
from mqttws.codec.dispatch import read_header
from mqttws.conformance.wire.frames import FrameReader
from mqttws.errors import LocalProtocolError, MalformedPacket, RemoteProtocolError, name_of
from mqttws.session import Closed, Connection, Session
from mqttws.session.limits import LARGEST_PACKET
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from mqttws.websocket import BadRequest, Event, Failed, PeerClosed, Piece, Upgrade, WebSocket

__all__ = ["ClientReferee", "Demand", "ServerReferee"]

#: Bytes of one message; no rule of ours is to end one.
_ANY_SIZE: Final = 1 << 62
#: Statuses of an HTTP answer that say the request was wrong, and not that it was more than we take.
_WRONG: Final = (400, 405, 426, 501, 505)
#: What depends on how fast the peer has answered, which the bytes alone do not tell, or has an answer of its own.
_OTHERWISE: Final = (
    ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
    ReasonCode.QUOTA_EXCEEDED,
    ReasonCode.PACKET_IDENTIFIER_IN_USE,
)
_ANNOUNCED: Final = (
    "receive_maximum",
    "maximum_packet_size",
    "topic_alias_maximum",
    "maximum_qos",
    "retain_available",
    "wildcard_subscription_available",
    "subscription_identifier_available",
    "shared_subscription_available",
)


@dataclass(frozen=True, slots=True)
class Demand:
    """The peer has to close the connection, by this rule. ``rule`` is its number or its place, if it has one.

    Not ``firm`` is what 4.13.1 of 5.0 says of a Client: it should close, where a Server must.
    """

    message: str
    rule: str = ""
    firm: bool = True

    def __str__(self) -> str:
        return f"{self.message} [{self.rule}]" if self.rule else self.message


class _Referee(ABC):
    """Reads what one end sends, in place of the other.

    Only what is whole is judged, packets, frames and messages alike: a receiver may wait for the rest of one before it
    looks at it. ``demand`` is set once it has to close, ``ended`` when the connection is over for another reason.
    """

    def __init__(self, websocket: WebSocket, connection: Connection) -> None:
        self.demand: Demand | None = None
        self.ended = False
        self._websocket = websocket
        self._connection = connection
        self._frames = FrameReader()
        self._packets = bytearray()  # of an unfinished packet

    @property
    def over(self) -> bool:
        """Whether nothing that is sent from here on has a meaning."""
        return self.demand is not None or self.ended

    def receive(self, data: bytes) -> None:
        """Read on."""
        if not self.over:
            self._frames.receive(self._behind_head(data))
            self._websocket.receive_data(data)
            self._take(self._websocket.events())

    def _behind_head(self, data: bytes) -> bytes:
        """Where the frames begin."""
        return data

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            if self.over:
                return
            match event:
                case bytes():
                    self._read(event)
                case Piece(data=bytes() as data):
                    self._read(data)
                case Failed():
                    self.ended = True
                    if event.code != 1009 and not self._frames.in_frame:
                        self.demand = Demand(event.message, f"RFC 6455, {event.section}")
                case PeerClosed():
                    self.demand = Demand("a Close frame is answered", "RFC 6455, 5.5.1")
                case _:
                    self._handshake(event)

    @property
    def _is_firm(self) -> bool:
        return self._connection.role is Role.SERVER or self._connection.version == ProtocolVersion.V3_1_1

    @abstractmethod
    def _handshake(self, event: Event) -> None:
        """What concerns the opening."""

    def _read(self, data: bytes) -> None:
        self._packets += data
        buffer, start = bytes(self._packets), 0
        while start < len(buffer) and not self.over:
            try:
                header = read_header(buffer, start)
            except MalformedPacket:
                stop = len(buffer)  # no length at all: nobody can wait for the rest
            else:
                stop = len(buffer) + 1 if header is None else sum(header)
            if stop > len(buffer):
                break
            self._connection.receive_data(buffer[start:stop], 0.0)
            self._drain()
            start = stop
        del self._packets[:start]

    def _drain(self) -> None:
        while events := self._connection.events():
            for event in events:
                self._judge(event)
        self._connection.data_to_send(0.0)

    def _judge(self, event: Any) -> None:
        if isinstance(event, Closed):
            self.ended = True
            error = event.error
            whole = not self._frames.in_message
            if isinstance(error, RemoteProtocolError) and error.reason_code not in _OTHERWISE and whole:
                self.demand = Demand(error.message, error.statement or "", self._is_firm)
        else:
            self._answer(event)

    @abstractmethod
    def _answer(self, event: Any) -> None:
        """What the peer's packet asks of its receiver."""


class ServerReferee(_Referee):
    """A Server that answers nothing. ``connack`` is what the real one has said; its limits are then ours.

    ``pings`` counts the PINGREQ that it has to answer.
    """

    def __init__(self, connack: ConnAck | None = None) -> None:
        websocket = WebSocket.server(maximum_message_size=_ANY_SIZE)
        super().__init__(
            websocket, Connection(Role.SERVER, maximum_packet_size=LARGEST_PACKET, connect_timeout=math.inf)
        )
        self.pings = 0
        self._connack = connack
        self._head: bytes | None = b""

    @property
    def version(self) -> int | None:
        """What CONNECT has said, once there was a good one."""
        return self._connection.version

    def _behind_head(self, data: bytes) -> bytes:
        if self._head is None:
            return data
        self._head += data
        _, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        self._head = None
        return rest

    def _handshake(self, event: Event) -> None:
        if isinstance(event, Upgrade):
            self._websocket.accept(("mqtt",))
            self._take(self._websocket.events())
        elif isinstance(event, BadRequest):
            self.ended = True
            if event.status in _WRONG:
                self.demand = Demand(event.message, "RFC 6455, 4.2.1")

    def _answer(self, event: Any) -> None:
        match event:
            case Connect():
                self._welcome(event)
            case Publish():
                self._connection.acknowledge(event)
            case PingReq():
                self.pings += 1

    def _welcome(self, connect: Connect) -> None:
        """CONNACK as the real Server has sent it, as far as it matters to what comes next."""
        said = self._connack or ConnAck()
        if said.reason_code:
            number = "MQTT-3.2.2-7" if connect.version == ProtocolVersion.V5 else "MQTT-3.2.2-5"
            refused = name_of(said.reason_code, connect.version)
            self.demand = Demand(f"behind a CONNACK that refuses ({refused}) the Server closes", number)
            return
        properties: Any = {}
        if connect.version == ProtocolVersion.V5:
            properties = {name: value for name, value in said.properties.items() if name in _ANNOUNCED}
            if not connect.client_id:
                properties["assigned_client_identifier"] = "x"
            if "authentication_method" in connect.properties:
                properties["authentication_method"] = connect.properties["authentication_method"]
        self._connection.attach(Session())
        with suppress(LocalProtocolError):  # an exchange of AUTH is under way, and no CONNACK due
            self._connection.send(ConnAck(False, 0, properties), 0.0)


class ClientReferee(_Referee):
    """A Client that has sent what the real one has sent: :meth:`sent`, and is judged by what it is sent."""

    def __init__(self, connect: Connect) -> None:
        websocket = WebSocket.client(host="x", target="/", subprotocols=("mqtt",), maximum_message_size=_ANY_SIZE)
        session = None if connect.clean_start else Session()
        connection = Connection(
            Role.CLIENT, session=session, maximum_packet_size=LARGEST_PACKET, connect_timeout=math.inf
        )
        super().__init__(websocket, connection)
        server = WebSocket.server()
        server.receive_data(websocket.data_to_send())
        server.accept(("mqtt",))
        websocket.receive_data(server.data_to_send())
        websocket.events()
        self._unacknowledged: dict[int, Publish] = {}
        self.sent(connect)

    def sent(self, packet: Packet) -> None:
        """The real Client has sent this."""
        if self.over:
            return
        if isinstance(packet, PubAck | PubRec):
            publish = self._unacknowledged.pop(packet.packet_id, None)
            if publish is not None:
                self._connection.acknowledge(publish)
        elif isinstance(packet, Connect | Subscribe | Unsubscribe | Publish | PingReq):
            with suppress(LocalProtocolError):  # what it may not do is not judged here
                self._connection.send(packet, 0.0)
        self._drain()

    def _handshake(self, event: Event) -> None:
        """That is behind it."""

    def _answer(self, event: Any) -> None:
        if isinstance(event, Publish) and event.packet_id is not None:
            self._unacknowledged[event.packet_id] = event
