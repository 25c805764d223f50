"""A connection on which the kit is the Server: messages each way, and a Client that plays its part otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import PubAck, PubComp, Publish, PubRec, PubRel, Subscribe
from mqttws.conformance.client.probe import ClientProbe
from mqttws.conformance.verdict import Failed, Verdict
from mqttws.conformance.wire.peer import Ended, Missing
from mqttws.conformance.wrong.wire_faults import dropping, editing
from tests.conformance.client.trying import V5, V311, tried


@pytest.mark.parametrize("version", [V311, V5])
def test_messages_of_each_quality_go_both_ways(version: Any) -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        for qos in (0, 1, 2):
            await visit.deliver(visit.message(b"down", qos, retain=True))
            publish = await probe.publish(visit, b"up", qos)
            assert (publish.payload, publish.qos) == (b"up", qos)
            await visit.accept(publish)
        assert not visit.aside
        assert visit.message(qos=1, packet_id=7, dup=True).packet_id == 7
        assert visit.message(topic="other").topic == "other"

    assert tried(check, version=version).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("kind", "qos", "what"), [(PubAck, 1, "PUBACK"), (PubRec, 2, "PUBREC"), (PubComp, 2, "PUBCOMP")]
)
def test_an_acknowledgement_of_another_message_is_a_failure(kind: Any, qos: int, what: str) -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        await visit.deliver(visit.message(b"x", qos))

    result = tried(check, from_subject=editing(kind, packet_id=9))
    assert (result.verdict, result.reason) == (Verdict.FAILED, f"{what} has identifier 9, not 1001")


def test_a_release_of_another_message_is_a_failure() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        await visit.accept(await probe.publish(visit, qos=2))

    result = tried(check, from_subject=editing(PubRel, packet_id=99))
    assert result.verdict is Verdict.FAILED
    assert "PUBREL has identifier 99, not" in result.reason


def test_anything_is_the_next_packet_or_that_there_is_none() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect()
        await probe.task("subscribe", topic_filter="a", qos=1)
        assert isinstance(await visit.anything("SUBSCRIBE"), Subscribe)
        with pytest.raises(Missing, match="a packet does not come within 2 s"):
            await visit.anything("a packet")
        await probe.task("disconnect")
        await visit.anything("DISCONNECT")
        with pytest.raises(Ended, match="where a packet was owed"):
            await visit.anything("a packet")

    assert tried(check).verdict is Verdict.PASSED


def test_what_a_client_does_of_its_own_is_no_failure() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect()
        await probe.task("publish", topic="a", payload=b"of its own", qos=0)
        await probe.task("subscribe", topic_filter="b", qos=0)
        await visit.expect(Subscribe)
        (publish,) = visit.aside
        assert isinstance(publish, Publish)
        assert publish.payload == b"of its own"

    assert tried(check).verdict is Verdict.PASSED


def test_a_client_may_say_disconnect_before_it_ends_the_connection() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect()
        await probe.task("disconnect")
        with pytest.raises(Ended, match="behind DISCONNECT 0x00 came where PUBACK was owed"):
            await visit.expect(PubAck)

    assert tried(check).verdict is Verdict.PASSED


def test_what_is_owed_and_never_comes_is_a_failure() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        with pytest.raises(Failed, match="PUBACK has not come within 8 s"):
            await visit.deliver(visit.message(b"x", 1))

    assert tried(check, from_subject=dropping(PubAck)).verdict is Verdict.PASSED
