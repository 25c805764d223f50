"""The endpoint in memory: serves one end of each wire, goes down, and comes back with its Sessions or without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import trio

from mqttws.endpoint import Endpoint, Log, Service
from mqttws.simulation.faults import Direction, Fault, Kind
from mqttws.simulation.schedule import Ending
from mqttws.simulation.wire import Wire
from mqttws.webpubsub import ConnectionString, Roles

__all__ = ["HUB", "SimulatedServer"]

#: The one hub there is.
HUB = "chat"

_KEY = "a key of a server that no network leads to"
_ADDRESS = f"Endpoint=http://server;AccessKey={_KEY}"


class SimulatedServer:
    """A local endpoint without sockets. :meth:`run` comes first, as a task; ``url`` admits every client to everything.

    ``log`` is called with each line of the endpoint's log.
    """

    def __init__(self, service: Service | None = None, log: Callable[[str], None] | None = None) -> None:
        self._service = service if service is not None else Service()
        self._log = _SessionLog(log)
        self._wires: dict[Wire, None] = {}
        self._nursery: trio.Nursery | None = None
        self._stop = trio.Event()
        self._stopped = trio.Event()
        self._start = trio.Event()
        self._up = trio.Event()
        self.endpoint = self._new_endpoint()
        self.url = self.endpoint.client_access_url(HUB, roles=Roles.everything())

    def _new_endpoint(self) -> Endpoint:
        where = ConnectionString.parse(_ADDRESS)
        return Endpoint(where, 80, keys=(_KEY,), hubs=(HUB,), service=self._service, log=self._log)

    # -- what there is to see ------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether it can be dialled."""
        return self._nursery is not None

    @property
    def is_empty(self) -> bool:
        """Whether no connection, no Session and no message is left."""
        endpoint = self.endpoint
        return not endpoint.sockets and not endpoint.connections.open and endpoint.hub(HUB) is None

    def sessions_begun(self, client_id: str) -> int:
        """How many Sessions of a client there have been, those of before a restart included."""
        return self._log.begun[client_id]

    def subscribed(self, client_id: str, topic: str) -> int | None:
        """The number of the client's Session, from 1 on, if there is one that is subscribed to the topic."""
        hub = self.endpoint.hub(HUB)
        session = None if hub is None else hub.session(client_id)
        if session is None or topic not in session.subscriptions:
            return None
        return self.sessions_begun(client_id)

    # -- running -------------------------------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve, boot after boot, until cancelled."""
        while True:
            async with trio.open_nursery() as nursery:
                self._stop, self._stopped, self._start = trio.Event(), trio.Event(), trio.Event()
                self._nursery = nursery
                self._up.set()
                nursery.start_soon(self.endpoint.keep_time)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                try:
                    await self._stop.wait()
                finally:
                    self._nursery = None
                nursery.cancel_scope.cancel()
            self._stopped.set()
            await self._start.wait()

    def serve(self, wire: Wire, address: str) -> None:
        """Serve the server's end of a wire; the server has to be up."""
        assert self._nursery is not None
        self._nursery.start_soon(self._serve, wire, address)

    async def _serve(self, wire: Wire, address: str) -> None:
        self._wires[wire] = None
        try:
            await self.endpoint.serve(wire.server, address)
        finally:
            self._wires.pop(wire, None)

    async def restart(self, ending: Ending, *, down: float, keeps: bool) -> None:
        """Go down, and come back ``down`` seconds later; with ``keeps`` every Session is still there then."""
        if ending is Ending.GOODBYE:
            await self.endpoint.shut_down()
        kind = {Ending.RESET: Kind.RESET, Ending.VANISH: Kind.VANISH}.get(ending)
        for wire in tuple(self._wires) if kind is not None else ():
            assert kind is not None
            wire.strike(Fault(kind, Direction.DOWN, 0), trio.current_time())
        self._stop.set()
        await self._stopped.wait()
        await trio.sleep(down)
        if not keeps:
            self.endpoint = self._new_endpoint()
        self._up = trio.Event()
        self._start.set()
        await self._up.wait()


class _SessionLog(Log):
    """Counts Sessions by what the endpoint's log says of them."""

    __slots__ = ("begun",)

    def __init__(self, write: Callable[[str], None] | None) -> None:
        super().__init__(write)
        self.begun: Counter[str] = Counter()

    def __call__(self, event: str, message: str = "", **fields: object) -> None:
        if event == "ConnectionStarted":
            self.begun[str(fields["client_id"])] += 1
        super().__call__(event, message, **fields)
