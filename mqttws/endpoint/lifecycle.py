"""Beginning and end of sessions: CONNECT, resume, takeover, expiry (rows 32 to 41 and 65 to 69 of the contract)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from mqttws.codec import ConnAck, Connect, Disconnect
from mqttws.endpoint.admission import Accepted, Refused, denial, judge_connect
from mqttws.endpoint.handshake import Admission
from mqttws.endpoint.members import REASON_LIMIT, Ending, Member, Visitor
from mqttws.endpoint.router import Clock, Router
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import ClientSession, Peer
from mqttws.endpoint.subscriber import Subscriber
from mqttws.endpoint.upstream import ConnectRequest, Denied, Granted, MemberConnected, MemberDisconnected
from mqttws.endpoint.wills import Wills
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.vocabulary import QOS, ProtocolVersion, ReasonCode
from mqttws.webpubsub import Grants

__all__ = ["Lifecycle", "identity"]


def identity(admission: Admission, granted: Granted, service: Service) -> tuple[str | None, Grants, tuple[str, ...]]:
    """Who a new member is: the user id and what it may do, by token and event handlers; and warnings for the log."""
    user_id = granted.user_id if granted.user_id is not None else admission.user_id
    if granted.roles is None:
        return user_id, admission.grants, ()
    given = Grants.from_roles(granted.roles)
    grants = given if service.handler_roles == "replace" else admission.grants.extended(given)
    return user_id, grants, given.ignored


class Lifecycle:
    """Begins, resumes and ends the sessions of one hub. ``new_client_id`` makes the ids that are assigned."""

    def __init__(self, router: Router, new_client_id: Callable[[], str]) -> None:
        self._router = router
        self._service = router.service
        self._wills = Wills(router)
        self._new_client_id = new_client_id

    # -- CONNECT --------------------------------------------------------------------------------------------------

    def connect(self, peer: Peer, connect: Connect, now: float) -> None:
        """Judge CONNECT: refuse it and keep nothing, ask the event handlers (row 32), or let the client in."""
        verdict = judge_connect(connect, self._service, "" if connect.client_id else self._new_client_id())
        peer.client_id = connect.client_id or None
        self._router.touched[peer] = None
        if isinstance(verdict, Refused):
            self._refuse(peer, connect, verdict, now)
            return
        peer.client_id = verdict.client_id
        if not self._router.wants.wants_system(self._router.name, "connect"):
            self._let_in(peer, connect, verdict, Granted(), now)
            return
        peer.pending = (connect, verdict)

        def answer(given: Granted | Denied, then: float) -> None:
            self._answer(peer, given, then)

        self._router.calls.append(ConnectRequest(self._router.name, verdict.client_id, peer, answer, connect))

    def _answer(self, peer: Peer, answer: Granted | Denied, now: float) -> None:
        """The event handlers have decided about a CONNECT; the client may have been sent away meanwhile."""
        if peer.pending is None:
            return
        (connect, accepted), peer.pending = peer.pending, None
        if peer.dismissed or peer.connection.closed:
            return
        self._router.touched[peer] = None
        if isinstance(answer, Denied):
            refused = denial(answer.code, answer.reason, connect, self._service)
            self._refuse(peer, connect, refused, now, answer.user_properties)
        else:
            self._let_in(peer, connect, accepted, answer, now)

    def _let_in(self, peer: Peer, connect: Connect, accepted: Accepted, granted: Granted, now: float) -> None:
        known = self._router.members.get(accepted.client_id)
        v5 = connect.version == ProtocolVersion.V5
        if known is None and len(self._router.members) >= self._service.session_limit:
            code = int(ReasonCode.QUOTA_EXCEEDED) if v5 else self._service.v3_refusal_code
            text = f"the hub has {self._service.session_limit} sessions, which is its limit"
            self._refuse(peer, connect, Refused(code, text), now)
            return
        if known is not None and not isinstance(known, ClientSession):
            invalid = self._service.client_id_code if v5 else self._service.v3_client_id_code
            self._refuse(peer, connect, Refused(invalid, "a client of another protocol has this id"), now)
            return
        if known is not None:
            known = self._take_over(known, connect, now)
        session = known if known is not None else self._begin(peer, accepted, granted)
        if granted.state is not None:
            session.state = granted.state
        properties = dict(accepted.properties)
        if v5 and granted.user_properties:
            properties["user_property"] = list(granted.user_properties)
        self._attach(peer, session, connect, accepted.expiry, resumed=known is not None, now=now)
        if self._send_connack(peer, ConnAck(known is not None, ReasonCode.SUCCESS, _typed(properties)), now):
            self._welcome(peer, session, resumed=known is not None, now=now)

    def _refuse(
        self,
        peer: Peer,
        connect: Connect,
        refused: Refused,
        now: float,
        user_properties: Sequence[tuple[str, str]] = (),
    ) -> None:
        v5 = connect.version == ProtocolVersion.V5
        self._router.counters.refused += 1
        self._log(peer, "ConnectRefused", refused.message, code=_shown(refused.reason_code, v5))
        properties: dict[str, Any] = {}
        if v5 and refused.message:
            properties["reason_string"] = refused.message[:REASON_LIMIT]
        if v5 and user_properties:
            properties["user_property"] = list(user_properties)
        self._send_connack(peer, ConnAck(False, refused.reason_code, _typed(properties)), now)

    def _send_connack(self, peer: Peer, connack: ConnAck, now: float) -> bool:
        """False if the Client's Maximum Packet Size leaves no room for CONNACK, which ends the connection.

        A CONNACK of five bytes with the code for that may still fit.
        """
        try:
            peer.connection.send(connack, now)
        except LocalProtocolError as error:
            self._log(peer, "ConnectionAborted", f"CONNACK cannot be sent: {error}")
            peer.dismiss(now, ReasonCode.PACKET_TOO_LARGE)
            return False
        return True

    def _take_over(self, session: ClientSession, connect: Connect, now: float) -> ClientSession | None:
        """Free a known session for a new connection; None if it has ended, so that a new one begins."""
        old = session.peer
        lives_on = not connect.clean_start and (old is None or session.expiry > 0)
        if old is not None:
            # [MQTT-3.1.4-3; 3.1.1: MQTT-3.1.4-2]. The service's code is inferred (row 39).
            text = "another connection has the same client id"
            old.dismiss(now, ReasonCode(self._service.takeover_code), text)
            self._router.touched[old] = None
            self._router.log(
                "ConnectionEnded",
                f"taken over: {text}",
                hub=self._router.name, client_id=old.client_id, address=old.address,
            )  # fmt: skip
            self.detach(session)
        if not lives_on:
            self.end(session, now, "replaced by a new session" if connect.clean_start else "its connection has ended")
            return None
        self._wills.replaced(session, was_connected=old is not None, now=now)
        return session

    def _begin(self, peer: Peer, accepted: Accepted, granted: Granted) -> ClientSession:
        """A new session with the identity that token and event handlers give it, subscribed to its groups (40, 41)."""
        router = self._router
        admission = peer.admission
        user_id, grants, warnings = identity(admission, granted, self._service)
        for line in warnings:
            self._log(peer, "Warning", line)
        session = ClientSession(accepted.client_id, user_id, grants, self._service, router.counters)
        router.add(session)
        groups = tuple(dict.fromkeys((*admission.groups, *granted.groups)))
        limit = self._service.subscription_limit
        if len(groups) > limit:
            text = f"{len(groups) - limit} groups ignored: a session has at most {limit} subscriptions"
            self._log(peer, "Warning", text)
        for group in groups[:limit]:
            fault = self._service.topic_fault(group)
            if fault is not None:  # of an event handler: a token with such a group has not opened the door
                self._log(peer, "Warning", f"group ignored: {fault}")
                continue
            router.subscribe(session, group, Subscriber(QOS[self._service.group_qos], given=True))
        return session

    def _attach(
        self, peer: Peer, session: ClientSession, connect: Connect, expiry: int, *, resumed: bool, now: float
    ) -> None:
        """Join session and connection."""
        self.attach(session, peer, now)
        session.expiry = expiry
        session.will = connect.will
        fault = self._wills.fault(session)
        if fault is not None:
            self._log(peer, "WillRefused", f"it will not be published: {fault}")
        if resumed and peer.admission.user_id != session.user_id:
            self._log(peer, "Warning", "the session keeps the user id and roles of the token that began it")
        peer.connection.attach(session.mqtt)

    def attach(self, member: Member, visitor: Visitor, now: float) -> None:
        """A member has this network connection from now on, and time to lose it again."""
        member.peer = member.last_peer = visitor
        visitor.session = member
        visitor.admission = visitor.admission.settled()
        member.ending = None
        self._router.deadlines.cancel((member, Clock.EXPIRY))
        self._router.deadlines.cancel((member, Clock.ACCESS))
        if self._service.expired_access == "close" and visitor.admission.lifetime < math.inf:
            self._router.deadlines.set((member, Clock.ACCESS), now + max(0.0, visitor.admission.lifetime))

    def _welcome(self, peer: Peer, session: ClientSession, *, resumed: bool, now: float) -> None:
        """CONNACK is on its way: tell whom it concerns, and send what has been waiting."""
        router = self._router
        version = f"{peer.version.name[1:].replace('_', '.')}"
        if resumed:
            router.counters.sessions_resumed += 1
            self._log(peer, "MqttSessionAttached", version=version, user_id=session.user_id)
            router.drain(session, now)
            return
        router.counters.sessions_started += 1
        self._log(peer, "ConnectionStarted", version=version, user_id=session.user_id)
        self.announce(session)

    def announce(self, member: Member) -> None:
        """A member has begun: event handlers hear of it, and will hear of its end (row 35)."""
        member.announced = True
        router = self._router
        if member.last_peer is not None and router.wants.wants_system(router.name, "connected"):
            router.calls.append(MemberConnected(router.name, member, member.last_peer))

    # -- the end of a connection ----------------------------------------------------------------------------------

    def disconnect(self, session: ClientSession, disconnect: Disconnect) -> None:
        """DISCONNECT from the Client: 0x00 deletes the Will [MQTT-3.14.4-3], and the expiry may change."""
        if disconnect.reason_code == ReasonCode.NORMAL_DISCONNECTION:
            session.will = None
        said = disconnect.properties
        expiry = said.get("session_expiry_interval")
        if expiry is not None:
            session.expiry = min(expiry, self._service.session_expiry_maximum)
        session.ending = Ending(
            said.get("reason_string"), by_client=True, code=int(disconnect.reason_code),
            user_properties=said.get("user_property", ()),
        )  # fmt: skip

    def closed(self, member: Member, now: float, error: Exception | None = None) -> None:
        """A member's connection is over: Will, and expiry now or later [MQTT-3.1.2-8, -23]."""
        if member.ending is None and error is not None:
            told = error.reason_code if isinstance(error, RemoteProtocolError) else None
            v5 = isinstance(member.peer, Peer) and member.peer.version is ProtocolVersion.V5
            member.ending = Ending(str(error), code=told if v5 else None)
        self.detach(member)
        if member.expiry == 0:
            self.end(member, now, "its connection has ended")
            return
        self._router.deadlines.set((member, Clock.EXPIRY), now + member.expiry)
        self._wills.went_offline(member, now)

    def detach(self, member: Member) -> None:
        """Part member and connection. Publishers do not wait for an offline client."""
        if member.peer is not None:
            member.peer.session = None
            member.peer = None
        self._router.went_offline(member)

    # -- the end of a session -------------------------------------------------------------------------------------

    def handle_deadline(self, member: Member, clock: Clock, now: float) -> None:
        """One deadline has come."""
        if clock is Clock.EXPIRY:
            self.end(member, now, "its time has run out")
        elif clock is Clock.WILL:
            self._wills.publish(member, now)
        elif clock is Clock.ACCESS:
            self._access_expired(member, now)
        elif isinstance(member, ClientSession):
            self._router.release(member)

    def _access_expired(self, member: Member, now: float) -> None:
        """End the connection, if there is one; the session lives on as long as it may."""
        if member.peer is not None:
            member.peer.dismiss(now, ReasonCode.NOT_AUTHORIZED, "the access token expired")
            self._router.touched[member.peer] = None

    def evict(self, member: Member, now: float, code: ReasonCode, text: str, why: str | None = None) -> None:
        """End a member and its connection, if it has one. ``text`` is told to the client, ``why`` to the log."""
        peer = member.peer
        if peer is not None:
            peer.dismiss(now, code, text)
            self._router.touched[peer] = None
        else:
            member.ending = Ending(text or None)
        self.detach(member)
        self.end(member, now, why if why is not None else text)

    def end(self, member: Member, now: float, why: str) -> None:
        """Forget a member that has no connection any more; a Will that still waits is published [MQTT-3.1.3-9]."""
        router = self._router
        router.remove(member)
        router.counters.sessions_ended += 1
        router.log("SessionEnded", why, hub=router.name, client_id=member.client_id, user_id=member.user_id)
        heard = member.announced and router.wants.wants_system(router.name, "disconnected")
        if heard and member.last_peer is not None:
            ending = member.ending if member.ending is not None else Ending()
            router.calls.append(MemberDisconnected(router.name, member, member.last_peer, ending))
        self._wills.publish(member, now)

    def _log(self, peer: Peer, event: str, text: str = "", **fields: object) -> None:
        self._router.log(event, text, hub=self._router.name, client_id=peer.client_id, address=peer.address, **fields)


def _typed(properties: dict[str, Any]) -> Any:
    """A dict made of known keys, for a packet whose dict is typed by them."""
    return properties


def _shown(code: int, v5: bool) -> str:
    return f"0x{code:02X}" if v5 else str(code)
