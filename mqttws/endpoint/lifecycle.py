"""Beginning and end of sessions: CONNECT, resume, takeover, Will, expiry (rows 35 to 41, 65 to 70 of the contract)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqttws.codec import ConnAck, Connect, Disconnect, Will
from mqttws.endpoint.admission import Accepted, Refused, judge_connect
from mqttws.endpoint.messages import Message
from mqttws.endpoint.router import Clock, Router
from mqttws.endpoint.sessions import REASON_LIMIT, ClientSession, Peer
from mqttws.endpoint.subscriptions import Subscriber
from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import QOS, ProtocolVersion, ReasonCode
from mqttws.webpubsub.server_topics import RESERVED

__all__ = ["Lifecycle"]


class Lifecycle:
    """Begins, resumes and ends the sessions of one hub. ``new_client_id`` makes the ids that are assigned."""

    def __init__(self, router: Router, new_client_id: Callable[[], str]) -> None:
        self._router = router
        self._service = router.service
        self._new_client_id = new_client_id

    # -- CONNECT --------------------------------------------------------------------------------------------------

    def connect(self, peer: Peer, connect: Connect, now: float) -> None:
        """Answer CONNECT: refuse it and keep nothing, or begin or resume a session."""
        verdict = judge_connect(connect, self._service, "" if connect.client_id else self._new_client_id())
        known = None if isinstance(verdict, Refused) else self._router.sessions.get(verdict.client_id)
        if isinstance(verdict, Accepted) and known is None and self._is_full:
            v5 = connect.version == ProtocolVersion.V5
            code = int(ReasonCode.QUOTA_EXCEEDED) if v5 else self._service.v3_refusal_code
            verdict = Refused(code, f"the hub has {self._service.session_limit} sessions, which is its limit")
        peer.client_id = connect.client_id or None
        self._router.touched[peer] = None
        if isinstance(verdict, Refused):
            self._refuse(peer, connect, verdict, now)
            return
        peer.client_id = verdict.client_id
        if known is not None:
            known = self._take_over(known, connect, now)
        session = known if known is not None else self._begin(peer, verdict)
        self._attach(peer, session, connect, verdict, resumed=known is not None, now=now)

    @property
    def _is_full(self) -> bool:
        return len(self._router.sessions) >= self._service.session_limit

    def _refuse(self, peer: Peer, connect: Connect, refused: Refused, now: float) -> None:
        v5 = connect.version == ProtocolVersion.V5
        self._router.counters.refused += 1
        self._log(peer, "ConnectRefused", refused.message, code=_shown(refused.reason_code, v5))
        properties: Any = {"reason_string": refused.message[:REASON_LIMIT]} if v5 else {}
        self._send_connack(peer, ConnAck(False, refused.reason_code, properties), now)

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
            old.dismiss(now, ReasonCode.SESSION_TAKEN_OVER, text)
            self._router.touched[old] = None
            self._log(old, "ConnectionEnded", f"taken over: {text}")
            self._detach(session)
        if not lives_on:
            self._end(session, now, "replaced by a new session" if connect.clean_start else "its connection has ended")
            return None
        if old is not None and session.will is not None and not _delay(session.will):
            self._publish_will(session, now)
        session.will = None  # one with a delay is not published: the client is back [MQTT-3.1.3-9]
        self._router.deadlines.cancel((session, Clock.EXPIRY))
        self._router.deadlines.cancel((session, Clock.WILL))
        return session

    def _begin(self, peer: Peer, accepted: Accepted) -> ClientSession:
        """A new session with the identity of the token, subscribed to the token's groups (rows 40, 41)."""
        router = self._router
        admission = peer.admission
        session = ClientSession(accepted.client_id, admission.user_id, admission.grants, self._service, router.counters)
        router.sessions[accepted.client_id] = session
        for group in admission.groups[: self._service.subscription_limit]:
            router.subscribe(session, group, Subscriber(QOS[self._service.group_qos]))
        return session

    def _attach(
        self, peer: Peer, session: ClientSession, connect: Connect, accepted: Accepted, *, resumed: bool, now: float
    ) -> None:
        """Join session and connection, send CONNACK, then what has been waiting."""
        router = self._router
        session.peer, peer.session = peer, session
        session.expiry = accepted.expiry
        session.will = connect.will
        if connect.will is not None and self._will_fault(session, connect.will) is not None:
            self._log(peer, "WillRefused", f"it will not be published: {self._will_fault(session, connect.will)}")
        peer.connection.attach(session.mqtt)
        properties: Any = accepted.properties
        if not self._send_connack(peer, ConnAck(resumed, ReasonCode.SUCCESS, properties), now):
            return
        version = f"{peer.version.name[1:].replace('_', '.')}"
        if resumed:
            router.counters.sessions_resumed += 1
            self._log(peer, "MqttSessionAttached", version=version, user_id=session.user_id)
            if peer.admission.user_id != session.user_id:
                self._log(peer, "Warning", "the session keeps the user id and roles of the token that began it")
            router.drain(session, now)
        else:
            router.counters.sessions_started += 1
            self._log(peer, "ConnectionStarted", version=version, user_id=session.user_id)

    # -- the end of a connection ----------------------------------------------------------------------------------

    def disconnect(self, session: ClientSession, disconnect: Disconnect) -> None:
        """DISCONNECT from the Client: 0x00 deletes the Will [MQTT-3.14.4-3], and the expiry may change."""
        if disconnect.reason_code == ReasonCode.NORMAL_DISCONNECTION:
            session.will = None
        expiry = disconnect.properties.get("session_expiry_interval")
        if expiry is not None:
            session.expiry = min(expiry, self._service.session_expiry_maximum)

    def closed(self, session: ClientSession, now: float) -> None:
        """The session's connection is over: Will, and expiry now or later [MQTT-3.1.2-8, -23]."""
        self._detach(session)
        if session.expiry == 0:
            self._end(session, now, "its connection has ended")
            return
        self._router.deadlines.set((session, Clock.EXPIRY), now + session.expiry)
        if session.will is not None:
            delay = _delay(session.will)
            if delay == 0:
                self._publish_will(session, now)
            elif delay < session.expiry:
                self._router.deadlines.set((session, Clock.WILL), now + delay)

    def _detach(self, session: ClientSession) -> None:
        """Part session and connection. Publishers do not wait for an offline client."""
        if session.peer is not None:
            session.peer.session = None
            session.peer = None
        self._router.release(session)
        session.backlog.went_offline()

    # -- the end of a session -------------------------------------------------------------------------------------

    def handle_deadline(self, session: ClientSession, clock: Clock, now: float) -> None:
        """One deadline has come."""
        if clock is Clock.EXPIRY:
            self._end(session, now, "its time has run out")
        elif clock is Clock.WILL:
            self._publish_will(session, now)
        else:
            self._router.release(session)

    def overflow(self, session: ClientSession, now: float) -> None:
        """Too much waits for a session: it ends (row 68; the code is a guess)."""
        text = "too many messages wait for this session"
        peer = session.peer
        if peer is not None:
            peer.dismiss(now, ReasonCode.QUOTA_EXCEEDED, text)
            self._router.touched[peer] = None
        self._detach(session)
        self._end(session, now, f"SlowClient: {text}")

    def _end(self, session: ClientSession, now: float, why: str) -> None:
        """Forget a session that has no connection any more; a Will that still waits is published [MQTT-3.1.3-9]."""
        router = self._router
        del router.sessions[session.client_id]
        for topic in tuple(session.subscriptions):
            router.unsubscribe(session, topic)
        for clock in Clock:
            router.deadlines.cancel((session, clock))
        router.overflowed.pop(session, None)
        router.counters.sessions_ended += 1
        router.log("SessionEnded", why, hub=router.name, client_id=session.client_id, user_id=session.user_id)
        self._publish_will(session, now)

    # -- Will -----------------------------------------------------------------------------------------------------

    def _publish_will(self, session: ClientSession, now: float) -> None:
        """Publish the Will, once, if there is one and its topic is allowed (row 70)."""
        will, session.will = session.will, None
        if will is None:
            return
        self._router.deadlines.cancel((session, Clock.WILL))
        fault = self._will_fault(session, will)
        fields = {"hub": self._router.name, "client_id": session.client_id}
        if fault is not None:
            self._router.log("WillRefused", fault, **fields)
            return
        self._router.log("WillPublished", topic=will.topic, **fields)
        self._router.counters.published += 1
        self._router.route(Message.from_will(will, now), session, now)

    def _will_fault(self, session: ClientSession, will: Will) -> str | None:
        if will.topic.startswith(RESERVED):
            return f"topics below {RESERVED} are the service's"
        if self._service.will_permission and not session.grants.may_publish(will.topic):
            return f"no role to publish to the will topic '{will.topic[:140]}'"
        return None

    def _log(self, peer: Peer, event: str, text: str = "", **fields: object) -> None:
        self._router.log(event, text, hub=self._router.name, client_id=peer.client_id, address=peer.address, **fields)


def _delay(will: Will) -> int:
    return will.properties.get("will_delay_interval", 0)


def _shown(code: int, v5: bool) -> str:
    return f"0x{code:02X}" if v5 else str(code)
