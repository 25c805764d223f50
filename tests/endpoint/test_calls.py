"""Event handlers that an endpoint waits for: answers, silence, bugs, and clients that do not wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair, trio_test

from mqttws.codec import ConnAck, Connect, Disconnect, Publish, Subscribe, Subscription, encode
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.endpoint.sessions import Peer
from mqttws.endpoint.upstream import (
    ConnectRequest,
    Denied,
    EventAnswer,
    Granted,
    MemberConnected,
    MemberDisconnected,
    UserEvent,
)
from mqttws.session import Delivered
from mqttws.vocabulary import ProtocolVersion
from tests.endpoint.bench import Q0, Q1
from tests.endpoint.wires import (
    connect_bytes,
    connected,
    frame,
    memory_stream,
    open_stream,
    open_wire,
    read_all,
    request,
    target_of,
    until_empty,
)

ECHO = "$webpubsub/server/events/echo"


class Handlers:
    """Event handlers that take everything; each may be replaced."""

    def __init__(self, *wanted: str) -> None:
        self.wanted = wanted
        self.told: list[str] = []
        self.on_connect: Callable[[ConnectRequest], Awaitable[Any]] | None = None
        self.on_event: Callable[[UserEvent], Awaitable[Any]] | None = None
        self.on_connected: Callable[[MemberConnected], Awaitable[Any]] | None = None

    def wants_system(self, hub: str, name: str) -> bool:
        return hub == "chat" and name in self.wanted

    def wants_event(self, hub: str, name: str) -> bool:
        return hub == "chat" and name in self.wanted

    async def connect(self, request: ConnectRequest) -> Granted | Denied:
        self.told.append(f"connect {request.client_id}")
        await trio.lowlevel.checkpoint()
        answer: Any = Granted() if self.on_connect is None else await self.on_connect(request)
        return answer  # type: ignore[no-any-return]  # a test's own answer

    async def event(self, event: UserEvent) -> EventAnswer:
        self.told.append(f"event {event.name}")
        await trio.lowlevel.checkpoint()
        answer: Any = EventAnswer(200, event.publish.payload) if self.on_event is None else await self.on_event(event)
        return answer  # type: ignore[no-any-return]  # a test's own answer

    async def connected(self, notice: MemberConnected) -> None:
        self.told.append(f"connected {notice.member.client_id}")
        if self.on_connected is not None:
            await self.on_connected(notice)

    async def disconnected(self, notice: MemberDisconnected) -> None:
        self.told.append(f"disconnected {notice.member.client_id}")


def equip(endpoint: Endpoint, *wanted: str) -> Handlers:
    """Give an endpoint event handlers."""
    handlers = Handlers(*wanted)
    endpoint.upstream = handlers
    return handlers


@trio_test
async def test_the_life_of_a_client_as_event_handlers_see_it() -> None:
    async with open_endpoint() as endpoint:
        handlers = equip(endpoint, "connect", "connected", "disconnected", "echo")
        async with open_wire(endpoint) as wire:
            await connected(wire)
            wire.send(Publish(ECHO, b"hello", Q1))
            answer = await wire.next(Publish)
            assert (answer.topic, answer.payload) == (f"{ECHO}/succeeded", b"hello")
            wire.link.acknowledge(answer)
            wire.send(Disconnect())
            await wire.end()
        await until_empty(endpoint)
        with trio.fail_after(10):
            while len(handlers.told) < 4:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
    assert handlers.told == ["connect c1", "connected c1", "event echo", "disconnected c1"]


@trio_test
async def test_a_handler_may_refuse() -> None:
    async def no(request: ConnectRequest) -> Denied:
        assert request.connect is not None
        return Denied(0x86, f"not you, {request.connect.username}")

    async with open_endpoint() as endpoint:
        equip(endpoint, "connect").on_connect = no
        async with open_wire(endpoint, username="ann", password=b"secret") as wire:
            connack = await wire.next(ConnAck)
            assert connack.reason_code == 0x86
            assert connack.properties["reason_string"] == "not you, ann"
            await wire.end()


async def silence(call: Any) -> None:
    await trio.sleep_forever()


async def bug(call: Any) -> None:
    raise ZeroDivisionError("by zero")


def says(answer: object) -> Any:
    """A handler that always answers the same."""

    async def say(call: Any) -> object:
        await trio.lowlevel.checkpoint()
        return answer

    return say


BROKEN = [
    silence,
    bug,
    says("yes"),
    says(None),
    says(Granted(user_properties=[("k", "\0")])),
    says(Granted(roles=[5])),  # type: ignore[list-item]  # that is what is wrong
    says(Denied(5, "\0")),
    says(EventAnswer(0)),
    says(EventAnswer(200, content_type="\0")),
]


@trio_test
@pytest.mark.parametrize("broken", BROKEN)
async def test_row_32_whatever_goes_wrong_in_a_handler_is_a_refusal(broken: Any, autojump_clock: object) -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append, event_timeout=5) as endpoint, trio.open_nursery() as nursery:
        handlers = equip(endpoint, "connect", "connected", "echo")
        handlers.on_connect = broken
        async with open_wire(endpoint, stream=memory_stream(endpoint, nursery)) as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x80
            await wire.end()
        handlers.on_connect = None
        handlers.on_event = broken
        handlers.on_connected = broken
        async with open_wire(endpoint, stream=memory_stream(endpoint, nursery)) as wire:
            await connected(wire)
            wire.send(Publish(ECHO, b"hello", Q1))
            assert (await wire.next(Publish)).topic == f"{ECHO}/failed"
    assert len([line for line in lines if line.startswith("EventHandlerFailed")]) >= 2


@trio_test
async def test_a_client_that_sends_all_at_once_and_leaves_is_heard_after_the_answer(autojump_clock: object) -> None:
    async def slowly(request: ConnectRequest) -> Granted:
        if request.client_id == "bad":
            await trio.sleep(3)
        return Granted()

    connect = encode(Connect(ProtocolVersion.V5, "bad", keep_alive=60))
    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        equip(endpoint, "connect").on_connect = slowly
        async with open_wire(endpoint, stream=memory_stream(endpoint, nursery)) as watching:
            await connected(watching)
            watching.send(Subscribe(0, [Subscription("t", Q1)]))
            ours, theirs = memory_stream_pair()
            nursery.start_soon(endpoint.serve, theirs)
            await ours.send_all(connect_bytes(endpoint, connect + encode(Publish("t", b"last words"))))
            await trio.sleep(1)
            await ours.aclose()
            assert (await watching.next(Publish)).payload == b"last words"
        assert endpoint.connections.sessions_started == 2
    await trio.sleep(1)


@pytest.mark.parametrize(("number", "size"), [(50, 1), (1, 65_000)])
@trio_test
async def test_a_connection_whose_event_waits_is_not_read_without_bound(
    number: int, size: int, autojump_clock: object
) -> None:
    answer = trio.Event()

    async def when_told(event: UserEvent) -> EventAnswer:
        await answer.wait()
        return EventAnswer(200)

    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        equip(endpoint, "echo").on_event = when_told
        ours, theirs = memory_stream_pair()
        nursery.start_soon(endpoint.serve, theirs)
        await ours.send_all(request(target_of(endpoint)))
        await ours.send_all(frame(encode(Connect(ProtocolVersion.V5, "busy", keep_alive=60)) + encode(Publish(ECHO))))
        for _ in range(20):
            await ours.send_all(frame(encode(Publish("t", bytes(size), Q0)) * number))
            await trio.sleep(0.01)
        assert endpoint.connections.published == 0
        assert await has_unread(theirs)
        answer.set()
        with trio.fail_after(5):
            while endpoint.connections.published < 20 * number:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
        await ours.aclose()


async def has_unread(stream: Any) -> bool:
    """Whether a memory stream holds bytes that nobody has taken."""
    await trio.lowlevel.checkpoint()
    return bool(stream.receive_stream._incoming._data)


@trio_test
async def test_calls_are_bounded(autojump_clock: object) -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append, call_limit=1) as endpoint, trio.open_nursery() as nursery:
        handlers = equip(endpoint, "connect", "connected", "echo")
        handlers.on_connected = silence
        async with open_wire(endpoint, stream=memory_stream(endpoint, nursery)) as wire:
            await connected(wire)  # which is told for ever
            wire.send(Publish(ECHO, b"x", Q1))
            assert (await wire.next(Delivered)).reason_code == 0
            answer = await wire.next(Publish)
            assert answer.properties["user_property"] == [("azure-status-code", "503")]
            async with open_wire(endpoint, "other", stream=memory_stream(endpoint, nursery)) as other:
                assert (await other.next(ConnAck)).reason_code == 0x80
                await other.end()
    assert any("too many calls" in line for line in lines)


@trio_test
async def test_a_client_may_leave_while_its_connect_waits_and_shutting_down_does_not_wait_for_either() -> None:
    async with open_endpoint() as endpoint:
        equip(endpoint, "connect").on_connect = silence
        async with open_wire(endpoint) as wire:
            await trio.sleep(0.05)
            assert endpoint.connections.open == 1
            assert wire.seen == []
        stream = await trio.open_tcp_stream("127.0.0.1", endpoint.port)
        await stream.send_all(connect_bytes(endpoint, encode(Connect(ProtocolVersion.V5, "x", keep_alive=60))))
        began = trio.current_time()
    await read_all(stream)
    assert trio.current_time() - began < 5


@trio_test
async def test_a_bug_behind_an_answer_ends_that_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append) as endpoint:
        equip(endpoint, "connect")
        async with open_wire(endpoint, "good") as good:
            await connected(good)
            hub = endpoint.hub("chat")
            assert hub is not None
            with monkeypatch.context() as patch:
                patch.setattr(hub, "answered", lambda visitor, now: 1 // 0)  # noqa: ARG005 - as it is called
                async with open_wire(endpoint, "bad") as bad:
                    await bad.end()
            good.send(Publish("t", b"x", Q1))
            assert (await good.next(Delivered)).reason_code == 0
    assert any("ZeroDivisionError" in line for line in lines)


@trio_test
async def test_a_client_that_sends_events_faster_than_they_are_answered_is_read_no_further() -> None:
    longest = 0

    async def answer(event: UserEvent) -> EventAnswer:
        nonlocal longest
        assert isinstance(event.visitor, Peer)
        await trio.lowlevel.checkpoint()
        longest = max(longest, len(event.visitor.waiting or ()))
        return EventAnswer(200)

    async with open_endpoint() as endpoint:
        handlers = equip(endpoint, "echo")
        handlers.on_event = answer
        stream = await open_stream(endpoint)
        events = frame(encode(Publish(ECHO, b"")) * 100) * 100
        with trio.fail_after(60):
            await stream.send_all(connect_bytes(endpoint, encode(Connect(ProtocolVersion.V5, "c1"))) + events)
            async with stream:
                while len(handlers.told) < 1000:
                    await stream.receive_some()
    assert 100 <= longest < 5000
