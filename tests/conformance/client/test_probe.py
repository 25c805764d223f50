"""A good conversation with a Client, and what shows that something does not happen."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Disconnect, PubAck, Publish, RawPacket, SubAck
from mqttws.conformance.client.probe import ClientProbe
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import dropping, each, editing
from tests.conformance.client.trying import V5, V311, tried

GOOD = Verdict.PASSED


async def talking(probe: ClientProbe) -> None:
    await probe.talk()


def test_a_client_that_takes_no_good_answer_fails() -> None:
    result = tried(talking, from_tester=editing(ConnAck, reason_code=0x80))
    assert (result.verdict, result.reason) == (
        Verdict.FAILED,
        "it does not take a good CONNACK: it tells of 0x80",
    )
    result = tried(talking, from_tester=dropping(SubAck))
    assert result.verdict is Verdict.FAILED
    assert "it does not take a good SUBACK: no event subscribed within 8 s" in result.reason


def test_a_client_of_another_version_is_not_applicable() -> None:
    result = tried(talking, version=V311, task=lambda task: _with(task, version=5))
    assert (result.verdict, result.reason) == (Verdict.NOT_APPLICABLE, "the Client comes with version 5")


def _with(task: Any, **values: Any) -> Any:
    return type(task)(task.name, {**task.values, **{k: v for k, v in values.items() if k in task.values}})


def test_a_fence_gives_what_came_before_it() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        await visit.send(visit.message(b"x", 1))
        first, *more = await probe.fence(visit)
        assert isinstance(first, PubAck)
        assert not more
        assert await probe.fence(visit) == []

    assert tried(check).verdict is GOOD


def test_messages_are_those_that_reached_the_application() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        await visit.send(visit.message(b"one"), visit.message(b"two"))
        assert [message.payload for message in await probe.messages(visit)] == [b"one", b"two"]
        publish = visit.message(b"whole", 1)
        await visit.send(publish)
        await probe.arrives(visit, publish)

    assert tried(check).verdict is GOOD


def test_a_message_that_is_changed_or_lost_on_the_way_fails() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        publish = visit.message(b"whole", 1)
        await visit.send(publish)
        await probe.arrives(visit, publish)

    result = tried(check, from_tester=editing(Publish, payload=b"half"))
    assert (result.verdict, result.reason) == (
        Verdict.FAILED,
        "the payload reaches the application as b'half', not b'whole'",
    )

    async def lost(probe: ClientProbe) -> None:
        visit = await probe.talk()
        await probe.arrives(visit, visit.message(b"never sent"))

    result = tried(lost)
    assert result.verdict is Verdict.FAILED
    assert "the message does not reach the application: no event message" in result.reason

    async def other(probe: ClientProbe) -> None:
        await probe.messages(await probe.talk())

    result = tried(other, from_tester=editing(Publish, payload=b"another"))
    assert result.verdict is Verdict.FAILED
    assert "a good message does not reach the application" in result.reason


def test_an_attempt_gives_what_is_sent_for_it() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect()
        assert await probe.attempt(visit, "publish", topic="a/+", payload=b"x", qos=0) == []
        (publish,) = await probe.attempt(visit, "publish", topic="a", payload=b"x", qos=0)
        assert isinstance(publish, Publish)
        await probe.task("publish", topic="b", payload=b"x", qos=0)
        (before,) = await probe.before(visit)
        assert isinstance(before, Publish)
        await probe.task("disconnect")
        await visit.expect(Disconnect)
        await visit.end()
        assert await probe.attempt(visit, "publish", topic="a", payload=b"x", qos=0) == []

    assert tried(check).verdict is GOOD


def test_an_attempt_that_leads_to_a_broken_packet_gives_it_as_it_is() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect()
        (found,) = await probe.attempt(visit, "publish", topic="a", payload=b"x", qos=0)
        assert isinstance(found, RawPacket)

    wrong = each(Publish, lambda _: RawPacket(0x36, b"\0\x01a\0\x01\0x"))
    assert tried(check, from_subject=wrong).verdict is GOOD


@pytest.mark.parametrize(
    ("version", "must", "verdict"),
    [
        (V311, None, Verdict.FAILED),
        (V5, None, Verdict.NOT_STRICT),
        (V5, True, Verdict.FAILED),
        (V311, False, Verdict.NOT_STRICT),
    ],
)
def test_who_goes_on_has_failed_where_the_standard_demands_the_end(version: Any, must: Any, verdict: Verdict) -> None:
    async def check(probe: ClientProbe) -> None:
        await probe.ends(await probe.talk(), "behind nothing at all", must=must)

    result = tried(check, version=version)
    assert (result.verdict, result.reason) == (
        verdict,
        "it goes on behind nothing at all: PUBACK was answered, and the connection stays open",
    )


def test_who_ends_the_connection_passes() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        await visit.send(b"\x36\x00")
        await probe.ends(visit, "behind a bad PUBLISH", must=True)
        assert await probe.crash() == ""

    assert tried(check).verdict is GOOD


def test_a_silent_client_has_more_time_before_it_is_accused() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.talk()
        assert await probe.goes_on(visit, "at once") == "it does not end the connection at once"

    assert tried(check, from_subject=dropping(PubAck)).verdict is GOOD


def test_a_task_that_goes_wrong_where_it_is_needed_decides_nothing() -> None:
    async def check(probe: ClientProbe) -> None:
        await probe.subscribe(await probe.connect(), "a/#/b")

    result = tried(check)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "it does not subscribe as it should" in result.reason


def test_another_packet_in_the_place_of_connect_decides_nothing() -> None:
    async def check(probe: ClientProbe) -> None:
        await probe.open()

    result = tried(check, from_subject=each(Connect, lambda _: Publish("a")))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "where CONNECT was owed" in result.reason
