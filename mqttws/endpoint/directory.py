"""What can be asked and done about the members of a hub from outside: REST, native clients, event handlers.

In Web PubSub's words: connections, users, groups and permissions. All of it is about *sessions*, which may have no
network connection at the moment (documented), and takes effect at once. Roles of clients play no part here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mqttws.endpoint.lifecycle import Lifecycle
from mqttws.endpoint.members import Member, Visitor
from mqttws.endpoint.messages import Message
from mqttws.endpoint.router import Router
from mqttws.endpoint.subscriber import Subscriber
from mqttws.endpoint.subscriptions import may_subscribe
from mqttws.vocabulary import QOS, ReasonCode
from mqttws.webpubsub import Permission, check_group

__all__ = ["Directory"]


class Directory:
    """The members of one hub, and what REST can do with them.

    ``now`` is the owner's monotonic clock. The owner flushes the connections in :meth:`Hub.touched
    <mqttws.endpoint.hub.Hub.touched>` afterwards; :meth:`Endpoint.flush <mqttws.endpoint.Endpoint.flush>` does it.
    """

    def __init__(self, router: Router, lifecycle: Lifecycle) -> None:
        self._router = router
        self._lifecycle = lifecycle

    # -- who is here ----------------------------------------------------------------------------------------------

    def member(self, client_id: str) -> Member | None:
        """The member of that connection id, an MQTT client's client id; online or not."""
        return self._router.members.get(client_id)

    def members(self) -> Sequence[Member]:
        """Everybody, in order of arrival."""
        return tuple(self._router.members.values())

    def members_of_user(self, user_id: str) -> Sequence[Member]:
        """Every member of a user."""
        return tuple(self._router.users.get(user_id, ()))

    def members_of_group(self, group: str) -> Sequence[Member]:
        """Every member that is subscribed to a topic, in order of subscription."""
        return self._router.index.members(group)

    # -- messages -------------------------------------------------------------------------------------------------

    def publish(
        self,
        message: Message,
        now: float,
        *,
        origin: Member | None = None,
        wanted: Callable[[Member], bool] | None = None,
    ) -> None:
        """Give a message to the subscribers of its topic (group), at the smaller of both QoS.

        ``wanted`` may leave some out; ``origin`` is the sender, for subscriptions that want nothing of their own.
        """
        self._router.counters.published += 1
        self._router.route(message, origin, now, wanted=wanted)
        self._settle(now)

    def send(self, members: Iterable[Member], message: Message, now: float) -> None:
        """Give a message to these members, whatever they are subscribed to (row 72)."""
        unasked = Subscriber(QOS[self._router.service.server_message_qos])
        for member in members:
            self._router.offer(member, message, unasked, now)
        message.delivered()
        self._settle(now)

    # -- groups ---------------------------------------------------------------------------------------------------

    def add_to_group(self, member: Member, group: str, *, asked: bool = False) -> None:
        """Subscribe a member with default options; a subscription that is there stays as it is.

        ``asked`` says that the member itself has asked for it, so that it ends with the role it took. Raises
        :class:`ValueError` for what is no group name, and :class:`OverflowError` at the limit of subscriptions.
        """
        check_group(group)
        if group in member.subscriptions:
            return
        limit = self._router.service.subscription_limit
        if len(member.subscriptions) >= limit:
            raise OverflowError(f"a session has at most {limit} subscriptions")
        self._router.subscribe(member, group, Subscriber(QOS[self._router.service.group_qos], given=not asked))

    def remove_from_group(self, member: Member, group: str) -> bool:
        """End a subscription, whoever made it; False if there was none."""
        return self._router.unsubscribe(member, group)

    def remove_from_all_groups(self, member: Member) -> None:
        """End all subscriptions."""
        for group in tuple(member.subscriptions):
            self._router.unsubscribe(member, group)

    # -- the end --------------------------------------------------------------------------------------------------

    def close(self, member: Member, now: float, reason: str = "") -> None:
        """End a session and its network connection: 5.0 clients get DISCONNECT with the reason (row 75)."""
        code = ReasonCode(self._router.service.close_code)
        self._lifecycle.evict(member, now, code, reason, f"closed by the server{reason and ': '}{reason}")
        self._settle(now)

    # -- permissions ----------------------------------------------------------------------------------------------

    def grant(self, member: Member, permission: Permission, group: str | None = None) -> None:
        """Allow a member to publish or subscribe, to one group or to all.

        Raises :class:`ValueError` for what is no group name, or for too many of them.
        """
        member.grants = member.grants.granted(permission, group)

    def revoke(self, member: Member, permission: Permission, group: str | None = None) -> None:
        """Take a permission away: for one group, or altogether. Subscriptions that only it had allowed end with it, and
        retained messages are dropped that it had allowed to publish.
        """
        member.grants = member.grants.revoked(permission, group)
        if permission is Permission.PUBLISH:
            for topic in self._router.retained.of(member):
                if not member.grants.may_publish(topic):
                    self._router.retained.drop(topic)
        elif self._router.service.revoke_unsubscribes:
            for topic, subscriber in tuple(member.subscriptions.items()):
                if not subscriber.given and not may_subscribe(member.grants, topic, shared=subscriber.shared):
                    self._router.unsubscribe(member, topic)

    def has_permission(self, member: Member, permission: Permission, group: str | None = None) -> bool:
        """Whether a member may publish or subscribe to one group, or to all."""
        return member.grants.allows(permission, group)

    # -- members of other protocols -------------------------------------------------------------------------------

    def enter(self, member: Member, visitor: Visitor, now: float) -> None:
        """A client that speaks something else than MQTT becomes a member; the subscriptions of its token are its own
        to make. Raises :class:`OverflowError` at the limit of sessions, :class:`ValueError` if the id is in use.
        """
        if member.client_id in self._router.members:
            raise ValueError("the connection id is in use")
        if len(self._router.members) >= self._router.service.session_limit:
            raise OverflowError(f"the hub has {self._router.service.session_limit} sessions, which is its limit")
        visitor.client_id = member.client_id
        self._router.add(member)
        self._lifecycle.attach(member, visitor, now)
        self._router.counters.sessions_started += 1
        self._lifecycle.announce(member)

    def reattach(self, member: Member, visitor: Visitor, now: float) -> None:
        """A member of another protocol is back on a new network connection; an old one must have been dismissed."""
        if member.peer is not None:
            self._router.touched[member.peer] = None
        self._lifecycle.detach(member)
        self._lifecycle.attach(member, visitor, now)

    def depart(self, member: Member, now: float, error: Exception | None = None) -> None:
        """The network connection of such a member is over: it ends now, or after its ``expiry``."""
        self._lifecycle.closed(member, now, error)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """End the members whose queue is full. Their Wills may fill the next queue; each member ends once."""
        overflowed = self._router.overflowed
        while overflowed:
            text = "too many messages wait for this session"
            code = ReasonCode(self._router.service.overflow_code)
            self._lifecycle.evict(next(iter(overflowed)), now, code, text, f"SlowClient: {text}")
