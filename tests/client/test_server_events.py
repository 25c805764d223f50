"""User events of Web PubSub, and what its server sends to a client."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import open_client
from mqttws.client.server_events import REMEMBERED
from mqttws.codec import Publish
from mqttws.endpoint import open_endpoint
from mqttws.errors import EventFailed, LocalProtocolError, PublishRefused, ServerDisconnected
from mqttws.vocabulary import QoS, ReasonCode
from mqttws.webpubsub import SERVER_MESSAGES
from tests.client.scripted import Peer, open_pair

VERSIONS = pytest.mark.parametrize("version", [4, 5])


def answer(event: Publish, payload: bytes, *, status: int = 200) -> Publish:
    """The service's answer to an event."""
    outcome = "succeeded" if status < 300 else "failed"
    said: Any = {}
    if "correlation_data" in event.properties:
        said = {
            "correlation_data": event.properties["correlation_data"],
            "user_property": [("azure-status-code", str(status))],
        }
    return Publish(f"{event.topic}/{outcome}", payload, event.qos, properties=said)


async def take(peer: Peer) -> Publish:
    """The next event, acknowledged."""
    event = await peer.expect(Publish)
    if event.qos:
        await peer.acknowledge(event)
    return event


@VERSIONS
@trio_test
async def test_an_event_is_answered_without_a_subscription(version: int, autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub", version=version) as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            event = await take(peer)
            assert (event.topic, event.payload) == ("$webpubsub/server/events/order", b"tea")
            assert event.qos == QoS.AT_LEAST_ONCE
            assert event.properties.get("content_type") == ("text/plain" if version == 5 else None)
            await peer.send(answer(event, b"there you are"))

        reply = await client.send_event("order", "tea")
        assert (reply.payload, reply.topic) == (b"there you are", "$webpubsub/server/events/order/succeeded")


@VERSIONS
@trio_test
async def test_a_failed_event_is_an_error_with_its_status(version: int, autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub", version=version) as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await peer.send(answer(await take(peer), b"no tea today", status=503))

        with pytest.raises(EventFailed) as caught:
            await client.send_event("order", b"tea")
        error = caught.value
        assert (error.name, error.payload, error.status) == ("order", b"no tea today", 503 if version == 5 else None)
        told = " with status 503" if version == 5 else ""
        assert str(error) == f"event 'order' failed{told}: no tea today"


@trio_test
async def test_an_answer_finds_its_event_by_correlation_data(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub") as (client, peer):
        answers: dict[int, bytes] = {}

        async def send(number: int) -> None:
            answers[number] = (await client.send_event(f"e{number % 3}", b"%d" % number, qos=number % 2)).payload

        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(send, number)
            events = [await take(peer) for _ in range(30)]
            for event in reversed(events):
                await peer.send(answer(event, event.payload))
        assert answers == {number: b"%d" % number for number in range(30)}


@trio_test
async def test_in_3_1_1_answers_come_in_the_order_of_their_events(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub", version=4) as (client, peer):
        answers: dict[str, list[bytes]] = {"a": [], "b": []}

        async def send(name: str, payload: bytes) -> None:
            answers[name].append((await client.send_event(name, payload)).payload)

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(send, "ab"[number % 2], b"%d" % number)
                await trio.testing.wait_all_tasks_blocked()
            events = [await take(peer) for _ in range(10)]
            for event in sorted(events, key=lambda event: event.topic):
                await peer.send(answer(event, event.payload))
                await trio.testing.wait_all_tasks_blocked()
        assert answers == {"a": [b"0", b"2", b"4", b"6", b"8"], "b": [b"1", b"3", b"5", b"7", b"9"]}


@VERSIONS
@trio_test
async def test_the_answer_to_an_event_that_was_given_up_goes_to_no_other(
    version: int, autojump_clock: MockClock
) -> None:
    async with open_pair(profile="webpubsub", version=version) as (client, peer):
        with trio.move_on_after(1) as deadline:
            await client.send_event("order", b"tea")
        assert deadline.cancelled_caught
        tea = await take(peer)
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def serve() -> None:
                milk = await take(peer)
                await peer.send(answer(tea, b"tea"), answer(milk, b"milk"))
                await peer.send(answer(milk, b"milk"))

            assert (await client.send_event("order", b"milk")).payload == b"milk"
        await trio.testing.wait_all_tasks_blocked()
        assert client.late_answers == 2


@VERSIONS
@trio_test
async def test_an_event_that_was_not_sent_has_no_place_among_the_answers(
    version: int, autojump_clock: MockClock
) -> None:
    async with open_pair(profile="webpubsub", version=version) as (client, peer):
        with pytest.raises(LocalProtocolError, match="at most 1 MB"):
            await client.send_event("order", bytes(1_048_577))
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def serve() -> None:
                await peer.send(answer(await take(peer), b"tea"))

            assert (await client.send_event("order", b"tea")).payload == b"tea"


@trio_test
async def test_places_that_no_answer_comes_for_are_forgotten_in_the_end(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub", version=4) as (client, peer), trio.open_nursery() as nursery:

        async def send(payload: bytes) -> None:
            with trio.move_on_after(5):
                await client.send_event("order", payload, qos=0)

        for number in range(REMEMBERED + 1):
            nursery.start_soon(send, b"%d" % number)
        events = [await take(peer) for _ in range(REMEMBERED + 1)]
        await trio.sleep(10)
        for event in events[1:]:
            await peer.send(answer(event, b""))
        await trio.testing.wait_all_tasks_blocked()
        assert client.late_answers == REMEMBERED

        @nursery.start_soon
        async def serve() -> None:
            await peer.send(answer(await take(peer), b"tea"))

        assert (await client.send_event("order", b"tea")).payload == b"tea"


@trio_test
async def test_an_event_that_is_refused_is_answered_by_its_acknowledgement(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub") as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await peer.acknowledge(await peer.expect(Publish), ReasonCode.NOT_AUTHORIZED)

        with pytest.raises(PublishRefused):
            await client.send_event("order", b"tea")


@trio_test
async def test_when_the_client_ends_an_event_ends_with_it(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub", reconnect=None) as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await take(peer)
            peer.link.close(trio.current_time(), ReasonCode.ADMINISTRATIVE_ACTION)
            await peer.flush()

        for _ in range(2):
            with pytest.raises(ServerDisconnected):
                await client.send_event("order", b"tea")


@pytest.mark.parametrize("name", ["", "a/b", "/"])
@trio_test
async def test_the_name_of_an_event_is_one_level(name: str, autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub") as (client, _):
        with pytest.raises(LocalProtocolError, match="an event's name is not empty and holds no '/'"):
            await client.send_event(name)


@trio_test
async def test_a_content_type_is_the_callers_and_the_correlation_data_is_not(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub") as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            event = await take(peer)
            assert event.properties.get("content_type") == "application/json"
            await peer.send(answer(event, b"{}"))

        properties: Any = {"content_type": "application/json"}
        await client.send_event("order", "{}", properties=properties)
        properties = {"correlation_data": b"1"}
        with pytest.raises(ValueError, match="correlation_data does not belong into properties"):
            await client.send_event("order", "{}", properties=properties)


@trio_test
async def test_plain_mqtt_has_no_user_events(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, _):
        with pytest.raises(LocalProtocolError, match="only Web PubSub has user events"):
            await client.send_event("order")


@trio_test
async def test_what_the_server_sends_comes_without_a_subscription(autojump_clock: MockClock) -> None:
    async with open_pair(profile="webpubsub") as (client, peer), client.messages(SERVER_MESSAGES) as messages:
        await peer.send(Publish("group", b"not for us"), Publish(SERVER_MESSAGES, b"hello", QoS.AT_LEAST_ONCE))
        assert (await anext(messages)).payload == b"hello"


@VERSIONS
@trio_test
async def test_the_local_endpoint_answers_that_nobody_handles_an_event(version: int) -> None:
    with trio.fail_after(20):
        async with open_endpoint() as endpoint, open_client(endpoint.client_access_url("chat"), version=version) as one:
            with pytest.raises(EventFailed) as caught:
                await one.send_event("order", "tea")
            assert caught.value.status == (404 if version == 5 else None)
            assert b"no event handler" in caught.value.payload
