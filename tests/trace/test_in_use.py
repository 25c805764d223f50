"""``trace=`` of a client and of an endpoint: both ends of one wire, recorded while it is in use."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws import open_client
from mqttws.endpoint import open_endpoint
from mqttws.session import Closed
from mqttws.trace import Chunk, Recorder, TracedConnection, read_trace
from mqttws.trace.replay import Skipped, replay_into_connection
from mqttws.vocabulary import Role
from mqttws.webpubsub import Roles
from tests.trace.wires import PASSWORD

DEADLINE = 20.0


def passed(connection: TracedConnection, sender: Role) -> bytes:
    """Everything that one end has sent."""
    chunks = [entry for entry in connection.entries if isinstance(entry, Chunk)]
    return b"".join(chunk.data for chunk in chunks if connection.sender(chunk.direction) is sender)


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
@trio_test
async def test_both_ends_record_the_same_bytes_and_no_secret(version: int) -> None:
    lines: list[str] = []
    recorder = Recorder(last=10_000_000)
    with trio.fail_after(DEADLINE):
        async with open_endpoint(trace=lines.append) as endpoint:
            url = endpoint.client_access_url("chat", roles=Roles.everything())
            options: dict[str, Any] = {"version": version, "username": "joe", "password": PASSWORD}
            async with open_client(url, trace=recorder, **options) as client, client.subscribe("a", qos=1) as messages:
                for number in range(50):
                    await client.publish("a", bytes(number * 50), qos=1)
                    assert len((await anext(messages)).payload) == number * 50
    (theirs,), (ours,) = read_trace(lines), read_trace(recorder.lines)
    for sender in Role:
        assert passed(ours, sender) == passed(theirs, sender)
    token = url.partition("access_token=")[2]
    for secret in (token, PASSWORD):
        assert secret.encode() not in passed(ours, Role.CLIENT)
        assert secret not in "".join((*lines, *recorder.lines))
    assert ours.url.startswith(f"ws://127.0.0.1:{endpoint.port}/clients/mqtt/hubs/chat")
    for connection in (ours, theirs):
        for direction in ("in", "out"):
            outcomes = [outcome for _, outcome in replay_into_connection(connection, direction)]
            # DISCONNECT comes in one chunk with UNSUBSCRIBE: in a replay it ends the connection before the answer.
            assert {item.packet_type for item in outcomes if isinstance(item, Skipped)} <= {"UNSUBACK"}
            assert [outcome for outcome in outcomes if isinstance(outcome, Closed)] == [Closed(None)]


@trio_test
async def test_a_recorder_outlives_connections_and_numbers_them() -> None:
    lines: list[str] = []
    recorder = Recorder(lines.append)
    with trio.fail_after(DEADLINE):
        async with open_endpoint() as endpoint:
            url = endpoint.client_access_url("chat", roles=Roles.everything())
            for _ in range(3):
                async with open_client(url, trace=recorder):
                    pass
    assert [connection.number for connection in read_trace(lines)] == [1, 2, 3]
    assert recorder.connections == 3
