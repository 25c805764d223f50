"""What a client of Web PubSub's own protocols asks for, from its first frame to its end (row 81, §5.3 and §6).

Roles count as for MQTT: ``joinLeaveGroup`` for groups, ``sendToGroup`` for messages, none for events.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Final

from mqttws.codec import Publish
from mqttws.endpoint.hub import Hub
from mqttws.endpoint.messages import Message
from mqttws.endpoint.native_answers import ack_frame, pong_frame
from mqttws.endpoint.native_frames import (
    CONTENT_TYPES,
    BadFrame,
    JoinGroup,
    LeaveGroup,
    Ping,
    Request,
    SendEvent,
    SendToGroup,
    SequenceAck,
    read_request,
)
from mqttws.endpoint.native_link import NativeEvent
from mqttws.endpoint.native_members import NativeMember, NativeVisitor
from mqttws.endpoint.upstream import EventAnswer, UserEvent
from mqttws.endpoint.visit import Visit, is_crowd
from mqttws.session import Closed
from mqttws.vocabulary import QoS
from mqttws.webpubsub import check_group
from mqttws.webpubsub.server_topics import RESERVED, event_topic

__all__ = ["NativeTalk"]

#: What a frame of a simple WebSocket client is called as an event (documented).
_SIMPLE_EVENT: Final = "message"


class NativeTalk:
    """One connection. ``member`` is None until it is let in, and stays so if it never is.

    ``group`` is where the frames of a simple client go that has asked for the mode ``sendToGroup`` (documented); else
    they are events.
    """

    def __init__(self, visit: Visit, visitor: NativeVisitor, hub: Hub, group: str | None = None) -> None:
        self.visit = visit
        self.visitor = visitor
        self.hub = hub
        self.member: NativeMember | None = None
        self.over = False
        self._group = group
        self._waiting: deque[str | bytes] | None = None

    # -- frames ---------------------------------------------------------------------------------------------------

    def handle(self, events: list[NativeEvent], now: float) -> None:
        """Take in what has happened on the link. While an event has no answer, what comes behind it waits."""
        for event in events:
            if isinstance(event, Closed):
                self._end(now, event.error)
            elif self._waiting is not None:
                self._waiting.append(event)
            else:
                self._receive(event, now)
        waiting = self._waiting
        if waiting and is_crowd([len(frame) for frame in waiting]):
            self.visit.pump.pause()
        self.visit.endpoint.flush(self.hub)
        self.visit.pump.flush()

    def _receive(self, frame: str | bytes, now: float) -> None:
        member = self.member
        if member is None or self.visitor.session is not member or self.visitor.dismissed:
            return
        try:
            request = read_request(frame) if self.visitor.speaks_json else self._read_bare(frame)
        except BadFrame as fault:
            self._log("BadFrame", str(fault))
            self._give_up(member, self.visit.endpoint.service.native_bad_frame_code, str(fault), now)
            return
        self._perform(member, request, now)

    def _read_bare(self, frame: str | bytes) -> Request:
        """Each frame of a simple client is an event, or a message for the one group it has named."""
        payload, data_type = (frame.encode(), "text") if isinstance(frame, str) else (frame, "binary")
        if self._group is None:
            return SendEvent(_SIMPLE_EVENT, payload, CONTENT_TYPES[data_type])
        return SendToGroup(self._group, payload, CONTENT_TYPES[data_type])

    def _give_up(self, member: NativeMember, code: int, text: str, now: float) -> None:
        """End the connection for a fault of the client, which is not let back."""
        member.expiry = 0
        self.visitor.end(now, code, text)

    def _perform(self, member: NativeMember, request: Request, now: float) -> None:
        if isinstance(request, Ping):
            self.visitor.link.send(pong_frame())
        elif isinstance(request, SequenceAck):
            member.acknowledge(request.sequence_id, now)
        elif request.ack_id is not None and member.has_done(request.ack_id):
            error = ("Duplicate", f"the request {request.ack_id} has been carried out before")
            self.visitor.link.send(ack_frame(request.ack_id, error))
        elif isinstance(request, SendEvent):
            self._send_event(member, request, now)
        else:
            self._answer(member, request.ack_id, self._refused(member, request, now))

    def _refused(
        self, member: NativeMember, request: JoinGroup | LeaveGroup | SendToGroup, now: float
    ) -> tuple[str, str] | None:
        """Carry out what is about a group; name and text of the error if that cannot be."""
        group = request.group
        try:
            check_group(group)
            if isinstance(request, SendToGroup):
                return self._send_to_group(member, request, now)
            if not member.grants.may_subscribe(group):
                return _forbidden("joinLeaveGroup", group)
            if isinstance(request, JoinGroup):
                self.hub.add_to_group(member, group, asked=True)
            else:
                self.hub.remove_from_group(member, group)
        except (ValueError, OverflowError) as problem:
            return self.hub.service.native_error_name, str(problem)
        return None

    def _send_to_group(self, member: NativeMember, request: SendToGroup, now: float) -> tuple[str, str] | None:
        service, group = self.hub.service, request.group
        if service.service_topics and group.startswith(RESERVED) and service.other_service_topics == "deny":
            return "Forbidden", f"groups below {RESERVED} are the service's"
        if not member.grants.may_publish(group):
            return _forbidden("sendToGroup", group)
        message = Message.from_server(
            request.payload, now, topic=group, content_type=request.content_type, lifetime=request.lifetime,
            user_id=member.user_id,
        )  # fmt: skip
        wanted = (lambda other: other is not member) if request.no_echo else None
        self.hub.publish(message, now, origin=member, wanted=wanted)
        return None

    def _answer(self, member: NativeMember, ack_id: int | None, error: tuple[str, str] | None) -> None:
        if error is not None:
            self._log("RequestRefused", error[1], name=error[0])
        if ack_id is not None:
            if error is None:
                member.remember(ack_id)
            self.visitor.link.send(ack_frame(ack_id, error))

    # -- events ---------------------------------------------------------------------------------------------------

    def _send_event(self, member: NativeMember, request: SendEvent, now: float) -> None:
        """Have the event handlers answer; until then nothing further of this connection is looked at (documented)."""
        if not self.hub.wants_event(request.name):
            text = f"no event handler of this hub takes the event '{request.name[:140]}'"
            self._log("EventHandlerNotFound", text)
            self._fail(member, request.ack_id, text, now)
            return
        self._waiting = deque()
        properties: Any = {"content_type": request.content_type}
        publish = Publish(event_topic(request.name), request.payload, QoS.AT_LEAST_ONCE, properties=properties)
        answered = partial(self._answered, member, request)
        self.hub.ask(UserEvent(self.hub.name, request.name, member, self.visitor, publish, answered))

    def _answered(self, member: NativeMember, request: SendEvent, given: EventAnswer, now: float) -> None:
        """The answer to an event: a message from the server if it says something, then the acknowledgement."""
        if given.state is not None:
            member.state = given.state
        if self.hub.member(member.client_id) is member:
            if not 200 <= given.status < 300:
                self._fail(member, request.ack_id, f"the event handler has answered with status {given.status}", now)
            else:
                if given.payload:
                    message = Message.from_server(given.payload, now, content_type=given.content_type)
                    self.hub.send([member], message, now)
                self._answer(member, request.ack_id, None)
        self._catch_up(now, to_the_end=False)

    def _fail(self, member: NativeMember, ack_id: int | None, text: str, now: float) -> None:
        """An event has failed. Who has not asked to be told loses the connection, unless a setting says otherwise."""
        if ack_id is not None:
            self._answer(member, ack_id, ("InternalServerError", text))
        elif self.hub.service.native_failed_event == "close" and self.visitor.session is member:
            self._give_up(member, self.hub.service.native_event_code, text, now)

    @property
    def _is_waiting(self) -> bool:
        return self._waiting is not None

    def _catch_up(self, now: float, *, to_the_end: bool) -> None:
        """Take in what has been waiting: up to the next event, or all of it because the client has left."""
        queue, self._waiting = self._waiting, None
        while queue and (to_the_end or not self._is_waiting):
            self._receive(queue.popleft(), now)
        self._waiting = queue if self._is_waiting and not to_the_end else None

    # -- the end --------------------------------------------------------------------------------------------------

    def leave(self, now: float) -> None:
        """The connection is over."""
        self._end(now, None)
        self.visit.endpoint.release(self.hub, self.visitor, now)

    def _end(self, now: float, error: Exception | None) -> None:
        if self.over:
            return
        self._catch_up(now, to_the_end=True)
        self.over = True
        member = self.member
        if member is None:
            return
        self._log("ConnectionEnded" if error is None else "ConnectionAborted", "" if error is None else str(error))
        if error is None and not self.visitor.dismissed and self.hub.service.native_farewell:
            member.expiry = 0
        if self.visitor.session is member:
            self.hub.depart(member, now, error)

    def _log(self, event: str, text: str = "", **fields: object) -> None:
        visitor = self.visitor
        self.visit.endpoint.log(
            event, text, hub=self.hub.name, client_id=visitor.client_id, address=visitor.address, **fields
        )


def _forbidden(role: str, group: str) -> tuple[str, str]:
    shown = group[:140]
    return "Forbidden", f"no role for '{shown}': it takes webpubsub.{role} or webpubsub.{role}.{shown}"
