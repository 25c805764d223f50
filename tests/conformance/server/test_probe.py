"""What a check of a Server works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from mqttws.codec import ConnAck, Publish
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.verdict import Failed, Inconclusive
from mqttws.vocabulary import ProtocolVersion
from tests.conformance.server.scripted import Serve, answering, in_time, reference, scripted

V5, V311 = ProtocolVersion.V5, ProtocolVersion.V3_1_1


def with_probe(run: Callable[[ServerProbe], Awaitable[None]], version: ProtocolVersion = V5, seed: int = 1) -> None:
    """Run it on the correct Server."""

    async def main(nursery: trio.Nursery) -> None:
        subject = reference(nursery)
        subject.seed = seed
        probe = ServerProbe(subject, version, check="this one")
        await run(probe)
        await probe.close()

    in_time(main)


@pytest.mark.parametrize("version", ProtocolVersion)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_goes_its_way_and_its_exchange_is_finished(version: ProtocolVersion, qos: int) -> None:
    async def run(probe: ServerProbe) -> None:
        topic = probe.topic("inner")
        subscriber, publisher = await probe.connect(), await probe.connect()
        await probe.subscribe(subscriber, topic, qos)
        await probe.publish(publisher, topic, b"one", qos)
        assert [found.payload for found in await probe.fresh_message(subscriber, topic, publisher, qos)
                if isinstance(found, Publish)] == [b"one"]  # fmt: skip
        assert await subscriber.fence() == []
        assert probe.is_v5 is (version == V5)
        assert len(probe.transcript) > 10

    with_probe(run, version)


def test_messages_on_other_topics_stay_aside() -> None:
    async def run(probe: ServerProbe) -> None:
        first, second = probe.topic(), probe.topic()
        peer = await probe.connect()
        for topic in (first, second):
            await probe.subscribe(peer, topic, 0)
            await probe.publish(peer, topic, topic.encode(), 0)
        assert (await probe.message(peer, second)).topic == second
        assert [found.topic for found in peer.aside if isinstance(found, Publish)] == [first]
        assert (await probe.message(peer)).topic == first
        assert peer.aside == []

    with_probe(run)


def test_names_repeat_with_seed_and_check_and_are_new_each_time() -> None:
    def names(seed: int, check: str) -> list[str]:
        found: list[str] = []

        async def main(nursery: trio.Nursery) -> None:
            subject = reference(nursery)
            subject.seed, subject.client_ids = seed, "dev-"
            probe = ServerProbe(subject, V5, check=check)
            found.extend(probe.name() for _ in range(3))

        in_time(main)
        return found

    assert names(1, "a") == names(1, "a")
    assert len({*names(1, "a"), *names(1, "b"), *names(2, "a")}) == 9
    assert all(name.startswith("dev-") and name[4:].isalnum() for name in names(1, "a"))


def test_what_is_refused_is_said() -> None:
    async def main(nursery: trio.Nursery) -> None:
        full = scripted(nursery, answering(lambda _: ConnAck(reason_code=0x97)))
        with pytest.raises(Failed, match="it refuses a good CONNECT with 0x97"):
            await ServerProbe(full, V5).connect()
        with pytest.raises(Inconclusive, match="nobody listens"):
            await ServerProbe(scripted(nursery, None), V5).open()

    in_time(main)


@pytest.mark.parametrize(("head", "words"), [(b"HTTP/1.1 401 Unauthorized\r\n\r\n", "HTTP 401"), (b"", "by nothing")])
def test_a_request_that_gets_no_websocket_is_a_failure(head: bytes, words: str) -> None:
    def saying(data: bytes) -> Serve:
        async def serve(stream: trio.abc.Stream) -> None:
            await stream.receive_some()
            if data:
                await stream.send_all(data)
            await stream.aclose()

        return serve

    async def main(nursery: trio.Nursery) -> None:
        probe = ServerProbe(scripted(nursery, saying(head)), V5)
        with pytest.raises(Failed, match=words):
            await probe.open()
        await probe.close()

    in_time(main)
