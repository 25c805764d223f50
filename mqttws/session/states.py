"""Who may send which Control Packet when: one table for both roles.

The table does not know which role we play. What we want to send and what the peer has sent meet the same rows, so
"may I?" and "may they?" cannot drift apart. A state is named after what that end may do next.
"""

from __future__ import annotations

from enum import IntEnum

from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import PacketType, ProtocolVersion, Role

__all__ = ["TRANSITIONS", "TRIGGERED", "State", "StateTable"]

_P = PacketType


class State(IntEnum):
    """What one end of a connection may do next."""

    GREETING = 0
    """The Client may send CONNECT and nothing else [MQTT-3.1.0-1]."""
    EAGER = 1
    """The Client has sent CONNECT and need not wait for CONNACK (3.1.4)."""
    AUTHENTICATING = 2
    """The Client named an Authentication Method: AUTH and DISCONNECT only until CONNACK [MQTT-3.1.2-30]."""
    SILENT = 3
    """The Server waits for CONNECT."""
    ANSWERING = 4
    """The Server owes a CONNACK and may send AUTH before it [MQTT-3.2.0-1]."""
    OPEN = 5
    """CONNACK with a code of 0 was sent."""
    CLOSED = 6
    """Nothing may be sent any more."""


_EXCHANGES = dict.fromkeys((_P.PUBLISH, _P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP))
_FROM_CLIENT = (*_EXCHANGES, _P.SUBSCRIBE, _P.UNSUBSCRIBE, _P.PINGREQ)
_FROM_SERVER = (*_EXCHANGES, _P.SUBACK, _P.UNSUBACK, _P.PINGRESP)

TRANSITIONS: dict[Role, dict[State, dict[PacketType, State]]] = {
    Role.CLIENT: {
        State.GREETING: {_P.CONNECT: State.EAGER},
        State.EAGER: dict.fromkeys(_FROM_CLIENT, State.EAGER) | {_P.DISCONNECT: State.CLOSED},
        State.AUTHENTICATING: {_P.AUTH: State.AUTHENTICATING, _P.DISCONNECT: State.CLOSED},
        State.OPEN: dict.fromkeys((*_FROM_CLIENT, _P.AUTH), State.OPEN) | {_P.DISCONNECT: State.CLOSED},
        State.CLOSED: {},
    },
    Role.SERVER: {
        State.SILENT: {},
        State.ANSWERING: {_P.CONNACK: State.OPEN, _P.AUTH: State.ANSWERING},
        State.OPEN: dict.fromkeys((*_FROM_SERVER, _P.AUTH), State.OPEN) | {_P.DISCONNECT: State.CLOSED},
        State.CLOSED: {},
    },
}

#: One end's packet moves the other end too.
TRIGGERED: dict[tuple[Role, PacketType], State] = {
    (Role.CLIENT, _P.CONNECT): State.ANSWERING,
    (Role.SERVER, _P.CONNACK): State.OPEN,
    (Role.CLIENT, _P.DISCONNECT): State.CLOSED,
    (Role.SERVER, _P.DISCONNECT): State.CLOSED,
}

#: Packets that the version and the CONNECT may forbid where the state allows them.
_CONDITIONAL = frozenset((_P.AUTH, _P.DISCONNECT))

#: The numbered statement a packet breaks by coming in that state, in 5.0 and in 3.1.1; most have no number.
_STATEMENTS: dict[tuple[Role, State, PacketType], tuple[str | None, str | None]] = {
    (Role.CLIENT, State.EAGER, _P.CONNECT): ("MQTT-3.1.0-2", "MQTT-3.1.0-2"),
    (Role.CLIENT, State.AUTHENTICATING, _P.CONNECT): ("MQTT-3.1.0-2", None),
    (Role.CLIENT, State.OPEN, _P.CONNECT): ("MQTT-3.1.0-2", "MQTT-3.1.0-2"),
    (Role.SERVER, State.OPEN, _P.CONNACK): ("MQTT-3.2.0-2", None),
    (Role.SERVER, State.ANSWERING, _P.DISCONNECT): ("MQTT-3.14.0-1", None),
}
_BY_STATE: dict[State, tuple[str | None, str | None]] = {
    State.GREETING: ("MQTT-3.1.0-1", "MQTT-3.1.0-1"),
    State.AUTHENTICATING: ("MQTT-3.1.2-30", None),
    State.ANSWERING: ("MQTT-3.2.0-1", "MQTT-3.2.0-1"),
    State.CLOSED: ("MQTT-3.14.4-1", "MQTT-3.14.4-2"),
}


class StateTable:
    """The states of both ends of one connection."""

    __slots__ = ("authentication_method", "states", "version")

    def __init__(self) -> None:
        self.states = {Role.CLIENT: State.GREETING, Role.SERVER: State.SILENT}
        self.version: ProtocolVersion | None = None
        self.authentication_method: str | None = None

    def check(self, sender: Role, packet: PacketType) -> None:
        """Raise :class:`LocalProtocolError` unless ``sender`` may send ``packet`` now. Changes nothing."""
        state = self.states[sender]
        if packet not in TRANSITIONS[sender][state]:
            key = (sender, state, packet)
            by_version = _STATEMENTS.get(key) or _BY_STATE.get(state, (None, None))
            raise self._error(f"{packet.name} from the {sender.name.title()} while {state.name}", by_version)
        if packet not in _CONDITIONAL:
            return
        if packet is _P.AUTH and self.authentication_method is None:
            statement = "MQTT-4.12.0-7" if sender is Role.CLIENT else "MQTT-4.12.0-6"
            raise self._error("AUTH on a connection whose CONNECT named no Authentication Method", (statement, None))
        if packet is _P.DISCONNECT and sender is Role.SERVER and self.version is ProtocolVersion.V3_1_1:
            raise self._error("DISCONNECT from the Server, which 3.1.1 does not know", (None, None))

    def advance(self, sender: Role, packet: PacketType) -> None:
        """Move both ends after a packet that :meth:`check` let pass."""
        self.states[sender] = TRANSITIONS[sender][self.states[sender]][packet]
        triggered = TRIGGERED.get((sender, packet))
        if triggered is not None:
            self.states[sender.peer] = triggered

    def greeted(self, version: ProtocolVersion, authentication_method: str | None) -> None:
        """Take over from a CONNECT what later rows depend on."""
        self.version = version
        self.authentication_method = authentication_method
        if authentication_method is not None:
            self.states[Role.CLIENT] = State.AUTHENTICATING

    def close(self) -> None:
        """Nobody may send anything any more."""
        self.states[Role.CLIENT] = self.states[Role.SERVER] = State.CLOSED

    def _error(self, message: str, by_version: tuple[str | None, str | None]) -> LocalProtocolError:
        statement = by_version[self.version is ProtocolVersion.V3_1_1]
        return LocalProtocolError(message, version=self.version, statement=statement)
