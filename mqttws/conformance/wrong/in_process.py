"""Ways to a subject that runs in this process: streams in memory where others dial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio
import trio.testing

from mqttws.conformance.wire.target import Target
from mqttws.conformance.wrong.proxy import Proxy, Tamper
from mqttws.conformance.wrong.reference_server import ReferenceServer
from mqttws.vocabulary import Role
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["InProcess", "server_target"]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class InProcess(Target):
    """A URL that leads nowhere, and what is called in its place for each connection."""

    dial: Callable[[], trio.abc.Stream]

    async def open(self) -> trio.abc.Stream:
        """A fresh connection."""
        await trio.lowlevel.checkpoint()
        return self.dial()


def server_target(
    server: ReferenceServer, nursery: trio.Nursery, make_tamper: Callable[[], Tamper] | None = None
) -> InProcess:
    """The way to a Server in this process; with ``make_tamper`` a proxy with a fault is between."""

    def dial() -> trio.abc.Stream:
        ours, its = trio.testing.memory_stream_pair()
        if make_tamper is not None:
            between, far = trio.testing.memory_stream_pair()
            nursery.start_soon(Proxy(make_tamper(), Role.SERVER, its, between).run)
            its = far
        nursery.start_soon(server.serve, its)
        return ours

    return InProcess(url=ClientAccessUrl.parse("ws://localhost:1/mqtt"), address="localhost", dial=dial)
