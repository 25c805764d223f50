"""Our own client as a subject of the conformance kit, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from trio.testing import trio_test

from mqttws.cli import main
from mqttws.codec import Publish, SubAck, Subscribe, Unsubscribe
from mqttws.conformance.client.convention import Error, Published, Subscribed
from tests.conformance.client import scripts
from tests.conformance.client.leading import Host, InThread, hosting, in_thread
from tests.conformance.client.scripts import both_versions


@asynccontextmanager
async def subject_of(host: Host, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InThread]:
    """The subject, led from here."""
    async with in_thread(lambda: main(["conform", "subject", host.url]), monkeypatch) as subject:
        yield subject


@both_versions
@trio_test
async def test_it_goes_the_whole_way(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        await scripts.whole_way(host, subject, version)


@both_versions
@trio_test
async def test_it_tells_of_refusals_and_ends_and_keeps_its_session(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        await scripts.refused(host, subject, version)
        await scripts.ended_by_the_server(host, subject, version)
        await scripts.session_goes_on(host, subject, version)
        await scripts.comes_back(host, subject, version)


@trio_test
async def test_it_authenticates_and_leaves_with_two_codes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        peer = await scripts.authenticates(host, subject)
        await scripts.authenticates_again(peer, subject)
        await scripts.farewell(peer, subject)
        await scripts.leaves_with(host, subject, 0x04)
        await scripts.cannot(subject, "disconnect", reason_code=0x81)


@trio_test
async def test_a_message_that_is_refused_and_a_subscription_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        peer = await scripts.greeted(host, subject, 5, receive_maximum=3)
        await subject.do("publish", topic="a", payload=b"", qos=1)
        packet_id = (await peer.expect(Publish, aside=())).packet_id
        await peer.send(b"\x40\x03" + (packet_id or 0).to_bytes(2) + b"\x87")
        assert await subject.expect(Published) == Published(0x87)
        await subject.do("publish", topic="a/#", payload=b"", qos=1)
        assert (await subject.expect(Error)).task == "publish"
        await scripts.cannot(subject, "unsubscribe", topic_filter="nothing")
        await scripts.farewell(peer, subject)


@trio_test
async def test_leaving_with_a_subscription_says_disconnect_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        peer = await scripts.greeted(host, subject, 4)
        await subject.do("subscribe", topic_filter="a", qos=0)
        await peer.send(SubAck((await peer.expect(Subscribe)).packet_id, [0]))
        await subject.expect(Subscribed)
        await scripts.farewell(peer, subject)
        assert [type(packet) for packet in peer.arrived].count(Unsubscribe) == 0


@trio_test
async def test_what_fails_is_told_by_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patched:
        async with in_thread(lambda: main(["conform", "subject", "ws://127.0.0.1:1/mqtt"]), patched) as subject:
            await scripts.nothing_without_a_connection(subject)
