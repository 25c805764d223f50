"""Ways to a subject that runs in this process: streams in memory where others dial."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import trio
import trio.testing

from mqttws.conformance.wire.target import Target
from mqttws.conformance.wrong.proxy import Proxy, Tamper
from mqttws.conformance.wrong.reference_server import ReferenceServer
from mqttws.vocabulary import Role
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["Accidents", "InProcess", "server_target"]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class InProcess(Target):
    """A URL that leads nowhere, and what is called in its place for each connection."""

    dial: Callable[[], trio.abc.Stream]

    async def open(self) -> trio.abc.Stream:
        """A fresh connection."""
        await trio.lowlevel.checkpoint()
        return self.dial()


class Accidents:
    """What wrong subjects have fallen over, which was not meant: it ends one connection, and is told in the end."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def survive(self, work: Callable[[], Awaitable[None]], *streams: trio.abc.Stream) -> None:
        """Do something on streams, which are closed if it fails."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the trial goes on
            self.note(error)
            for stream in streams:
                await trio.aclose_forcefully(stream)

    def note(self, error: Exception) -> None:
        """It was this."""
        self.told.append("; ".join(_leaves(error)))


def _leaves(error: BaseException) -> Iterator[str]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield f"{type(error).__name__}: {error}"


def server_target(
    server: ReferenceServer,
    nursery: trio.Nursery,
    make_tamper: Callable[[], Tamper] | None = None,
    accidents: Accidents | None = None,
) -> InProcess:
    """The way to a Server in this process; with ``make_tamper`` a proxy with a fault is between.

    What the Server falls over is raised in the nursery, unless there is somebody to note ``accidents``.
    """

    def start(work: Callable[[], Awaitable[None]], *streams: trio.abc.Stream) -> None:
        if accidents is None:
            nursery.start_soon(work)
        else:
            nursery.start_soon(accidents.survive, work, *streams)

    def dial() -> trio.abc.Stream:
        ours, its = trio.testing.memory_stream_pair()
        if make_tamper is not None:
            between, far = trio.testing.memory_stream_pair()
            start(Proxy(make_tamper(), Role.SERVER, its, between).run, its, between)
            its = far
        start(partial(server.serve, its), its)
        return ours

    return InProcess(url=ClientAccessUrl.parse("ws://localhost:1/mqtt"), address="localhost", dial=dial)
