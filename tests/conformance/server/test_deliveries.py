"""Subscribers, Sessions that last, and what has come or not, on the kit's correct Server and on wrong ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from mqttws.codec import ConnAck, Packet, Publish, PubRec, Subscription
from mqttws.conformance.server.deliveries import (
    absent,
    answer_to,
    come_back,
    is_granted,
    is_taken,
    lasting,
    nothing_but,
    publishes,
    raw_publish,
    refused_filter,
    resume,
    subscribe_answer,
    subscriber,
    unsubscribe,
)
from mqttws.conformance.server.hostile import leave
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Failed, Inconclusive, NotStrict
from mqttws.conformance.wrong.entry import OFFERS, wrong_server
from mqttws.conformance.wrong.in_process import server_target
from mqttws.conformance.wrong.tampers import swallower
from mqttws.vocabulary import QOS, PacketType, ProtocolVersion
from tests.conformance.server.scripted import answering, in_time, reference, scripted

VERSIONS = list(ProtocolVersion)
Step = Callable[[ServerProbe], Awaitable[None]]


def run(step: Step, version: int = 5, make: Callable[[trio.Nursery], ServerSubject] = reference) -> None:
    async def main(nursery: trio.Nursery) -> None:
        probe = ServerProbe(make(nursery), ProtocolVersion(version))
        try:
            await step(probe)
        finally:
            await probe.close()

    in_time(main)


def wrong(**said: Any) -> Callable[[trio.Nursery], ServerSubject]:
    """A Server that is correct but for this."""
    one = wrong_server("wrong", "It is wrong.", v5="MQTT-3.1.0-1", **said)

    def make(nursery: trio.Nursery) -> ServerSubject:
        server = one.server(OFFERS["full"])
        nursery.start_soon(server.broker.tend)
        return ServerSubject(Account(server_target(server, nursery, one.tamper)))

    return make


PASSES_OVER = wrong(wire={"from_tester": swallower(None).from_tester})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_subscriber_gets_messages_and_nothing_after_it_has_unsubscribed(version: int) -> None:
    async def step(probe: ServerProbe) -> None:
        topic = probe.topic()
        peer, publisher = await subscriber(probe, topic), await probe.connect()
        await nothing_but(probe, peer, topic, publisher, "something came")
        unsuback = await unsubscribe(peer, topic)
        assert unsuback.reason_codes == ([0] if version == 5 else [])
        await probe.publish(publisher, topic)
        await absent(peer, "something came")

    run(step, version)


def test_what_came_before_or_behind_a_fresh_message_is_told() -> None:
    async def before(probe: ServerProbe) -> None:
        topic = probe.topic()
        peer, publisher = await subscriber(probe, topic), await probe.connect()
        await probe.publish(publisher, topic, b"stray")
        with pytest.raises(Failed, match="a stray one"):
            await nothing_but(probe, peer, topic, publisher, "a stray one")
        await probe.publish(publisher, topic, b"stray")
        await absent(peer, "nothing there", "another/topic")
        await probe.publish(publisher, topic, b"stray")
        with pytest.raises(Failed, match="a stray one"):
            await absent(peer, "a stray one", topic)

    run(before)


def test_publish_packets_are_picked_by_topic() -> None:
    packets: list[Packet] = [Publish("a"), ConnAck(), Publish("b")]
    assert [one.topic for one in publishes(packets)] == ["a", "b"]
    assert publishes(packets, "b") == [Publish("b")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_lasts_as_long_as_the_block(version: int) -> None:
    async def step(probe: ServerProbe) -> None:
        topic, publisher = probe.topic(), await probe.connect()
        async with lasting(probe) as client_id:
            peer = await resume(probe, client_id)
            await probe.subscribe(peer, topic)
            await leave(peer)
            await probe.publish(publisher, topic, b"waits")
            peer = await come_back(probe, client_id)
            assert (await probe.message(peer, topic)).payload == b"waits"
        with pytest.raises(Inconclusive, match="was gone"):
            await come_back(probe, client_id)

    run(step, version)


def test_an_answer_may_be_the_end_of_the_connection() -> None:
    async def step(probe: ServerProbe) -> None:
        peer = await probe.connect()
        good = Publish(probe.topic(), b"x", QOS[2], packet_id=3)
        assert await answer_to(peer, good) == PubRec(3)
        too_large = Publish(probe.topic(), bytes(300_000), QOS[1], packet_id=4)
        assert await answer_to(peer, too_large) is None
        assert await subscribe_answer(peer, Subscription("a")) is None

    run(step)


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_publish_packets_and_filters_end_the_connection(version: int) -> None:
    async def step(probe: ServerProbe) -> None:
        good, bad = probe.topic(), f"{probe.topic()}/#"
        assert await is_taken(await probe.connect(), raw_publish(probe, good, flags=0b0010))
        assert not await is_taken(await probe.connect(), raw_publish(probe, bad, flags=0b0010))
        assert await is_granted(probe, await probe.connect(), good)
        assert not await is_granted(probe, await probe.connect(), f"{good}/a#")
        await refused_filter(probe, f"{good}/a#", f"{good}/ab")

    run(step, version)


def test_who_passes_over_a_wrong_publish_has_failed() -> None:
    async def step(probe: ServerProbe) -> None:
        with pytest.raises(Failed, match="neither acknowledges"):
            await is_taken(await probe.connect(), raw_publish(probe, "a/+", flags=0b0010))

    run(step, make=PASSES_OVER)


def test_a_filter_that_is_granted_is_not_strict_and_failed_if_it_matches() -> None:
    async def step(probe: ServerProbe) -> None:
        topic = probe.topic()
        with pytest.raises(NotStrict, match="nothing came of it"):
            await refused_filter(probe, f"{topic}/a", f"{topic}/b")
        with pytest.raises(Failed, match="to match that"):
            await refused_filter(probe, topic, topic)

    run(step)


def test_who_answers_connect_alone_grants_nothing() -> None:
    async def step(probe: ServerProbe) -> None:
        with pytest.raises(Failed, match="SUBACK has not come"):
            await is_granted(probe, await probe.connect(), "a")

    run(step, make=lambda nursery: scripted(nursery, answering(lambda _connect: ConnAck())))


def test_a_wrong_publish_is_made_of_any_flags() -> None:
    async def step(probe: ServerProbe) -> None:
        raw = raw_publish(probe, b"\xff", b"p", flags=0b1011, packet_id=5)
        assert raw.packet_type is PacketType.PUBLISH
        assert (raw.first_byte, raw.body) == (0x3B, b"\x00\x01\xff\x00\x05\x00p")
        await probe.connect()

    run(step)
