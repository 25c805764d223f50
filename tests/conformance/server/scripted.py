"""Servers that do as a test wants it, reached in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import trio
import trio.testing

from mqttws.codec import ConnAck, Connect, Packet, PingReq, PingResp, encode
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Outcome
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import answer, read_head
from mqttws.conformance.wire.peer import Peer
from mqttws.conformance.wire.target import Target
from mqttws.conformance.wrong.entry import OFFERS
from mqttws.conformance.wrong.in_process import server_target
from mqttws.conformance.wrong.reference_server import ReferenceServer
from mqttws.errors import ConnectionLost
from mqttws.trace import Recorder
from mqttws.vocabulary import Role
from mqttws.webpubsub import ClientAccessUrl

_Found = TypeVar("_Found")
#: What a Server does with a byte stream.
Serve: TypeAlias = Callable[[trio.abc.Stream], Awaitable[None]]


def in_time(main: Callable[[trio.Nursery], Awaitable[_Found]]) -> _Found:
    """Run it on a clock that jumps, with a nursery for Servers; what it raises comes as it is."""
    problems: list[Exception] = []
    found: list[_Found] = []

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            try:
                found.append(await main(nursery))
            except Exception as problem:  # noqa: BLE001 - raised again outside of the nursery
                problems.append(problem)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    for problem in problems:
        raise problem
    return found[0]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Scripted(Target):
    """A URL whose connections are served by a function; without one nobody is there."""

    serve: Serve | None
    nursery: trio.Nursery

    async def open(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if self.serve is None:
            raise ConnectionLost("nobody listens there")
        ours, its = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.serve, its)
        return ours


def scripted(nursery: trio.Nursery, serve: Serve | None) -> ServerSubject:
    """A subject that is this function."""
    url = ClientAccessUrl.parse("ws://localhost:1/mqtt")
    return ServerSubject(Account(Scripted(url=url, address="localhost", serve=serve, nursery=nursery)))


def reference(nursery: trio.Nursery, offer: str = "full") -> ServerSubject:
    """The kit's own correct Server."""
    server = ReferenceServer(OFFERS[offer])
    nursery.start_soon(server.broker.tend)
    return ServerSubject(Account(server_target(server, nursery)))


def answering(code_of: Callable[[Connect], ConnAck], *, slowly: float = 0.0) -> Serve:
    """A Server that answers CONNECT and PINGREQ, each after some seconds, and forgets all other packets."""

    async def serve(stream: trio.abc.Stream) -> None:
        head = await read_head(stream, 10)
        assert head is not None
        await stream.send_all(answer(head))
        peer = Peer(
            stream, Role.SERVER, None, patience=60, watch=Watch(), recorder=Recorder(last=65536), rest=head.rest
        )
        with suppress(Outcome):
            while True:
                found: Packet = await peer.receive()
                await trio.sleep(slowly)
                if isinstance(found, Connect):
                    await peer.send(encode(code_of(found), found.version))
                elif isinstance(found, PingReq):
                    await peer.send(PingResp())
        await stream.aclose()

    return serve
