"""What the clients dial: wires to the simulated server, as planned."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from itertools import count
from weakref import WeakSet

import trio

from mqttws.errors import DialFailed
from mqttws.simulation.faults import Fault, WirePlan
from mqttws.simulation.server import SimulatedServer
from mqttws.simulation.wire import Wire

__all__ = ["Line", "Network"]


class Network:
    """A line for each client. ``alive`` are the wires that somebody still holds, whether they carry bytes or not."""

    def __init__(self, server: SimulatedServer, plans: Mapping[str, Sequence[WirePlan]]) -> None:
        self.alive: WeakSet[Wire] = WeakSet()
        self._server = server
        self._plans = plans
        self._lines: dict[str, Line] = {}

    def line(self, client: str) -> Line:
        """The line of one client."""
        if client not in self._lines:
            self._lines[client] = Line(self, self._server, client, self._plans.get(client, ()))
        return self._lines[client]

    def calm(self) -> None:
        """No more faults: what has happened stays, what was planned does not."""
        for line in self._lines.values():
            line.calm()


class Line:
    """How one client gets to the server; :meth:`dial` is what ``open_client`` takes.

    ``dialled`` counts the attempts, ``opened`` those that got a wire.
    """

    def __init__(self, network: Network, server: SimulatedServer, client: str, plans: Sequence[WirePlan]) -> None:
        self.dialled = 0
        self.opened = 0
        self._network = network
        self._server = server
        self._client = client
        self._plans = iter(plans)
        self._wire: Wire | None = None
        self._serial = count(1)

    async def dial(self, host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
        """The client's end of the next wire. Raises :class:`DialFailed` where the plan or the server refuses."""
        del secure, ssl_context  # there is nothing to encrypt
        self.dialled += 1
        # A server that is down refuses by itself, and leaves the plan for when it is up.
        plan = next(self._plans, WirePlan()) if self._server.is_up else WirePlan(opens=False)
        await trio.sleep(plan.latency)
        if plan.opens is None:
            await trio.sleep_forever()
        if not plan.opens or not self._server.is_up:
            raise DialFailed(f"cannot connect to {host}:{port}: refused in the simulation")
        self.opened += 1
        self._wire = wire = Wire(plan)
        self._network.alive.add(wire)
        self._server.serve(wire, f"{self._client}:{next(self._serial)}")
        return wire.client

    def strike(self, fault: Fault) -> bool:
        """Let a fault happen to the wire of the last dialling; False if there is none that it could change."""
        if self._wire is None or self._wire.over:
            return False
        self._wire.strike(fault, trio.current_time())
        return True

    def calm(self) -> None:
        """From now on nothing is planned."""
        self._plans = iter(())
        if self._wire is not None:
            self._wire.calm()
