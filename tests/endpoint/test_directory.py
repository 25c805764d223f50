"""Members of a hub seen from outside: what REST, native clients and event handlers do with them."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Publish, Subscribe, Subscription, UnsubAck, Unsubscribe
from mqttws.endpoint import Admission
from mqttws.endpoint.members import Ending, Member, Visitor
from mqttws.endpoint.messages import Message
from mqttws.endpoint.subscriptions import Subscriber
from mqttws.errors import ConnectionLost, ServerDisconnected
from mqttws.session import Closed
from mqttws.vocabulary import QoS, ReasonCode
from mqttws.webpubsub import SERVER_MESSAGES, Grants, Permission, Roles
from tests.endpoint.bench import Q0, Q1, Bench, Client

LASTING = {"session_expiry_interval": 30}


def server_message(bench: Bench, payload: bytes = b"x", **options: Any) -> Message:
    return Message.from_server(payload, bench.now, **options)


def member_of(bench: Bench, client_id: str = "c1") -> Member:
    member = bench.hub.member(client_id)
    assert member is not None
    return member


def test_row_74_members_are_found_by_id_user_and_group_online_or_not() -> None:
    bench = Bench()
    first = bench.client("a", user_id="ann", clean=False, properties=LASTING)
    bench.client("b", user_id="ann")
    bench.client("c")
    first.subscribe("g")
    first.vanish()
    hub = bench.hub
    assert [member.client_id for member in hub.members()] == ["a", "b", "c"]
    assert [member.client_id for member in hub.members_of_user("ann")] == ["a", "b"]
    assert [member.client_id for member in hub.members_of_group("g")] == ["a"]
    bench.pass_time(31)
    assert hub.member("a") is None
    assert [member.client_id for member in hub.members_of_user("ann")] == ["b"]
    assert hub.members_of_user("bob") == ()
    assert list(hub.members_of_group("g")) == []


def test_row_71_a_message_to_a_group_reaches_its_subscribers_but_those_left_out() -> None:
    bench = Bench()
    clients = [bench.client(name) for name in ("a", "b", "c")]
    for client, qos in zip(clients, (0, 1, 2), strict=True):
        client.subscribe("g", qos=qos)
    message = server_message(bench, topic="g", content_type="text/plain", lifetime=30)
    bench.hub.publish(message, bench.now, wanted=lambda member: member.client_id != "b")
    bench.settle()
    assert [client.received for client in clients] == [[("g", b"x", 0)], [], [("g", b"x", 1)]]
    assert clients[2].last(Publish).properties == {"content_type": "text/plain", "message_expiry_interval": 30}
    assert bench.counters.published == 1


@pytest.mark.parametrize("version", [4, 5])
def test_row_72_a_message_to_clients_themselves_needs_no_subscription(version: int) -> None:
    bench = Bench()
    client = bench.client(version=version, roles=())
    bench.client("other")
    bench.hub.send(bench.hub.members()[:1], server_message(bench), bench.now)
    bench.settle()
    assert client.received == [(SERVER_MESSAGES, b"x", 1)]
    assert bench.clients[1].received == []


def test_row_72_the_qos_of_such_a_message_is_a_setting() -> None:
    bench = Bench(server_message_qos=0)
    client = bench.client()
    bench.hub.send(bench.hub.members(), server_message(bench), bench.now)
    bench.settle()
    assert client.received == [(SERVER_MESSAGES, b"x", 0)]


def test_what_is_sent_to_an_offline_session_waits_for_it() -> None:
    bench = Bench()
    client = bench.client(clean=False, properties=LASTING)
    client.vanish()
    bench.hub.send(bench.hub.members(), server_message(bench), bench.now)
    again = bench.client(clean=False, properties=LASTING, session=client.connection.session)
    assert again.received == [(SERVER_MESSAGES, b"x", 1)]


def test_a_member_whose_queue_is_full_ends() -> None:
    bench = Bench(queue_messages=1)
    bench.client(clean=False, properties=LASTING).vanish()
    for _ in range(2):
        bench.hub.send(bench.hub.members(), server_message(bench), bench.now)
    assert bench.hub.is_empty


def test_row_73_a_member_is_added_to_a_group_without_a_role_and_may_not_leave_it_without() -> None:
    bench = Bench(group_qos=1)
    client = bench.client(roles=Roles.publish_anywhere())
    bench.hub.add_to_group(member_of(bench), "g")
    bench.hub.add_to_group(member_of(bench), "g")
    client.send(Publish("g", b"x", Q1))
    assert client.received == [("g", b"x", 1)]
    client.send(Unsubscribe(0, ["g"]))
    assert client.last(UnsubAck).reason_codes == [0x87]
    assert bench.hub.remove_from_group(member_of(bench), "g")
    assert not bench.hub.remove_from_group(member_of(bench), "g")
    client.send(Publish("g", b"y", Q1))
    assert len(client.received) == 1


def test_adding_to_a_group_leaves_the_client_s_own_subscription_as_it_is() -> None:
    bench = Bench()
    client = bench.client()
    client.send(Subscribe(0, [Subscription("g", QoS.EXACTLY_ONCE, no_local=True)]))
    bench.hub.add_to_group(member_of(bench), "g")
    client.send(Publish("g", b"x", Q1))
    assert client.received == []


def test_groups_have_names_and_members_a_limit_of_them() -> None:
    bench = Bench(subscription_limit=2)
    bench.client()
    member = member_of(bench)
    with pytest.raises(ValueError, match="white space"):
        bench.hub.add_to_group(member, " ")
    bench.hub.add_to_group(member, "a")
    bench.hub.add_to_group(member, "b")
    with pytest.raises(OverflowError, match="at most 2"):
        bench.hub.add_to_group(member, "c")
    bench.hub.remove_from_all_groups(member)
    assert member.subscriptions == {}
    assert list(bench.hub.members_of_group("a")) == []


@pytest.mark.parametrize("version", [4, 5])
def test_row_75_closing_ends_session_and_connection(version: int) -> None:
    bench = Bench()
    client = bench.client(version=version, clean=False, properties=LASTING if version == 5 else None)
    bench.hub.close(member_of(bench), bench.now, "maintenance")
    bench.settle()
    assert client.ended
    assert bench.hub.is_empty
    error = client.last(Closed).error
    if version == 5:
        assert isinstance(error, ServerDisconnected)
        assert error.reason_code == ReasonCode.ADMINISTRATIVE_ACTION
        assert error.properties["reason_string"] == "maintenance"
    assert any(line.startswith("SessionEnded: closed by the server: maintenance") for line in bench.lines)


def test_row_75_the_code_is_a_setting() -> None:
    bench = Bench(close_code=0x8B)
    client = bench.client()
    bench.hub.close(member_of(bench), bench.now)
    bench.settle()
    error = client.last(Closed).error
    assert isinstance(error, ServerDisconnected)
    assert (error.reason_code, error.properties) == (0x8B, {})


def test_closing_an_offline_session_ends_it() -> None:
    bench = Bench()
    bench.client(clean=False, properties=LASTING).vanish()
    bench.hub.close(member_of(bench), bench.now)
    assert bench.hub.is_empty
    assert bench.hub.next_deadline() == float("inf")


def test_row_76_permissions_are_granted_and_revoked_at_once() -> None:
    bench = Bench()
    client = bench.client(roles=())
    member = member_of(bench)
    hub = bench.hub
    assert client.subscribe("g") == [0x87]
    hub.grant(member, Permission.SUBSCRIBE, "g")
    assert client.subscribe("g", "h") == [1, 0x87]
    assert hub.has_permission(member, Permission.SUBSCRIBE, "g")
    assert not hub.has_permission(member, Permission.SUBSCRIBE)
    hub.grant(member, Permission.PUBLISH)
    client.send(Publish("g", b"x", Q0))
    assert client.received == [("g", b"x", 0)]
    hub.revoke(member, Permission.PUBLISH)
    assert not hub.has_permission(member, Permission.PUBLISH, "g")
    client.send(Publish("g", b"y", Q0))
    assert client.ended


def test_row_76_revoking_ends_the_subscriptions_that_it_had_allowed_and_no_others() -> None:
    for ends in (True, False):
        bench = Bench(revoke_unsubscribes=ends)
        bench.client(roles=Roles.subscribe("a", "b"), groups=("given",)).subscribe("a", "b")
        bench.hub.revoke(member_of(bench), Permission.SUBSCRIBE, "a")
        assert list(member_of(bench).subscriptions) == (["given", "b"] if ends else ["given", "a", "b"])


def test_granting_what_is_no_group_is_an_error() -> None:
    bench = Bench()
    bench.client()
    with pytest.raises(ValueError, match="white space"):
        bench.hub.grant(member_of(bench), Permission.PUBLISH, "")


class NativeVisitor(Visitor):
    """A connection of another protocol."""

    said: tuple[ReasonCode, str] | None = None

    def dismiss(self, now: float, code: ReasonCode, text: str = "") -> None:
        self.dismissed = True
        self.said = (code, text)


class Native(Member):
    """A member of another protocol, which takes two messages and no more."""

    inbox: list[Message]

    def offer(self, message: Message, subscriber: Subscriber, now: float) -> bool:
        self.inbox.append(message)
        return len(self.inbox) <= 2

    def forget(self, topic: str) -> None:
        self.inbox = [message for message in self.inbox if message.topic != topic]


def is_online(member: Member) -> bool:
    return member.peer is not None


def native(bench: Bench, client_id: str = "native") -> tuple[Native, NativeVisitor]:
    member = Native(client_id, "nat", Grants.from_roles(()), bench.service, bench.counters)
    member.inbox = []
    return member, NativeVisitor(Admission("chat"))


def test_a_member_of_another_protocol_hears_mqtt_clients_with_their_user_id() -> None:
    bench = Bench()
    member, visitor = native(bench)
    bench.hub.enter(member, visitor, bench.now)
    bench.hub.add_to_group(member, "g")
    bench.client(user_id="ann").send(Publish("g", b"x", Q1))
    (message,) = member.inbox
    assert (message.topic, message.payload, message.user_id) == ("g", b"x", "ann")
    assert bench.hub.members_of_user("nat") == (member,)
    bench.hub.remove_from_group(member, "g")
    assert member.inbox == []


def test_its_connection_may_be_lost_and_come_back_before_it_expires() -> None:
    bench = Bench()
    member, visitor = native(bench)
    member.expiry = 60
    bench.hub.enter(member, visitor, bench.now)
    bench.hub.depart(member, bench.now, ConnectionLost("cable"))
    assert not is_online(member)
    ending = member.ending
    assert ending == Ending("cable")
    again = NativeVisitor(Admission("chat"))
    bench.hub.reattach(member, again, bench.now)
    bench.pass_time(100)
    assert is_online(member)
    assert [member.ending, member.peer] == [None, again]
    bench.hub.depart(member, bench.now)
    bench.pass_time(61)
    assert bench.hub.is_empty


def test_it_ends_like_others_when_it_is_too_slow_or_closed_or_all_are() -> None:
    bench = Bench()
    member, visitor = native(bench)
    bench.hub.enter(member, visitor, bench.now)
    for _ in range(3):
        bench.hub.send([member], server_message(bench), bench.now)
    assert visitor.said is not None
    assert visitor.said[0] is ReasonCode.QUOTA_EXCEEDED
    other, its_visitor = native(bench)
    bench.hub.enter(other, its_visitor, bench.now)
    bench.hub.shut_down(bench.now)
    assert its_visitor.said == (ReasonCode.SERVER_SHUTTING_DOWN, "")
    assert its_visitor in bench.hub.touched()


def test_ids_are_unique_among_the_protocols_and_sessions_have_a_limit() -> None:
    bench = Bench(session_limit=2)
    bench.client("c1")
    taken, visitor = native(bench, "c1")
    with pytest.raises(ValueError, match="in use"):
        bench.hub.enter(taken, visitor, bench.now)
    member, visitor = native(bench)
    bench.hub.enter(member, visitor, bench.now)
    assert bench.client("native").connack.reason_code == ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
    assert bench.client("native", version=4).connack.reason_code == 2
    assert bench.hub.session("native") is None
    with pytest.raises(OverflowError, match="limit"):
        bench.hub.enter(*native(bench, "third"), bench.now)


def test_a_client_that_has_left_cannot_be_dismissed_twice() -> None:
    bench = Bench()
    client: Client = bench.client()
    bench.hub.close(member_of(bench), bench.now)
    bench.settle()
    assert len(client.all(Closed)) == 1


@pytest.mark.parametrize("group", ["#", "a/+", "C#", "a\0b", "half \ud800"])
def test_any_name_does_for_a_group_and_is_no_wildcard_but_only_a_topic_name_reaches_mqtt(group: str) -> None:
    bench = Bench()
    client = bench.client(groups=("x",))
    bench.hub.add_to_group(member_of(bench), group)
    for topic in (group, "a/b", "x"):
        bench.hub.publish(Message.from_server(b"hi", bench.now, topic=topic), bench.now)
    bench.settle()
    assert [topic for topic, _, _ in client.received] == ["x"]
    assert bench.counters.dropped == 1
    assert bench.hub.remove_from_group(member_of(bench), group)
