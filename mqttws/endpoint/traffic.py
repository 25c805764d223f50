"""What an admitted client asks for: PUBLISH, SUBSCRIBE, UNSUBSCRIBE (rows 42 to 63 of the emulation contract)."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from mqttws.codec import Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from mqttws.endpoint.events import answer, event_fault
from mqttws.endpoint.messages import Message
from mqttws.endpoint.router import Router
from mqttws.endpoint.sessions import ClientSession, Peer
from mqttws.endpoint.subscriber import Subscriber
from mqttws.endpoint.subscriptions import judge_filter, may_subscribe
from mqttws.endpoint.upstream import EventAnswer, UserEvent
from mqttws.topics import is_shared
from mqttws.vocabulary import QOS, ProtocolVersion, QoS, ReasonCode, RetainHandling
from mqttws.webpubsub.server_topics import EVENTS, RESERVED

__all__ = ["Traffic"]

#: What a 3.1.1 SUBACK says about a filter that is not taken [3.1.1: MQTT-3.9.3-2].
_V3_FAILURE = ReasonCode.UNSPECIFIED_ERROR


class Traffic:
    """Answers the packets of admitted clients and hands messages to the router."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._service = router.service

    # -- PUBLISH --------------------------------------------------------------------------------------------------

    def publish(self, peer: Peer, session: ClientSession, publish: Publish, now: float) -> None:
        """Route a message and acknowledge it, or refuse it as its QoS allows."""
        topic = publish.topic
        service = self._service
        if service.service_topics and topic.startswith(RESERVED) and self._is_for_service(topic):
            self._publish_to_service(peer, session, publish, now)
            return
        fault = service.topic_fault(topic)
        if fault is not None:
            self._refuse(peer, publish, ReasonCode.TOPIC_NAME_INVALID, fault, now)
            return
        if not session.grants.may_publish(topic):
            self._refuse(peer, publish, self._denied, _no_role("sendToGroup", "publish to", topic), now)
            return
        router = self._router
        message = Message.from_publish(publish, now, session.user_id)
        if publish.retain and not self._retain(peer, session, publish, message, now):
            return
        router.counters.published += 1
        crowded = router.route(message, session, now)
        if publish.qos == QoS.AT_MOST_ONCE:
            return
        if isinstance(crowded, ClientSession):
            router.hold(crowded, session, publish)
        else:
            self._acknowledge(peer, publish)

    @property
    def _denied(self) -> ReasonCode:
        return ReasonCode(self._service.denied_code)

    def _is_for_service(self, topic: str) -> bool:
        return topic.startswith(EVENTS) or self._service.other_service_topics == "deny"

    def _retain(self, peer: Peer, session: ClientSession, publish: Publish, message: Message, now: float) -> bool:
        """See to a PUBLISH with RETAIN (row 52); False if it has been refused."""
        service = self._service
        if service.retained_limit:
            if self._router.retain(message, session, now):
                return True
            text = (
                f"{service.retained_limit} messages or {service.retained_bytes} bytes are retained, which is the limit"
            )
            self._refuse(peer, publish, ReasonCode.QUOTA_EXCEEDED, text, now, drop_qos_0=True)
            return False
        if peer.version is ProtocolVersion.V3_1_1 or service.retain_answer == "deliver":
            return True
        self._log(peer, "PublishRefused", "nothing is retained", ReasonCode.RETAIN_NOT_SUPPORTED)
        peer.dismiss(now, ReasonCode.RETAIN_NOT_SUPPORTED, "the service has no retained messages")
        self._router.touched[peer] = None
        return False

    def _acknowledge(self, peer: Peer, publish: Publish) -> None:
        peer.connection.acknowledge(publish)
        self._router.touched[peer] = None

    def _refuse(
        self, peer: Peer, publish: Publish, code: ReasonCode, text: str, now: float, *, drop_qos_0: bool = False
    ) -> None:
        """Say no: QoS 1 and 2 by their acknowledgement, QoS 0 by the end of the connection (row 50: staff say so).

        3.1.1 has no code for it: QoS 1 and 2 are acknowledged and dropped, unless a setting says otherwise (row 51).
        """
        self._log(peer, "PublishRefused", text, code, qos=int(publish.qos))
        self._router.touched[peer] = None
        closes = peer.version is ProtocolVersion.V3_1_1 and self._service.v3_denied == "close"
        if publish.qos > QoS.AT_MOST_ONCE and not closes:
            peer.connection.acknowledge(publish, code, peer.reason(text))
        elif not drop_qos_0:
            peer.dismiss(now, code, text)

    def _publish_to_service(self, peer: Peer, session: ClientSession, publish: Publish, now: float) -> None:
        """User events need no role (documented); anything else below ``$webpubsub/`` counts as denied (row 63)."""
        if not publish.topic.startswith(EVENTS):
            self._refuse(peer, publish, self._denied, f"topics below {RESERVED} are the service's", now)
            return
        fault = event_fault(publish)
        if fault is not None:
            self._refuse(peer, publish, *fault, now, drop_qos_0=self._service.invalid_event == "drop")
            return
        name = publish.topic[len(EVENTS) :]
        if self._router.wants.wants_event(self._router.name, name):
            self._ask(peer, session, publish, name)
            return
        text = f"no event handler of this hub takes the event '{name}'"
        self._log(peer, "EventHandlerNotFound", text, None)
        self._acknowledge(peer, publish)
        if self._service.event_without_handler == "close":
            peer.dismiss(now, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, text)
        else:
            self._reply(session, publish, EventAnswer(404, text.encode(), "text/plain"), now)

    def _ask(self, peer: Peer, session: ClientSession, publish: Publish, name: str) -> None:
        """Have the event handlers answer; until then nothing further of this connection is looked at (documented)."""
        peer.waiting = deque()

        def answered(given: EventAnswer, now: float) -> None:
            self._acknowledge(peer, publish)
            if given.state is not None:
                session.state = given.state
            if self._router.members.get(session.client_id) is session:
                self._reply(session, publish, given, now)

        self._router.calls.append(UserEvent(self._router.name, name, session, peer, publish, answered))

    def _reply(self, session: ClientSession, publish: Publish, given: EventAnswer, now: float) -> None:
        self._router.offer(session, answer(publish, given), Subscriber(QOS[publish.qos]), now)

    # -- SUBSCRIBE and UNSUBSCRIBE --------------------------------------------------------------------------------

    def subscribe(self, peer: Peer, session: ClientSession, subscribe: Subscribe, now: float) -> None:
        """Judge each filter on its own (row 47) and answer with one SUBACK."""
        identifier = subscribe.properties.get("subscription_identifier")
        for subscription in subscribe.subscriptions:
            fatal = judge_filter(subscription.topic_filter, peer.version, self._service)
            if fatal is not None and fatal.ends_connection:
                self._log(peer, "SubscribeRefused", fatal.message, fatal.reason_code)
                peer.dismiss(now, fatal.reason_code, fatal.message)
                self._router.touched[peer] = None
                return
        codes: list[int] = []
        reasons: list[str] = []
        retained: list[tuple[str, Subscriber]] = []
        for subscription in subscribe.subscriptions:
            refused = self._subscribe_one(peer, session, subscription, identifier, retained)
            if refused is None:
                codes.append(ReasonCode(subscription.qos))
                continue
            code, text = refused
            self._log(peer, "SubscribeRefused", text, code)
            codes.append(code if peer.version is ProtocolVersion.V5 else _V3_FAILURE)
            reasons.append(text)
        properties: Any = peer.reason(reasons[0]) if reasons else {}
        self._answer(peer, SubAck(subscribe.packet_id, codes, properties), now)
        for topic_filter, subscriber in retained:
            for message in self._router.retained.matching(topic_filter, now):
                self._router.offer(session, message, subscriber, now)
                message.delivered()

    def _subscribe_one(
        self,
        peer: Peer,
        session: ClientSession,
        subscription: Subscription,
        identifier: int | None,
        retained: list[tuple[str, Subscriber]],
    ) -> tuple[ReasonCode, str] | None:
        """Subscribe, or say with which code and why not. ``retained`` collects who gets retained messages."""
        topic = subscription.topic_filter
        refused = judge_filter(topic, peer.version, self._service)
        if refused is not None:
            return refused.reason_code, refused.message
        shared = peer.version is ProtocolVersion.V5 and is_shared(topic)
        if not may_subscribe(session.grants, topic, shared=shared):
            return self._denied, _no_role("joinLeaveGroup", "subscribe to", topic)
        known = session.subscriptions.get(topic)
        if known is None and len(session.subscriptions) >= self._service.subscription_limit:
            return ReasonCode.QUOTA_EXCEEDED, f"a session has at most {self._service.subscription_limit} subscriptions"
        if (
            known is not None and known.shared is not shared
        ):  # it was made by the other version, which reads it otherwise
            self._router.unsubscribe(session, topic)
        subscriber = Subscriber.from_subscription(
            subscription, identifier, no_local=not self._service.own_messages, shared=shared
        )
        self._router.subscribe(session, topic, subscriber)
        handling = subscription.retain_handling
        new_only = handling == RetainHandling.SEND_IF_NEW
        if not shared and (handling == RetainHandling.SEND or (new_only and known is None)):
            # Their RETAIN is 1 whatever the subscription says of others [MQTT-3.3.1-8].
            retained.append((topic, replace(subscriber, retain_as_published=True)))
        return None

    def unsubscribe(self, peer: Peer, session: ClientSession, unsubscribe: Unsubscribe, now: float) -> None:
        """End subscriptions; without the role nothing ends, which 3.1.1 cannot say (row 48)."""
        codes: list[int] = []
        properties: Any = {}
        for topic in unsubscribe.topic_filters:
            known = session.subscriptions.get(topic)
            shared = known is not None and known.shared
            if self._service.unsubscribe_role and not may_subscribe(session.grants, topic, shared=shared):
                text = _no_role("joinLeaveGroup", "unsubscribe from", topic)
                self._log(peer, "UnsubscribeRefused", text, self._denied)
                codes.append(self._denied)
                properties = peer.reason(text)
            elif self._router.unsubscribe(session, topic):
                codes.append(ReasonCode.SUCCESS)
            else:
                codes.append(ReasonCode.NO_SUBSCRIPTION_EXISTED)
        if peer.version is ProtocolVersion.V3_1_1:
            codes = []
        self._answer(peer, UnsubAck(unsubscribe.packet_id, codes, properties), now)

    def _answer(self, peer: Peer, packet: SubAck | UnsubAck, now: float) -> None:
        """Send an answer, unless the Client has said goodbye right behind its request."""
        if peer.connection.is_open:
            peer.connection.send(packet, now)
            self._router.touched[peer] = None

    def _log(self, peer: Peer, event: str, text: str, code: ReasonCode | None, *, qos: int | None = None) -> None:
        shown = None if code is None else f"0x{code:02X}"
        self._router.log(
            event, text, hub=self._router.name, client_id=peer.client_id, address=peer.address, code=shown, qos=qos
        )


def _no_role(role: str, what: str, topic: str) -> str:
    shown = topic[:140]
    return f"no role to {what} '{shown}': it takes webpubsub.{role} or webpubsub.{role}.{shown}"
