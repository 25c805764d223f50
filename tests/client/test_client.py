"""Client: what an application reads of it."""

from __future__ import annotations

import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import ClientState, Holder, Messages, Window
from mqttws.codec import ConnAck, Publish
from mqttws.session import Session
from mqttws.vocabulary import ProtocolVersion, QoS
from tests.client.scripted import open_pair


@trio_test
async def test_the_client_tells_what_was_settled(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"assigned_client_identifier": "yours", "maximum_qos": 1, "server_reference": "s"})
    async with open_pair(connack, client_id="") as (client, _):
        states = [client.state]
        assert client.client_id == "yours"
        assert client.version is ProtocolVersion.V5
        assert client.session_present is False
        assert client.limits.maximum_qos == QoS.AT_LEAST_ONCE
        assert client.connack.properties.get("server_reference") == "s"
        assert client.lost == ()
        assert repr(client) == "<Client 'yours' open>"
    states.append(client.state)
    assert states == [ClientState.OPEN, ClientState.CLOSED]


@trio_test
async def test_a_session_that_the_server_resumes_is_told(autojump_clock: MockClock) -> None:
    async with open_pair(ConnAck(True), Session(), clean_start=False, client_id="me") as (client, _):
        assert client.session_present is True


@trio_test
async def test_the_window_shows_who_holds_it_and_what_waits_behind(autojump_clock: MockClock) -> None:
    async with (
        open_pair(receive_maximum=4, maximum_packet_size=1_000) as (client, peer),
        trio.open_nursery() as nursery,
    ):
        assert client.window == Window(0, 4, 0, 4_000, ())
        streams: list[Messages] = []

        async def hold(topic: str) -> None:
            async with client.subscribe(topic) as messages:
                streams.append(messages)
                await trio.sleep_forever()

        for topic in ("slow", "quick"):
            nursery.start_soon(peer.grant)
            nursery.start_soon(hold, topic)
            await trio.testing.wait_all_tasks_blocked()
        await peer.send(*(Publish(topic, b"12", QoS.AT_LEAST_ONCE) for topic in ("slow", "quick", "nobody's")))
        await anext(streams[1])
        with trio.move_on_after(1):
            await anext(streams[1])
        # What was consumed is on the Server's account until the slow one lets it go.
        assert client.window == Window(3, 4, 16, 4_000, (Holder(("slow",), 1, 2), Holder(None, 1, 2)))
        nursery.cancel_scope.cancel()
