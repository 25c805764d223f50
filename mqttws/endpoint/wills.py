"""Will Messages: when they are published, and which are not (row 70 of the emulation contract)."""

from __future__ import annotations

from mqttws.codec import Will
from mqttws.endpoint.members import Member
from mqttws.endpoint.messages import Message
from mqttws.endpoint.router import Clock, Router
from mqttws.webpubsub.server_topics import RESERVED

__all__ = ["Wills"]


class Wills:
    """The Wills of one hub's sessions. Each is published once at most."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def replaced(self, member: Member, *, was_connected: bool, now: float) -> None:
        """The client is back on a new connection, with a Will of its own."""
        if was_connected and member.will is not None and not _delay(member.will):
            self.publish(member, now)
        member.will = None  # one with a delay is not published: the client is back [MQTT-3.1.3-9]
        self._router.deadlines.cancel((member, Clock.WILL))

    def went_offline(self, member: Member, now: float) -> None:
        """The connection of a session that lives on is over: the Will is due now, later, or at the session's end."""
        if member.will is None:
            return
        delay = _delay(member.will)
        if delay == 0:
            self.publish(member, now)
        elif delay < member.expiry:
            self._router.deadlines.set((member, Clock.WILL), now + delay)

    def publish(self, member: Member, now: float) -> None:
        """Publish the Will, if there is one and its topic is allowed."""
        fault = self.fault(member)
        will, member.will = member.will, None
        if will is None:
            return
        router = self._router
        router.deadlines.cancel((member, Clock.WILL))
        fields = {"hub": router.name, "client_id": member.client_id}
        if fault is not None:
            router.log("WillRefused", fault, **fields)
            return
        router.log("WillPublished", topic=will.topic, **fields)
        router.counters.published += 1
        message = Message.from_will(will, now, member.user_id)
        message.retain = message.retain and router.service.retained_limit > 0
        if not router.retain(message, member, now):
            router.log("RetainedFull", "the will is published, but not retained", topic=will.topic, **fields)
        router.route(message, member, now)

    def fault(self, member: Member) -> str | None:
        """Why a member's Will is not published; None if it is, or if there is none."""
        will = member.will
        if will is None:
            return None
        if self._router.service.service_topics and will.topic.startswith(RESERVED):
            return f"topics below {RESERVED} are the service's"
        if self._router.service.will_permission and not member.grants.may_publish(will.topic):
            return f"no role to publish to the will topic '{will.topic[:140]}'"
        return None


def _delay(will: Will) -> int:
    return will.properties.get("will_delay_interval", 0)
