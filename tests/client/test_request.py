"""Requests: many at a time over one response subscription, each gets its own response."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import ClientState, Message, open_client
from mqttws.codec import ConnAck, Disconnect, Publish, SubAck, Subscribe, Unsubscribe
from mqttws.errors import LocalProtocolError, PublishRefused, QueueFull, ServerDisconnected, SubscribeRefused
from mqttws.vocabulary import QoS, ReasonCode
from tests.client.scripted import URL, Peer, Server, open_pair


def response(request: Publish, payload: bytes, **said: Any) -> Publish:
    """What a responder publishes."""
    properties: Any = {"correlation_data": request.properties.get("correlation_data")} | said
    return Publish(request.properties.get("response_topic", ""), payload, QoS.AT_MOST_ONCE, properties=properties)


async def asked(peer: Peer) -> Publish:
    """The next request, acknowledged."""
    publish = await peer.expect(Publish)
    if publish.qos:
        await peer.acknowledge(publish)
    return publish


async def echo(peer: Peer, times: int = 1) -> None:
    """Respond to requests with what they say, in capitals."""
    for _ in range(times):
        request = await asked(peer)
        await peer.send(response(request, request.payload.upper()))


@trio_test
async def test_a_request_brings_its_response(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            subscribe = await peer.grant()
            (subscription,) = subscribe.subscriptions
            request = await peer.expect(Publish)
            assert (request.topic, request.payload, request.qos) == ("service", b"hello", QoS.AT_MOST_ONCE)
            assert request.properties.get("content_type") == "text/plain"
            assert request.properties.get("response_topic") == subscription.topic_filter
            await peer.send(response(request, b"world", content_type="x"))

        properties: Any = {"content_type": "text/plain"}
        answer = await client.request("service", "hello", properties=properties)
        assert (answer.payload, answer.properties["content_type"]) == (b"world", "x")
        assert properties == {"content_type": "text/plain"}
        assert client.late_answers == 0


@trio_test
async def test_many_requests_share_one_subscription_and_find_their_responses(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        answers: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            answers[number] = (await client.request("service", b"%d" % number, qos=number % 2)).payload

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)
            await peer.grant()
            requests = [await asked(peer) for _ in range(100)]
            for request in reversed(requests):
                await peer.send(response(request, request.payload * 2))
        assert answers == {number: b"%d%d" % (number, number) for number in range(100)}
        assert len({request.properties.get("correlation_data") for request in requests}) == 100
        assert len({request.properties.get("response_topic") for request in requests}) == 1


@trio_test
async def test_the_response_subscription_stays_until_the_block_is_left(autojump_clock: MockClock) -> None:
    server, rest = Server(), []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.greet()
            await peer.grant()
            await echo(peer, 3)
            rest.extend(await peer.finish())

        async with open_client(URL, dial=server.dial) as client:
            for word in ("one", "two", "three"):
                assert (await client.request("service", word)).payload == word.upper().encode()
    assert [type(event) for event in rest[:2]] == [Unsubscribe, Disconnect]


@pytest.mark.parametrize(
    ("information", "base"), [("replies/me", "replies/me/"), ("replies/me/", "replies/me/"), (None, "response/")]
)
@trio_test
async def test_the_response_topic_is_below_what_the_server_recommends(
    information: str | None, base: str, autojump_clock: MockClock
) -> None:
    said: Any = {} if information is None else {"response_information": information}
    asking: Any = {"request_response_information": 1}
    topics = []
    for _ in range(2):
        async with open_pair(ConnAck(properties=said), properties=asking) as (client, peer):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.request, "service")
                subscribe = await peer.grant()
                await echo(peer)
            topics.append(subscribe.subscriptions[0].topic_filter)
    assert all(topic.startswith(base) and len(topic) == len(base) + 20 for topic in topics)
    assert topics[0] != topics[1]


@trio_test
async def test_a_response_topic_can_be_chosen(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            subscribe = await peer.grant()
            assert subscribe.subscriptions[0].topic_filter == "replies/mine"
            await echo(peer, 2)

        for _ in range(2):
            assert (await client.request("service", b"x", response_topic="replies/mine")).topic == "replies/mine"


@trio_test
async def test_cancelled_a_late_response_is_dropped_and_counted(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        with trio.move_on_after(5) as deadline:
            await client.request("service", b"slow")
        assert deadline.cancelled_caught
        request = await asked(peer)
        await peer.send(response(request, b"late"))

        @nursery.start_soon
        async def serve() -> None:
            request = await asked(peer)
            await peer.send(response(request, b"good"), response(request, b"twice"))
            await peer.send(Publish(request.properties.get("response_topic", ""), b"about nothing"))

        assert (await client.request("service", b"quick")).payload == b"good"
        await trio.testing.wait_all_tasks_blocked()
        assert client.late_answers == 3


@trio_test
async def test_a_request_that_is_refused_waits_for_nothing(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await peer.grant()
            await peer.acknowledge(await peer.expect(Publish), ReasonCode.NOT_AUTHORIZED)

        with pytest.raises(PublishRefused):
            await client.request("service", qos=1)


@trio_test
async def test_a_refused_response_topic_is_the_requests_error_and_is_tried_again(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            subscribe = await peer.expect(Subscribe)
            await peer.send(SubAck(subscribe.packet_id, [ReasonCode.NOT_AUTHORIZED]))
            await peer.grant()
            await echo(peer)

        with pytest.raises(SubscribeRefused):
            await client.request("service")
        assert (await client.request("service", b"x")).payload == b"X"


@trio_test
async def test_when_the_client_ends_every_request_ends_with_it(autojump_clock: MockClock) -> None:
    async with open_pair(reconnect=None) as (client, peer), trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ServerDisconnected):
                await client.request("service")

        for _ in range(3):
            nursery.start_soon(ask)
        await peer.grant()
        for _ in range(3):
            await asked(peer)
        await peer.send(Disconnect(ReasonCode.ADMINISTRATIVE_ACTION))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ServerDisconnected):
            await client.request("service")


@trio_test
async def test_a_request_outlives_a_connection(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            first = await server.accept()
            await first.greet()
            await first.grant()
            request = await asked(first)
            await first.vanish()
            second = await server.accept()
            await second.greet()  # without the Session: the client subscribes anew
            await second.grant()
            await second.send(response(request, b"at last"))
            await second.finish()

        async with open_client(URL, dial=server.dial) as client:
            assert (await client.request("service", b"x")).payload == b"at last"
            assert client.state is ClientState.OPEN


@trio_test
async def test_leaving_the_block_ends_requests_of_others(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        async with open_pair() as (client, peer):

            @nursery.start_soon
            async def ask() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await client.request("service")

            await peer.grant()
            await asked(peer)
        assert client.state is ClientState.CLOSED


@trio_test
async def test_sixteen_response_topics_are_kept_and_idle_ones_make_room(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        given_up = []

        async def serve() -> None:
            """Respond on idle topics only."""
            while True:
                event = await peer.next()
                if isinstance(event, Subscribe):
                    await peer.send(SubAck(event.packet_id, [1]))
                elif isinstance(event, Unsubscribe):
                    given_up.extend(event.topic_filters)
                elif isinstance(event, Publish) and event.payload == b"now":
                    await peer.send(response(event, b"yes"), response(event, b"twice"))

        nursery.start_soon(serve)
        for number in range(20):
            await client.request("service", b"now", response_topic=f"idle/{number}")
        await trio.testing.wait_all_tasks_blocked()
        assert given_up == [f"idle/{number}" for number in range(4)]
        assert client.late_answers == 20

        async def wait(topic: str) -> Message:
            return await client.request("service", b"later", response_topic=topic)

        for number in range(16):
            nursery.start_soon(wait, f"busy/{number}")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(QueueFull, match="requests wait on 16 response topics"):
            await wait("one/more")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["response_topic", "correlation_data"])
@trio_test
async def test_what_finds_the_response_is_not_the_callers_to_set(name: str, autojump_clock: MockClock) -> None:
    async with open_pair() as (client, _):
        properties: Any = {name: "x"}
        with pytest.raises(ValueError, match=f"{name} does not belong into properties"):
            await client.request("service", properties=properties)


@trio_test
async def test_3_1_1_knows_no_responses(autojump_clock: MockClock) -> None:
    async with open_pair(version=4) as (client, _):
        with pytest.raises(LocalProtocolError, match="requests need version 5"):
            await client.request("service")
