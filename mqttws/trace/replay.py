"""A recorded direction once more, into the codec or into a whole connection: what it is and how it ends.

A connection only makes sense of one direction if its own end does what it did then. So the other direction's packets
are done again at their times: sent, acknowledged, or left to the connection where it answers by itself. What cannot be
done again is told, and the replay goes on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from mqttws.codec import Framer, Packet, Publish, decode
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.link import Link, LinkEvent
from mqttws.session import Connection, Session
from mqttws.trace.reading import Happening, TracedConnection, Ways
from mqttws.trace.recorder import Direction
from mqttws.trace.units import Kind, Unit
from mqttws.vocabulary import PacketType, Role
from mqttws.websocket import accept_token

__all__ = ["Outcome", "Skipped", "replay_into_codec", "replay_into_connection"]

_KEY: Final = re.compile(rb"^sec-websocket-key:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_ACCEPT: Final = re.compile(rb"^(sec-websocket-accept:[ \t]*)(\S+)", re.IGNORECASE | re.MULTILINE)
#: An answer that another one follows.
_INTERIM: Final = re.compile(rb"HTTP/1\.[0-9] 1(?!01)")
_MQTT: Final = frozenset((Kind.PACKET, Kind.PART, Kind.UNKNOWN))
_LARGEST: Final = 268_435_460


@dataclass(slots=True)
class Skipped:
    """What the receiving end did then and cannot do now, and why."""

    packet_type: str
    error: LocalProtocolError | RemoteProtocolError


#: What a replay tells: what has come out, or what could not be done again.
Outcome: TypeAlias = LinkEvent | RemoteProtocolError | Skipped


def replay_into_codec(traced: TracedConnection, direction: Direction) -> Iterator[tuple[float, Outcome]]:
    """The packets of a direction with the times of their last bytes, then the fault, if there is one."""
    sender = traced.sender(direction)
    framer = Framer(None if sender is Role.CLIENT else 5, sender=sender, maximum_packet_size=_LARGEST)
    ways = Ways()
    now = traced.opened
    try:
        for entry in traced.entries:
            now = entry.time
            if isinstance(entry, Happening):
                continue
            _, units = ways.take(entry)
            if sender is Role.SERVER:
                framer.version = ways.version
            if entry.direction == direction:
                framer.receive_data(b"".join(unit.data for unit in units if unit.kind in _MQTT))
                for packet in framer.packets():
                    yield now, packet
        framer.receive_data(b"".join(unit.data for way, unit in ways.end() if way == direction and unit.kind in _MQTT))
        framer.receive_eof()
    except RemoteProtocolError as error:
        yield now, error


def replay_into_connection(traced: TracedConnection, direction: Direction) -> Iterator[tuple[float, Outcome]]:
    """What a whole connection tells that gets a direction again, WebSocket included, at the recorded times.

    The receiving end has an empty Session. The last event is :class:`~mqttws.session.Closed` if it has come to an end.
    """
    return _Replay(traced, direction).run()


class _Replay:
    """The receiving end."""

    def __init__(self, traced: TracedConnection, direction: Direction) -> None:
        self._traced = traced
        self._direction = direction
        self._role = traced.sender(direction).peer
        connection = Connection(
            self._role,
            session=Session() if self._role is Role.CLIENT else None,
            maximum_packet_size=_LARGEST,
            connect_timeout=math.inf,
        )
        self._link = (
            Link.client(connection, host="replay", target="/", handshake_timeout=math.inf)
            if self._role is Role.CLIENT
            else Link.server(connection, handshake_timeout=math.inf)
        )
        self._ways = Ways()
        self._unanswered: dict[int, Publish] = {}
        self._asked_with = b""  # the recorded key
        self._head = bytearray()  # of the answer that a client waits for
        self._greeted = self._role is Role.SERVER
        self._now = 0.0

    def run(self) -> Iterator[tuple[float, Outcome]]:
        """Everything in order of time."""
        self._link.start(self._traced.opened)
        request = self._link.data_to_send(self._traced.opened)
        self._key = _found(_KEY, request)
        for entry in self._traced.entries:
            yield from self._until(entry.time)
            if isinstance(entry, Happening):
                yield from self._happened(entry.name)
                continue
            data, units = self._ways.take(entry)
            if entry.direction == self._direction:
                self._receive(data, units)
            else:
                for unit in units:
                    yield from self._do_again(unit)
            yield from self._news()

    def _until(self, time: float) -> Iterator[tuple[float, Outcome]]:
        """Let time pass."""
        while (deadline := self._link.next_deadline()) <= time:
            self._now = max(self._now, deadline)
            self._link.handle_deadline(self._now)
            yield from self._news()
        self._now = time

    def _news(self) -> Iterator[tuple[float, Outcome]]:
        """What has happened; what our end would send now was sent then."""
        self._link.data_to_send(self._now)
        for event in self._link.events():
            if isinstance(event, Publish) and event.packet_id is not None:
                self._unanswered[event.packet_id] = event
            yield self._now, event

    def _happened(self, name: str) -> Iterator[tuple[float, Outcome]]:
        ours = self._direction == "out"  # what was sent then is received now
        if name in ("reset", "close" if ours else "eof"):
            self._link.receive_eof(self._now)
            yield from self._news()

    # -- the direction itself -----------------------------------------------------------------------------------------

    def _receive(self, data: bytes, units: list[Unit]) -> None:
        """Feed the link; a Server's answer is held until its head is complete, and made to fit."""
        if self._greeted:
            self._link.receive_data(data, self._now)
            return
        self._head += data
        answer = next((unit for unit in units if not _INTERIM.match(unit.data)), None)
        if answer is not None:
            self._greeted = True
            head, behind = bytes(self._head[: answer.stop]), bytes(self._head[answer.stop :])
            self._link.receive_data(self._fitting(head) + behind, self._now)

    def _note_key(self, units: list[Unit]) -> None:
        for unit in units:
            if unit.kind is Kind.HEAD:
                self._asked_with = self._asked_with or _found(_KEY, unit.data)

    def _fitting(self, answer: bytes) -> bytes:
        """The Server's answer as it would be to our key, if it was right for the key of then."""
        if _found(_ACCEPT, answer, 2) != accept_token(self._asked_with):
            return answer
        return _ACCEPT.sub(lambda match: match[1] + accept_token(self._key), answer)

    # -- the other direction ------------------------------------------------------------------------------------------

    def _do_again(self, unit: Unit) -> Iterator[tuple[float, Outcome]]:
        """Our end's part."""
        if unit.kind is Kind.HEAD:
            self._note_key([unit])
            if self._role is Role.SERVER:
                self._answer_upgrade(unit.data)
        elif unit.kind is Kind.PACKET:
            kind = PacketType(unit.first >> 4).name if unit.first >> 4 else "reserved"
            try:
                self._do(decode(unit.data, unit.version, sender=self._role))
            except (LocalProtocolError, RemoteProtocolError) as error:
                yield self._now, Skipped(kind, error)

    def _answer_upgrade(self, answer: bytes) -> None:
        status = answer[9:12]
        if status == b"101":
            self._link.accept(self._now)
        elif status.isdigit():
            self._link.reject(self._now, int(status))

    def _do(self, packet: Packet) -> None:
        kind = packet.packet_type
        special = _DEEDS.get(kind)
        if special is not None:
            special(self, packet)
        elif kind not in _BY_ITSELF:
            self._link.send(packet, self._now)

    def _acknowledge(self, packet: Any) -> None:
        publish = self._unanswered.pop(packet.packet_id, None)
        if publish is not None:
            self._link.acknowledge(publish, packet.reason_code, packet.properties)

    def _let_in(self, packet: Any) -> None:
        if packet.reason_code == 0:
            self._link.connection.attach(Session())
        self._link.send(packet, self._now)

    def _leave(self, packet: Any) -> None:
        self._link.close(self._now, packet.reason_code, packet.properties)


#: The connection answers with these on its own account, or sends them when their time comes.
_BY_ITSELF: Final = frozenset((PacketType.PUBREL, PacketType.PUBCOMP, PacketType.PINGREQ, PacketType.PINGRESP))
_DEEDS: Final[dict[PacketType, Callable[[_Replay, Any], None]]] = {
    PacketType.PUBACK: _Replay._acknowledge,
    PacketType.PUBREC: _Replay._acknowledge,
    PacketType.CONNACK: _Replay._let_in,
    PacketType.DISCONNECT: _Replay._leave,
}


def _found(pattern: re.Pattern[bytes], head: bytes, group: int = 1) -> bytes:
    match = pattern.search(head)
    return b"" if match is None else match[group]
