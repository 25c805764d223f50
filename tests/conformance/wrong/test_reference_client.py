"""The correct Client: what it makes of tasks that it cannot do, and of the end of its connection."""

from __future__ import annotations

import trio
import trio.testing

from mqttws.conformance.client.convention import (
    Connected,
    Disconnected,
    Error,
    Event,
    Message,
    Published,
    Subscribed,
    Unsupported,
)
from mqttws.conformance.wrong.reference_client import ReferenceClient
from mqttws.conformance.wrong.reference_server import ReferenceServer


def tell(*lines: str, nobody: bool = False) -> list[Event]:
    """Give tasks to a correct Client at a correct Server, or at one that is gone at once; a second between them."""

    async def main() -> list[Event]:
        told: list[Event] = []
        server = ReferenceServer()
        tasks, read = trio.open_memory_channel[str](0)
        async with trio.open_nursery() as nursery:

            def dial() -> trio.abc.Stream:
                ours, its = trio.testing.memory_stream_pair()
                if nobody:
                    nursery.start_soon(its.aclose)
                else:
                    nursery.start_soon(server.serve, its)
                return ours

            async def lead() -> None:
                await ReferenceClient(dial, told.append).run(read)
                nursery.cancel_scope.cancel()

            nursery.start_soon(lead)
            for line in lines:
                await tasks.send(line)
                await trio.sleep(1)
            await tasks.aclose()
        return told

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_message_goes_round() -> None:
    told = tell("connect version=5 client_id=a", "subscribe t 1", "publish t x 1", "disconnect", "exit")
    assert [type(event) for event in told] == [Connected, Subscribed, Message, Published, Disconnected]


def test_without_a_connection_tasks_go_wrong() -> None:
    assert tell("subscribe t 1") == [Error("not connected", "subscribe")]


def test_what_it_does_not_know_is_unsupported() -> None:
    told = tell("dance", "connect version=4", "disconnect reason_code=4")
    assert [type(event) for event in told] == [Unsupported, Connected, Unsupported]
    assert told[0].__class__ is Unsupported


def test_what_is_forbidden_is_an_error_of_its_task() -> None:
    told = tell("connect version=5", "publish a/# x 0", "publish a/+ x 1", "subscribe a/#b 0")
    assert [event.task for event in told if isinstance(event, Error)] == ["publish", "publish", "subscribe"]


def test_a_connect_that_may_not_be_is_an_error_of_its_task_and_no_end() -> None:
    told = tell("connect version=4 password=alone", "connect version=4", "exit")
    assert [type(event) for event in told] == [Error, Connected]


def test_a_server_that_is_gone_is_an_error_of_connect() -> None:
    assert [event.task for event in tell("connect version=5", nobody=True) if isinstance(event, Error)] == ["connect"]


def test_it_connects_again_only_if_it_was_lost() -> None:
    told = tell("connect version=5 client_id=a session_expiry=60 reconnect=1", "disconnect", "exit")
    assert [type(event) for event in told] == [Connected, Disconnected]
