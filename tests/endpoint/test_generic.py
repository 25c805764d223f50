"""The profile ``generic``: a plain MQTT server with what the standard has and the service has not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from trio.testing import trio_test

from mqttws.codec import Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will
from mqttws.endpoint import Hub, Service, open_endpoint
from mqttws.session import Delivered
from mqttws.vocabulary import ReasonCode, RetainHandling
from mqttws.webpubsub import Permission, Roles
from tests.endpoint.bench import Q0, Q1, Q2, Bench, Client
from tests.endpoint.wires import connected, open_wire, until_empty

VERSIONS = pytest.mark.parametrize("version", [4, 5])


class GenericBench(Bench):
    """A bench whose hub has the profile ``generic``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.service = Service.of("generic").changed(**settings)
        self.hub = Hub("chat", self.service, log=self.log, counters=self.counters)


def payloads(client: Client) -> list[bytes]:
    return [payload for _, payload, _ in client.received]


# -- wildcards --------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    ("topic_filter", "expected"),
    [
        ("#", [b"a", b"a/b", b"a/b/c", b"/a"]),
        ("a/#", [b"a", b"a/b", b"a/b/c"]),
        ("a/+", [b"a/b"]),
        ("+/b", [b"a/b"]),
        ("+/+/c", [b"a/b/c"]),
        ("+", [b"a"]),
        ("/+", [b"/a"]),
        ("+/+", [b"a/b", b"/a"]),
        ("a/b/#", [b"a/b", b"a/b/c"]),
        ("b/#", []),
        ("$SYS/#", [b"$SYS/x"]),
        ("$SYS/+", [b"$SYS/x"]),
        ("+/x", []),
    ],
)
def test_wildcards_match_as_the_standard_says(version: int, topic_filter: str, expected: list[bytes]) -> None:
    bench = GenericBench()
    client = bench.client(version=version)
    assert client.subscribe(topic_filter) == [1]
    other = bench.client("other")
    for topic in ("a", "a/b", "a/b/c", "/a", "$SYS/x"):
        other.send(Publish(topic, topic.encode()))
    assert payloads(client) == expected
    client.send(Unsubscribe(0, [topic_filter]))
    other.send(Publish("a/b", b"late"), Publish("$SYS/x", b"late"))
    assert payloads(client) == expected


def test_overlapping_subscriptions_make_one_delivery_with_the_highest_qos_and_all_identifiers() -> None:
    bench = GenericBench()
    client = bench.client()
    client.subscribe("a/b", qos=0, subscription_identifier=1)
    client.subscribe("a/+", qos=2, subscription_identifier=2)
    client.subscribe("#", qos=1)
    bench.client("other").send(Publish("a/b", b"x", Q2))
    assert client.received == [("a/b", b"x", 2)]
    assert sorted(client.last(Publish).properties["subscription_identifier"]) == [1, 2]


def test_no_local_counts_for_its_own_subscription_only() -> None:
    bench = GenericBench()
    client = bench.client()
    client.send(Subscribe(0, [Subscription("a", Q2, no_local=True), Subscription("+", Q0)]))
    client.send(Publish("a", b"mine", Q2))
    assert client.received == [("a", b"mine", 0)]
    client.send(Unsubscribe(0, ["+"]))
    client.send(Publish("a", b"mine too", Q2))
    assert payloads(client) == [b"mine"]


def test_what_waits_for_one_of_two_matching_subscriptions_waits_on_when_the_other_has_ended() -> None:
    bench = GenericBench()
    client = bench.client(properties={"receive_maximum": 1}, acknowledges=False)
    client.subscribe("a", "#")
    bench.client("other").send(Publish("a", b"1", Q1), Publish("a", b"2", Q1))
    client.send(Unsubscribe(0, ["a"]))
    client.connection.acknowledge(client.last(Publish))
    bench.settle()
    assert payloads(client) == [b"1", b"2"]


def test_a_filter_with_wildcards_has_a_bounded_number_of_levels() -> None:
    client = GenericBench(filter_levels=3).client()
    assert client.subscribe("a/b/#", "a/b/c/#", "a/b/c/d") == [1, 0x8F, 1]


def test_a_filter_with_wildcards_takes_the_role_for_everything_or_for_just_this_filter() -> None:
    bench = GenericBench()
    roles = (*Roles.subscribe("a/+"), *Roles.subscribe_matching("b/*"))
    client = bench.client(roles=roles)
    assert client.subscribe("a/+", "b/c", "b/#", "#") == [1, 1, 0x87, 0x87]
    assert bench.client("other").subscribe("#") == [1]


# -- shared subscriptions ---------------------------------------------------------------------------------------------


def test_each_message_reaches_one_of_those_who_share_in_turn_and_everybody_else() -> None:
    bench = GenericBench()
    first, second, alone = (bench.client(name) for name in ("first", "second", "alone"))
    for client in (first, second):
        assert client.subscribe("$share/n/a/+", qos=2) == [2]
    alone.subscribe("a/+")
    bench.client("other").send(*(Publish("a/b", b"%d" % number, Q1) for number in range(4)))
    assert (payloads(first), payloads(second)) == ([b"0", b"2"], [b"1", b"3"])
    assert len(alone.received) == 4


def test_who_is_offline_is_passed_over_unless_all_are() -> None:
    bench = GenericBench()
    lasting: Any = {"clean": False, "properties": {"session_expiry_interval": 100}}
    first, second = (bench.client(name, **lasting) for name in ("first", "second"))
    first.subscribe("$share/n/a")
    second.subscribe("$share/n/a")
    first.vanish()
    other = bench.client("other")
    other.send(Publish("a", b"1", Q1), Publish("a", b"2", Q1))
    assert payloads(second) == [b"1", b"2"]
    second.vanish()
    other.send(Publish("a", b"3", Q1))
    back = [bench.client(c.connection.client_id, session=c.connection.session, **lasting) for c in (first, second)]
    assert [payload for client in back for payload in payloads(client)] == [b"3"]


def test_shares_of_different_names_and_filters_are_separate_and_end_with_their_last_member() -> None:
    bench = GenericBench()
    client = bench.client()
    assert client.subscribe("$share/n/a", "$share/m/a", "$share/n/#") == [1, 1, 1]
    bench.client("other").send(Publish("a", b"x", Q1))
    assert len(client.received) == 3
    client.send(Unsubscribe(0, ["$share/n/a", "$share/m/a", "$share/n/#", "$share/n/b"]))
    assert client.last(UnsubAck).reason_codes == [0, 0, 0, 0x11]
    assert len(bench.hub._router.index) == 0


def test_a_share_ends_with_the_sessions_that_had_it() -> None:
    bench = GenericBench()
    client = bench.client()
    client.subscribe("$share/n/a", "$share/n/+")
    client.vanish()
    assert len(bench.hub._router.index) == 0


@pytest.mark.parametrize("topic_filter", ["$share/n", "$share//a", "$share/n/", "$share/+/a", "$share/n/a/#/b"])
def test_a_malformed_share_is_no_filter(topic_filter: str) -> None:
    client = GenericBench().client()
    client.send_raw(raw_subscribe(topic_filter))
    assert client.ended or client.last(SubAck).reason_codes == [0x8F]


def raw_subscribe(topic_filter: str) -> bytes:
    """A SUBSCRIBE that nobody would encode."""
    text = topic_filter.encode()
    body = b"\x00\x01\x00" + len(text).to_bytes(2, "big") + text + b"\x01"
    return bytes([0x82, len(body)]) + body


def test_to_3_1_1_a_share_is_an_ordinary_filter() -> None:
    bench = GenericBench()
    client = bench.client(version=4)
    assert client.subscribe("$share/n/a") == [1]
    other = bench.client("other", version=4)
    other.send(Publish("a", b"no"), Publish("$share/n/a", b"yes"))
    assert payloads(client) == [b"yes"]


def test_a_session_that_changes_its_version_changes_what_its_filter_means() -> None:
    bench = GenericBench()
    old = bench.client(version=4, clean=False)
    old.subscribe("$share/n/a")
    old.vanish()
    new = bench.client(clean=False, session=old.connection.session, properties={"session_expiry_interval": 9})
    new.subscribe("$share/n/a")
    other = bench.client("other")
    other.send(Publish("$share/n/a", b"no", Q1), Publish("a", b"yes", Q1))
    assert payloads(new) == [b"yes"]


def test_the_role_for_the_inner_filter_is_the_role_for_the_share() -> None:
    client = GenericBench().client(roles=Roles.subscribe("a"))
    assert client.subscribe("$share/n/a", "$share/n/b") == [1, 0x87]
    client.send(Unsubscribe(0, ["$share/n/a"]))
    assert client.last(UnsubAck).reason_codes == [0]


# -- retained messages ------------------------------------------------------------------------------------------------


@VERSIONS
def test_the_latest_retained_message_awaits_who_subscribes(version: int) -> None:
    bench = GenericBench()
    other = bench.client("other", version=version)
    other.send(Publish("a/b", b"1", Q1, True), Publish("a/b", b"2", Q2, True), Publish("c", b"3", Q0, True))
    client = bench.client(version=version)
    client.subscribe("a/+")
    assert client.received == [("a/b", b"2", 1)]
    assert client.last(Publish).retain
    other.send(Publish("a/b", b"live", Q1, True))
    assert not client.last(Publish).retain
    assert len(bench.hub._router.retained) == 2


@VERSIONS
def test_an_empty_retained_message_removes_the_one_there_is_and_is_delivered(version: int) -> None:
    bench = GenericBench()
    other = bench.client("other", version=version)
    other.send(Publish("a", b"1", Q1, True))
    client = bench.client(version=version)
    client.subscribe("a")
    other.send(Publish("a", b"", Q1, True), Publish("a", b"", Q1, True))
    assert payloads(client) == [b"1", b"", b""]
    late = bench.client("late", version=version)
    late.subscribe("#")
    assert late.received == []
    assert bench.hub._router.retained.size == 0


@pytest.mark.parametrize(
    ("handling", "first", "again"),
    [(RetainHandling.SEND, 1, 2), (RetainHandling.SEND_IF_NEW, 1, 1), (RetainHandling.DO_NOT_SEND, 0, 0)],
)
def test_retain_handling_says_when_they_come(handling: RetainHandling, first: int, again: int) -> None:
    bench = GenericBench()
    bench.client("other").send(Publish("a", b"1", Q1, True))
    client = bench.client()
    for count in (first, again):
        client.send(Subscribe(0, [Subscription("a", Q1, retain_handling=handling)]))
        assert len(client.received) == count


def test_a_share_gets_no_retained_messages() -> None:
    bench = GenericBench()
    bench.client("other").send(Publish("a", b"1", Q1, True))
    client = bench.client()
    client.subscribe("$share/n/a")
    assert client.received == []


def test_a_retained_message_comes_with_its_properties_the_identifier_and_what_is_left_of_its_expiry() -> None:
    bench = GenericBench()
    properties: Any = {"message_expiry_interval": 10, "content_type": "text/plain"}
    bench.client("other").send(Publish("a", b"1", Q1, True, properties=properties))
    bench.pass_time(4)
    client = bench.client()
    client.subscribe("a", subscription_identifier=7)
    assert client.last(Publish).properties == {
        "message_expiry_interval": 6,
        "content_type": "text/plain",
        "subscription_identifier": [7],
    }
    bench.pass_time(7)
    client.subscribe("a", "#")
    assert len(client.received) == 1


def test_retained_messages_are_bounded_and_expired_ones_make_room() -> None:
    bench = GenericBench(retained_limit=2, retained_bytes=2000)
    client = bench.client()
    properties: Any = {"message_expiry_interval": 5}
    client.send(Publish("a", b"1", Q1, True), Publish("b", b"2", Q1, True, properties=properties))
    client.send(Publish("c", b"3", Q1, True))
    assert client.last(Delivered).reason_code == ReasonCode.QUOTA_EXCEEDED
    client.send(Publish("a", b"x" * 1900, Q1, True))
    assert client.last(Delivered).reason_code == ReasonCode.QUOTA_EXCEEDED
    client.send(Publish("c", b"3", Q0, True))
    assert not client.ended
    client.send(Publish("a", b"other", Q1, True))
    assert client.last(Delivered).reason_code == 0
    bench.pass_time(6)
    client.send(Publish("c", b"3", Q1, True))
    assert client.last(Delivered).reason_code == 0
    client.subscribe("#")
    assert sorted(payloads(client)) == [b"3", b"other"]


@VERSIONS
def test_a_will_may_be_retained(version: int) -> None:
    bench = GenericBench()
    client = bench.client(version=version, will=Will("w", b"gone", Q1, True))
    assert client.connack.reason_code == 0
    client.vanish()
    late = bench.client("late")
    late.subscribe("w")
    assert payloads(late) == [b"gone"]
    full = bench.client("full", version=version, will=Will("x", b"gone", Q1, True))
    object.__setattr__(bench.service, "retained_limit", 1)
    full.vanish()
    assert any(line.startswith("RetainedFull") for line in bench.lines)


def test_retained_messages_go_with_the_right_to_publish_them() -> None:
    bench = GenericBench()
    client = bench.client()
    client.send(Publish("a", b"1", Q1, True), Publish("b", b"2", Q1, True))
    member = bench.hub.members()[0]
    bench.hub.revoke(member, Permission.PUBLISH)
    late = bench.client("late")
    late.subscribe("#")
    assert late.received == []
    assert bench.hub._router.retained.size == 0


def test_what_is_refused_is_not_retained() -> None:
    bench = GenericBench()
    client = bench.client(roles=Roles.subscribe_anywhere())
    client.send(Publish("a", b"1", Q1, True))
    assert client.last(Delivered).reason_code == ReasonCode.NOT_AUTHORIZED
    client.subscribe("#")
    assert client.received == []


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_connack_of_the_generic_profile_restricts_nothing_and_offers_aliases() -> None:
    client = GenericBench().client(properties={"session_expiry_interval": 0xFFFF_FFFF}, keep_alive=0)
    assert client.connack.properties == {
        "receive_maximum": 100,
        "maximum_packet_size": 1_048_576,
        "topic_alias_maximum": 100,
    }


def test_a_session_may_last_for_ever() -> None:
    bench = GenericBench()
    client = bench.client(clean=False, properties={"session_expiry_interval": 0xFFFF_FFFF})
    client.subscribe("a")
    client.vanish()
    bench.pass_time(10 * 365 * 86_400)
    bench.client("other").send(Publish("a", b"at last", Q2))
    assert payloads(bench.client(clean=False, session=client.connection.session)) == [b"at last"]


def test_a_3_1_1_session_lasts_as_long() -> None:
    bench = GenericBench()
    client = bench.client(version=4, clean=False, keep_alive=0)
    assert client.connack.reason_code == 0
    client.vanish()
    bench.pass_time(365 * 86_400)
    assert bench.client(version=4, clean=False, session=client.connection.session).connack.session_present


@VERSIONS
def test_any_client_id_and_any_topic_pass(version: int) -> None:
    bench = GenericBench()
    client = bench.client("mqttjs_1/ä b", version=version)
    assert client.subscribe(" ", "x" * 60_000, "$webpubsub/server/messages") == [1, 1, 1]
    client.send(
        Publish(" ", b"1", Q1), Publish("x" * 60_000, b"2", Q1), Publish("$webpubsub/server/messages", b"3", Q1)
    )
    assert payloads(client) == [b"1", b"2", b"3"]


def test_a_3_1_1_client_without_an_id_gets_one_if_its_session_is_clean() -> None:
    bench = GenericBench()
    assert bench.client("", version=4).connack.reason_code == 0


def test_the_webpubsub_profile_has_none_of_it() -> None:
    bench = Bench()
    client = bench.client()
    client.connection.limits.wildcard_subscription_available = True
    client.connection.limits.shared_subscription_available = True
    assert client.subscribe("#", "$share/n/a") == [0xA2, 0x9E]
    assert bench.hub.next_deadline() == math.inf


@trio_test
@pytest.mark.parametrize("version", [4, 5])
async def test_a_client_without_a_token_may_do_everything_at_any_path(version: int) -> None:
    lines: list[str] = []
    async with (
        open_endpoint(profile="generic", log=lines.append) as endpoint,
        open_wire(endpoint, "under_score", version=version, target="/mqtt") as wire,
        open_wire(endpoint, "other-one", version=version) as other,
    ):
        await connected(wire)
        await connected(other)
        wire.send(Subscribe(0, [Subscription("a/#", Q1)]))
        assert (await wire.next(SubAck)).reason_codes == [1]
        other.send(Publish("a/b", b"across paths", Q1))
        assert (await wire.next(Publish)).payload == b"across paths"
    assert "profile: generic" in lines[0]


@trio_test
async def test_retained_messages_outlive_the_last_client_in_a_bounded_number_of_hubs() -> None:
    names = [f"hub{number}" for number in range(18)]
    async with open_endpoint(profile="generic") as endpoint:
        for name in names:
            async with open_wire(endpoint, hub=name) as wire:
                await connected(wire)
                wire.send(Publish("a", b"kept", Q1, True))
                assert (await wire.next(Delivered)).reason_code == 0
            await until_empty(endpoint)
        assert [name for name in names if endpoint.hub(name) is not None] == names[2:]
        async with open_wire(endpoint, hub=names[-1]) as wire:
            await connected(wire)
            wire.send(Subscribe(0, [Subscription("a", Q0)]))
            assert (await wire.next(Publish)).payload == b"kept"
            wire.send(Publish("a", b"", Q1, True))
            await wire.next(Delivered)
        await until_empty(endpoint)
        assert endpoint.hub(names[-1]) is None
