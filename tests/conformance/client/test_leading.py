"""How a Client is led: its program, its connections, what is asked of a person, and how it is sent away."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.codec import ConnAck, Connect, Disconnect, Packet, Publish, Subscribe, Subscription, encode
from mqttws.conformance.client.convention import Published, Unsubscribed
from mqttws.conformance.client.probe import ClientProbe
from mqttws.conformance.client.subject import open_operated, open_subject
from mqttws.conformance.verdict import Inconclusive, NotApplicable, NotTested, Verdict
from mqttws.conformance.wire.frames import BINARY, frame
from mqttws.conformance.wire.opening import read_head
from mqttws.conformance.wrong.wire_faults import dropping
from tests.conformance.client.trying import V5, V311, tried


def test_what_3_1_1_has_no_words_for_is_left_out_of_tasks() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect(session_expiry=30, receive_maximum=3)
        assert visit.connect.properties == (
            {"receive_maximum": 3, "session_expiry_interval": 30} if probe.is_v5 else {}
        )

    assert tried(check, version=V5).verdict is Verdict.PASSED
    assert tried(check, version=V311).verdict is Verdict.PASSED


def test_an_event_that_does_not_come_decides_nothing() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect()
        with pytest.raises(Inconclusive, match="no event published"):
            await probe.event(Published, within=1.0)
        with pytest.raises(Inconclusive, match="does not come within 2 s; nor does it say that it cannot do it"):
            await probe.sent(visit, Publish, "publish")

    assert tried(check).verdict is Verdict.PASSED


def test_a_client_comes_again_when_it_is_gone() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.connect("same")
        await visit.drop()
        await probe.gone()
        assert (await probe.connect("same")).connect.client_id == "same"
        await probe.close()
        assert (await probe.talk()).topic
        assert probe.transcript
        assert {"CONNECT", "SUBSCRIBE"} <= {trait for _, trait in probe.watch.traits}

    assert tried(check).verdict is Verdict.PASSED


def test_a_client_that_cannot_be_reached_decides_nothing() -> None:
    async def check(probe: ClientProbe) -> None:
        lane = await probe.lane()
        lane.coming = 1.0
        await probe.stream()

    result = tried(check)
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, "it does not connect within 1 s")


SLEEPER = """\
import sys
for line in sys.stdin:
    task = line.split()[0]
    print('{"event": "%s", "task": "%s", "%s": "not today"}' % (WHAT, task, MEMBER), flush=True)
"""


def program(event: str, member: str) -> list[str]:
    """A program that answers every task so."""
    return [sys.executable, "-c", f"WHAT, MEMBER = {event!r}, {member!r}\n{SLEEPER}", "{url}"]


@trio_test
async def test_what_a_program_cannot_do_is_not_applicable() -> None:
    with trio.fail_after(60):
        async with open_subject(program("unsupported", "why")) as subject:
            probe = ClientProbe(subject, V5)
            with pytest.raises(NotApplicable, match="the Client cannot connect: not today"):
                await probe.open()
            await probe.close()
            again = await subject.take()  # it is there, and settles
            assert again.driver.tells


@trio_test
async def test_a_program_that_fails_to_connect_decides_nothing() -> None:
    with trio.fail_after(60):
        async with open_subject(program("error", "message")) as subject:
            probe = ClientProbe(subject, V5)
            with pytest.raises(Inconclusive, match="connect: not today"):
                await probe.open()
            await probe.close()


@trio_test
async def test_a_program_that_has_ended_is_started_again() -> None:
    with trio.fail_after(60):
        async with open_subject([sys.executable, "-c", "print('bye')", "{url}"]) as subject:
            for _ in range(2):
                probe = ClientProbe(subject, V5)
                with pytest.raises(Inconclusive, match=r"the program has ended with status 0; its log ends: bye|gone"):
                    await probe.open()
                await probe.close()


@trio_test
async def test_whoever_operates_a_client_is_told_each_simple_task() -> None:
    said: list[str] = []
    async with trio.open_nursery() as nursery:
        with trio.fail_after(60):
            async with open_operated("127.0.0.1", 0, said.append, seed=3) as (subject, url):
                nursery.start_soon(operated, int(url.rpartition(":")[2].partition("/")[0]))
                probe = ClientProbe(subject, V5)
                visit = await probe.connect()
                subscribe = await probe.subscribe(visit)
                assert visit.topic == subscribe.subscriptions[0].topic_filter == "operated"
                assert [line.split()[0] for line in said] == ["connect", "subscribe"]
                for task, values in (
                    ("unsubscribe", {"topic_filter": "a"}),
                    ("connect", {"will_topic": "a"}),
                    ("connect", {"keep_alive": 3}),
                    ("publish", {"topic": "a", "payload": b"x", "qos": 1, "retain": True}),
                    ("disconnect", {"reason_code": 4}),
                ):
                    with pytest.raises(NotTested, match="it takes a program"):
                        await probe.task(task, **values)
                with pytest.raises(NotTested, match="only a program"):
                    await probe.event(Unsubscribed)
                with pytest.raises(NotTested, match="it takes a program"):
                    await probe.attempt(visit, "publish", topic="", payload=b"", qos=0)
                assert await probe.crash() == ""
                await probe.gone()  # nobody can tell
                await probe.close()
        nursery.cancel_scope.cancel()


@trio_test
async def test_what_somebody_was_told_to_do_and_did_not_is_not_held_against_the_client() -> None:
    async with trio.open_nursery() as nursery:
        with trio.fail_after(60):
            async with open_operated("127.0.0.1", 0, str, seed=3) as (subject, url):
                nursery.start_soon(operated, int(url.rpartition(":")[2].partition("/")[0]), Disconnect())
                probe = ClientProbe(subject, V5)
                with pytest.raises(Inconclusive, match="nobody was seen to subscribe: DISCONNECT came"):
                    await probe.talk()
                await probe.close()
        nursery.cancel_scope.cancel()


async def operated(port: int, packet: Packet | None = None) -> None:
    """What somebody does with a Client: connect, subscribe to what it likes or something else, read on."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        key = "Sec-WebSocket-Key: bXF0dHdzLWNvbmZvcm1pdA==\r\nSec-WebSocket-Protocol: mqtt\r\n"
        await stream.send_all(f"GET /mqtt HTTP/1.1\r\nHost: x\r\n{key}\r\n".encode())
        assert await read_head(stream, 10) is not None
        for each in (Connect(V5, "mine"), packet or Subscribe(1, [_subscription("operated")])):
            await stream.send_all(frame(encode(each, V5), BINARY))
        await trio.sleep_forever()


def _subscription(topic_filter: str) -> Any:
    return Subscription(topic_filter)


def test_a_lost_answer_to_connect_is_the_clients_own_business() -> None:
    async def check(probe: ClientProbe) -> None:
        visit = await probe.open()
        await visit.send(ConnAck())
        assert await visit.end(within=1.0) is None

    assert tried(check, from_tester=dropping(ConnAck)).verdict is Verdict.PASSED
