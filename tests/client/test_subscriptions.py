"""SUBSCRIBE and UNSUBSCRIBE: one for each filter, however many streams want it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, Messages
from mqttws.codec import ConnAck, Publish, SubAck, Subscribe, Subscription, Unsubscribe
from mqttws.errors import ConnectionLost, LocalProtocolError, SubscribeRefused
from mqttws.vocabulary import QoS, ReasonCode, RetainHandling
from tests.client.scripted import Peer, open_pair


class Held:
    """A subscription in a task of its own, which the test ends when it likes."""

    def __init__(self, client: Client, *topic_filters: str, **options: Any) -> None:
        self.client, self.topic_filters, self.options = client, topic_filters, options
        self.messages: Messages | None = None
        self.error: Exception | None = None
        self.leave = trio.Event()
        self.scope = trio.CancelScope()

    @property
    def is_open(self) -> bool:
        return self.messages is not None

    async def __call__(self) -> None:
        with self.scope:
            try:
                async with self.client.subscribe(*self.topic_filters, **self.options) as self.messages:
                    await self.leave.wait()
            except (SubscribeRefused, LocalProtocolError, ConnectionLost) as error:
                self.error = error


async def nothing_more(peer: Peer) -> None:
    """The client has sent no packet that the peer has not seen."""
    with trio.move_on_after(1) as scope:
        event = await peer.next()
        raise AssertionError(f"unexpected {event}")
    assert scope.cancelled_caught


@trio_test
async def test_the_block_is_entered_when_suback_has_come(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a", "b/#", qos=2, no_local=True, retain_handling=RetainHandling.DO_NOT_SEND)
        nursery.start_soon(held)
        subscribe = await peer.expect(Subscribe)
        assert subscribe.subscriptions == [
            Subscription("a", QoS.EXACTLY_ONCE, True, False, RetainHandling.DO_NOT_SEND),
            Subscription("b/#", QoS.EXACTLY_ONCE, True, False, RetainHandling.DO_NOT_SEND),
        ]
        await trio.testing.wait_all_tasks_blocked()
        assert [held.is_open] == [False]
        await peer.send(SubAck(subscribe.packet_id, [2, 1]))
        await trio.testing.wait_all_tasks_blocked()
        assert held.messages is not None
        assert held.messages.reason_codes == (2, 1)
        held.leave.set()
        assert (await peer.release()).topic_filters == ["a", "b/#"]


@trio_test
async def test_properties_go_along(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a", properties={"user_property": [("k", "v")]})
        nursery.start_soon(held)
        assert (await peer.grant()).properties == {"user_property": [("k", "v")]}
        held.leave.set()


@trio_test
async def test_messages_that_come_before_suback_are_not_lost(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def server() -> None:
            subscribe = await peer.expect(Subscribe)
            await peer.send(Publish("a", b"early"), SubAck(subscribe.packet_id, [1]))

        async with client.subscribe("a") as messages:
            assert (await anext(messages)).payload == b"early"


@trio_test
async def test_a_refused_filter_raises_and_the_granted_ones_are_given_back(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a", "b")
        nursery.start_soon(held)
        await peer.grant(1, ReasonCode.NOT_AUTHORIZED)
        assert (await peer.release()).topic_filters == ["a"]
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(held.error, SubscribeRefused)
        assert held.error.reason_codes == (1, ReasonCode.NOT_AUTHORIZED)
        assert str(held.error) == "subscribe refused: b: 0x87 Not authorized"
        await nothing_more(peer)


@trio_test
async def test_the_same_filter_twice_is_one_subscribe_and_one_unsubscribe(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        first, second = Held(client, "a"), Held(client, "a", "a", qos=0)
        nursery.start_soon(first)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(second)
        await peer.grant()
        await trio.testing.wait_all_tasks_blocked()
        await peer.send(Publish("a", b"x"))
        for held in (first, second):
            assert held.messages is not None
            assert (await anext(held.messages)).payload == b"x"
        first.leave.set()
        await nothing_more(peer)
        second.leave.set()
        assert (await peer.release()).topic_filters == ["a"]


@trio_test
async def test_both_hear_of_it_when_it_is_refused(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        first, second = Held(client, "a"), Held(client, "a")
        nursery.start_soon(first)
        nursery.start_soon(second)
        await peer.grant(ReasonCode.QUOTA_EXCEEDED)
        await nothing_more(peer)
        assert isinstance(first.error, SubscribeRefused)
        assert isinstance(second.error, SubscribeRefused)


@trio_test
async def test_a_higher_qos_is_asked_for_anew_and_the_old_one_stays_if_that_is_refused(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        low, high = Held(client, "a", qos=1), Held(client, "a", qos=2)
        nursery.start_soon(low)
        await peer.grant()
        nursery.start_soon(high)
        assert (await peer.grant(ReasonCode.UNSPECIFIED_ERROR)).subscriptions[0].qos == QoS.EXACTLY_ONCE
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(high.error, SubscribeRefused)
        same = Held(client, "a", qos=1)
        nursery.start_soon(same)
        await trio.testing.wait_all_tasks_blocked()
        assert same.messages is not None
        assert same.messages.reason_codes == (1,)
        low.leave.set()
        same.leave.set()
        assert (await peer.release()).topic_filters == ["a"]


@trio_test
async def test_that_holds_as_well_while_the_first_answer_is_on_its_way(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        low, high = Held(client, "a", qos=1), Held(client, "a", qos=2)
        nursery.start_soon(low)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(high)
        await trio.testing.wait_all_tasks_blocked()
        await peer.grant()
        await peer.grant(ReasonCode.UNSPECIFIED_ERROR)
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(high.error, SubscribeRefused)
        low.leave.set()
        assert (await peer.release()).topic_filters == ["a"]


@trio_test
async def test_a_higher_qos_that_is_granted_holds_for_both(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        low, high = Held(client, "a", qos=0), Held(client, "a", qos=1)
        nursery.start_soon(low)
        await peer.grant()
        nursery.start_soon(high)
        await peer.grant()
        await trio.testing.wait_all_tasks_blocked()
        assert high.messages is not None
        assert high.messages.reason_codes == (1,)
        nursery.cancel_scope.cancel()


@trio_test
async def test_other_options_for_a_filter_in_use_are_refused_here(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a")
        nursery.start_soon(held)
        await peer.grant()
        with pytest.raises(LocalProtocolError, match="'a' is subscribed already, with other options"):
            async with client.subscribe("a", no_local=True):
                raise AssertionError("not reached")
        held.leave.set()
        assert (await peer.release()).topic_filters == ["a"]


@trio_test
async def test_kept_it_stays_in_the_session(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        first, second = Held(client, "a", keep=True), Held(client, "a")
        nursery.start_soon(first)
        await peer.grant()
        nursery.start_soon(second)
        await trio.testing.wait_all_tasks_blocked()
        first.leave.set()
        second.leave.set()
        await nothing_more(peer)
        await peer.send(Publish("a", b"later", QoS.AT_LEAST_ONCE))
        async with client.messages() as messages:
            assert (await anext(messages)).payload == b"later"


@trio_test
async def test_cancelled_before_suback_the_filter_is_given_back(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a")
        nursery.start_soon(held)
        subscribe = await peer.expect(Subscribe)
        held.scope.cancel()
        assert (await peer.release()).topic_filters == ["a"]
        again = Held(client, "a")
        nursery.start_soon(again)
        await trio.testing.wait_all_tasks_blocked()
        # The answer to the first comes last: it says nothing about the second.
        await peer.send(SubAck(subscribe.packet_id, [ReasonCode.UNSPECIFIED_ERROR]))
        assert [again.is_open] == [False]
        await peer.grant()
        await trio.testing.wait_all_tasks_blocked()
        assert [again.is_open] == [True]
        again.leave.set()
        await peer.expect(Unsubscribe)


@trio_test
async def test_a_refused_unsubscribe_is_a_line_in_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mqttws.client"):
        async with open_pair() as (client, peer), trio.open_nursery() as nursery:
            held = Held(client, "a", "b")
            nursery.start_soon(held)
            await peer.grant()
            held.leave.set()
            await peer.release(ReasonCode.SUCCESS, ReasonCode.NOT_AUTHORIZED)
            await trio.testing.wait_all_tasks_blocked()
    assert caplog.messages == ["UNSUBSCRIBE of 'b' refused: 0x87 Not authorized"]


@trio_test
async def test_unsuback_says_nothing_in_3_1_1(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_pair(version=4) as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a")
        nursery.start_soon(held)
        await peer.grant()
        held.leave.set()
        await peer.release()
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("filters", "options", "error", "words"),
    [
        ((), {}, ValueError, "at least one Topic Filter"),
        (("a",), {"qos": 3}, ValueError, "qos is 0, 1 or 2, not 3"),
        (("a",), {"retain_handling": 3}, ValueError, "3 is not a valid RetainHandling"),
        (("a", "b#"), {}, LocalProtocolError, "'#' stands alone"),
        (("$share/g",), {}, LocalProtocolError, "a shared subscription reads"),
        (("a",), {"buffer": 0}, ValueError, "at least one message"),
    ],
)
@trio_test
async def test_what_cannot_be_subscribed_sends_nothing(
    filters: tuple[str, ...],
    options: dict[str, Any],
    error: type[Exception],
    words: str,
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as (client, peer):
        with pytest.raises(error, match=words):
            async with client.subscribe(*filters, **options):
                raise AssertionError("not reached")
        await nothing_more(peer)


@trio_test
async def test_what_the_server_does_not_offer_is_refused_here(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"wildcard_subscription_available": 0, "shared_subscription_available": 0})
    async with open_pair(connack) as (client, peer):
        for topic_filter in ("a/#", "$share/g/a"):
            with pytest.raises(LocalProtocolError):
                async with client.subscribe(topic_filter):
                    raise AssertionError("not reached")
        await nothing_more(peer)


@trio_test
async def test_the_end_of_the_connection_ends_the_wait_for_suback(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        held = Held(client, "a")
        nursery.start_soon(held)
        await peer.expect(Subscribe)
        await peer.vanish()
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(held.error, ConnectionLost)
