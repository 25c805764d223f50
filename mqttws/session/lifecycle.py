"""From CONNECT to DISCONNECT: how a connection is opened, authenticated, refused and ended, for either role."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mqttws.codec import Auth, ConnAck, Connect, Disconnect, Framer, Packet, PingReq, PingResp
from mqttws.errors import (
    ConnectRefused,
    LocalProtocolError,
    MqttError,
    ProtocolError,
    RemoteProtocolError,
    ServerDisconnected,
    name_of,
)
from mqttws.session.authentication import Authentication
from mqttws.session.events import Closed, Event, SessionResumed, SessionStarted
from mqttws.session.exchanges import Exchanges
from mqttws.session.keepalive import KeepAlive
from mqttws.session.limits import LARGEST_PACKET, Limits
from mqttws.session.outbox import Outbox
from mqttws.session.session import Session
from mqttws.session.states import TRANSITIONS, State, StateTable
from mqttws.session.writer import PacketWriter
from mqttws.vocabulary import REASON_CODES, ConnectReturnCode, PacketType, ProtocolVersion, ReasonCode, Role

__all__ = ["RECEIVERS", "SENDERS", "Lifecycle"]

_P = PacketType

#: What 3.1.1 can say about a CONNECT that could not be read (3.1.1: 3.2.2.3); anything else just closes.
_RETURN_CODES: dict[int, ConnectReturnCode] = {
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: ConnectReturnCode.UNACCEPTABLE_PROTOCOL_VERSION,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: ConnectReturnCode.IDENTIFIER_REJECTED,
}


class Lifecycle:
    """What CONNECT, CONNACK, AUTH, DISCONNECT and the pings mean; the lower half of a connection.

    Senders are called with packets that the state table lets our role send, receivers with those it lets the peer send.
    """

    def __init__(
        self,
        role: Role,
        version: int | None = None,
        *,
        session: Session | None = None,
        maximum_packet_size: int = LARGEST_PACKET,
        connect_timeout: float = 10.0,
        ping_timeout: float | None = None,
        topic_aliases: bool = False,
    ) -> None:
        self.role = role
        self.version: ProtocolVersion | None = None if version is None else ProtocolVersion(version)
        self.connect: Connect | None = None
        self.connack: ConnAck | None = None
        self.client_id = ""
        self.keep_alive = 0
        self.session_expiry_interval = 0
        self.closed = False
        self._now = 0.0
        self._ended_by: MqttError | None = None  # the wire's end, while CONNECT waits for its answer
        self._holds_session = session is not None
        self._session = session if session is not None else Session()
        self._maximum_packet_size = maximum_packet_size
        self._connect_timeout = connect_timeout
        self._connect_by = math.inf
        self._ping_timeout = ping_timeout
        self._keep_alive: KeepAlive | None = None
        self._events: list[Event] = []
        self._states = StateTable()
        self._authentication = Authentication()
        self._gives_aliases = topic_aliases
        self._outbox = Outbox(self._session.journal)
        self._writer = PacketWriter(role, self._outbox)
        self._own = Limits()
        self._exchanges: Exchanges | None = None
        # A Server learns the version from CONNECT, a Client knows it when it has sent one.
        first = None if role is Role.SERVER else ProtocolVersion.V5
        self._framer = Framer(first, sender=role.peer, maximum_packet_size=maximum_packet_size)

    # -- what we send ---------------------------------------------------------------------------------------------

    def _send_connect(self, packet: Connect) -> Connect:
        if self.version is not None and packet.version != self.version:
            raise LocalProtocolError(f"CONNECT for version {packet.version} on a connection of version {self.version}")
        version = ProtocolVersion(packet.version)
        self._writer.version = version
        self._writer.queue(packet)
        self._greet(packet, version)
        self._own = Limits.announced_in(packet)
        self._framer.maximum_packet_size = min(self._own.maximum_packet_size, self._maximum_packet_size)
        self._framer.version = version
        self._connect_by = self._now + self._connect_timeout
        return packet

    def _greet(self, packet: Connect, version: ProtocolVersion) -> None:
        """CONNECT has passed, in whichever direction: what it settles."""
        self.version = self._writer.version = version
        self.connect = packet
        self.client_id = packet.client_id
        self.keep_alive = packet.keep_alive
        if version is ProtocolVersion.V5:
            self.session_expiry_interval = packet.properties.get("session_expiry_interval", 0)
        else:
            # A 3.1.1 Session without CleanSession has no end of its own [3.1.1: MQTT-3.1.2-4].
            self.session_expiry_interval = 0 if packet.clean_start else 0xFFFF_FFFF
        self._states.advance(Role.CLIENT, _P.CONNECT)
        self._states.greeted(version, packet.properties.get("authentication_method"))

    def _send_connack(self, packet: ConnAck) -> ConnAck:
        assert self.connect is not None  # the state table lets no CONNACK pass before CONNECT
        if packet.session_present and self.connect.clean_start:
            raise LocalProtocolError("Session Present 1 after Clean Start 1", statement="MQTT-3.2.2-2")
        if packet.reason_code == 0:
            self._check_method(packet)
            self._authentication.check_accepted()
            if self.version is ProtocolVersion.V5 and not self.client_id:
                assigned = packet.properties.get("assigned_client_identifier")
                if not assigned:
                    raise LocalProtocolError(
                        "CONNACK without Assigned Client Identifier for a Client that gave none",
                        statement="MQTT-3.2.2-16",
                    )
        self._writer.queue(packet)
        if packet.reason_code != 0:
            self.connack = packet
            self._end(None)
            return packet
        self._own = Limits.announced_in(packet)
        if self.version is ProtocolVersion.V5:
            self._framer.maximum_packet_size = min(self._own.maximum_packet_size, self._maximum_packet_size)
        self._open(packet)
        if self._exchanges is not None and packet.session_present:
            self._exchanges.resume()
        else:
            self._session.begin()
        return packet

    def _open(self, packet: ConnAck) -> None:
        """CONNACK with a code of 0 has passed, in whichever direction: what it settles."""
        self._states.advance(Role.SERVER, _P.CONNACK)
        self._authentication.accepted()
        self.connack = packet
        said = packet.properties
        self.client_id = said.get("assigned_client_identifier", self.client_id)
        self.keep_alive = said.get("server_keep_alive", self.keep_alive)
        self.session_expiry_interval = said.get("session_expiry_interval", self.session_expiry_interval)
        self._keep_alive = KeepAlive(self.role, self.keep_alive, self._now, self._ping_timeout)
        self._exchanges = Exchanges(
            self._session, self._writer, self._own, self._events, gives_aliases=self._gives_aliases
        )

    def _ping(self, packet: PingReq) -> PingReq:
        """Send PINGREQ; from now on PINGRESP is awaited."""
        try:
            self._writer.answer(packet)
        except RemoteProtocolError as error:
            self._fail(error)
        if self._keep_alive is not None:
            self._keep_alive.pinged(self._now)
        return packet

    def _send_auth(self, packet: Auth) -> Auth:
        self._check_code(packet, "MQTT-3.15.2-1")
        self._check_method(packet)
        self._authentication.check(self.role, packet.reason_code)
        self._writer.queue(packet)
        self._authentication.advance(self.role, packet.reason_code)
        return packet

    def _send_disconnect(self, packet: Disconnect) -> Disconnect:
        self._check_code(packet, "MQTT-3.14.2-1")
        self._check_expiry(packet)
        self._writer.queue(packet)
        self.session_expiry_interval = packet.properties.get("session_expiry_interval", self.session_expiry_interval)
        self._end(None)
        return packet

    def _check_code(self, packet: Auth | Disconnect, statement: str) -> None:
        """Some Reason Codes are for one role only, which encoding cannot see."""
        if packet.reason_code not in REASON_CODES[packet.packet_type][self.role]:
            raise LocalProtocolError(
                f"{packet.packet_type.name} with {name_of(packet.reason_code)} from the {self.role.name.title()}",
                statement=statement,
                version=self.version,
            )

    def _check_method(self, packet: Auth | ConnAck) -> None:
        """The Authentication Method of the CONNECT stands in every AUTH and in the CONNACK [MQTT-4.12.0-5, -6]."""
        method = packet.properties.get("authentication_method")
        if method != self._states.authentication_method:
            raise LocalProtocolError(
                f"{packet.packet_type.name} with another Authentication Method than CONNECT",
                statement="MQTT-4.12.0-6" if self._states.authentication_method is None else "MQTT-4.12.0-5",
                version=self.version,
            )

    def _check_expiry(self, packet: Disconnect) -> None:
        """A Session that was to end with the connection cannot be prolonged by DISCONNECT (5.0: 3.14.2.2.2)."""
        said = self.connect.properties if self.connect is not None else {}
        if packet.properties.get("session_expiry_interval") and not said.get("session_expiry_interval"):
            raise LocalProtocolError(
                "DISCONNECT sets a Session Expiry Interval, but that of CONNECT was 0", version=self.version
            )

    # -- what the peer sends --------------------------------------------------------------------------------------

    def _on_connect(self, packet: Connect) -> None:
        self._greet(packet, ProtocolVersion(packet.version))
        self._writer.limits = Limits.announced_in(packet)
        self._writer.terse = packet.properties.get("request_problem_information", 1) == 0
        self._events.append(packet)

    def _on_connack(self, packet: ConnAck) -> None:
        assert self.connect is not None  # the state table lets no CONNACK pass before CONNECT
        assert self.version is not None
        self.connack = packet
        if packet.reason_code != 0:
            self._events.append(packet)
            self._end(ConnectRefused(packet.reason_code, packet.properties, version=self.version))
            return
        self._check_method(packet)
        self._authentication.check_accepted()
        if packet.session_present and self.connect.clean_start:
            raise RemoteProtocolError("Session Present 1 after Clean Start 1", statement="MQTT-3.2.2-2")
        if packet.session_present and not self._holds_session:
            raise RemoteProtocolError("Session Present 1 for a Client that holds no Session", statement="MQTT-3.2.2-4")
        self._writer.limits = Limits.announced_in(packet)
        self._open(packet)
        assert self._exchanges is not None
        self._events.append(packet)
        if packet.session_present:
            self._events.append(SessionResumed(self._exchanges.resume()))
        else:
            self._events.append(SessionStarted(self._session.begin()))

    def _on_pingreq(self, packet: PingReq) -> None:
        self._writer.answer(PingResp())
        self._events.append(packet)

    def _on_pingresp(self, packet: PingResp) -> None:
        assert self._keep_alive is not None
        self._keep_alive.answered()
        self._events.append(packet)

    def _on_auth(self, packet: Auth) -> None:
        self._check_method(packet)
        self._authentication.check(self.role.peer, packet.reason_code)
        self._authentication.advance(self.role.peer, packet.reason_code)
        self._events.append(packet)

    def _on_disconnect(self, packet: Disconnect) -> None:
        self._check_expiry(packet)
        self.session_expiry_interval = packet.properties.get("session_expiry_interval", self.session_expiry_interval)
        self._events.append(packet)
        self._end(None if self.role is Role.SERVER else ServerDisconnected(packet.reason_code, packet.properties))

    # -- ending ---------------------------------------------------------------------------------------------------

    def _fail(self, error: ProtocolError) -> None:
        """The peer has broken a rule: say so where MQTT has words for it, and end."""
        if not isinstance(error, RemoteProtocolError):
            # A rule that both ends share was written for our own caller; here the peer broke it.
            error = RemoteProtocolError(
                error.message, reason_code=error.reason_code, statement=error.statement, version=self.version
            )
        level = error.version if self.connect is None else None
        self._farewell(error.reason_code, {"reason_string": str(error)}, level)
        self._end(error)

    def _farewell(self, reason_code: int, properties: dict[str, Any], level: int | None = None) -> None:
        """Queue DISCONNECT, or the CONNACK that refuses, where version, role and state know one.

        ``level`` is the Protocol Level of a CONNECT that could not be read.
        """
        state = self._states.states[self.role]
        if state is State.SILENT and level is not None:
            self._refuse_level(reason_code, properties, level)
        elif state is State.ANSWERING and self.version is ProtocolVersion.V5:
            refusal = reason_code or ReasonCode.UNSPECIFIED_ERROR  # 0 would be a welcome
            self._queue_farewell(ConnAck, _P.CONNACK, refusal, properties)
        elif _P.DISCONNECT in TRANSITIONS[self.role].get(state, ()):
            if self.version is ProtocolVersion.V5:
                self._queue_farewell(Disconnect, _P.DISCONNECT, reason_code, properties)
            elif self.role is Role.CLIENT and reason_code == 0:
                self._writer.queue(Disconnect())

    def _refuse_level(self, reason_code: int, properties: dict[str, Any], level: int) -> None:
        """The CONNACK for a CONNECT that could not be accepted as it was written (3.1.4)."""
        self._writer.version = ProtocolVersion.V5 if level >= ProtocolVersion.V5 else ProtocolVersion.V3_1_1
        if level >= ProtocolVersion.V5:
            self._queue_farewell(ConnAck, _P.CONNACK, reason_code, properties)
        elif (code := _RETURN_CODES.get(reason_code)) is not None:
            self._writer.queue(ConnAck(False, code))

    def _queue_farewell(
        self, packet: Callable[..., Packet], kind: PacketType, reason_code: int, properties: dict[str, Any]
    ) -> None:
        code = reason_code if reason_code in REASON_CODES[kind][self.role] else ReasonCode.UNSPECIFIED_ERROR
        arguments = (False, code, properties) if kind is _P.CONNACK else (code, properties)
        # A peer whose Maximum Packet Size leaves no room for a farewell gets none.
        with suppress(RemoteProtocolError):
            self._writer.answer(packet(*arguments))

    def _end(self, error: MqttError | None) -> None:
        self.closed = True
        self._states.close()
        self._session.outgoing.forget_requests()
        self._events.append(Closed(error))


#: What to call with a packet of the peer's.
RECEIVERS: dict[PacketType, Callable[[Lifecycle, Any], None]] = {
    _P.CONNECT: Lifecycle._on_connect,
    _P.CONNACK: Lifecycle._on_connack,
    _P.PINGREQ: Lifecycle._on_pingreq,
    _P.PINGRESP: Lifecycle._on_pingresp,
    _P.DISCONNECT: Lifecycle._on_disconnect,
    _P.AUTH: Lifecycle._on_auth,
}

#: What to call with a packet of ours.
SENDERS: dict[PacketType, Callable[[Lifecycle, Any], Packet]] = {
    _P.CONNECT: Lifecycle._send_connect,
    _P.CONNACK: Lifecycle._send_connack,
    _P.PINGREQ: Lifecycle._ping,
    _P.DISCONNECT: Lifecycle._send_disconnect,
    _P.AUTH: Lifecycle._send_auth,
}
