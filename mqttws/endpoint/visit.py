"""One byte stream's way through the endpoint: plain HTTP requests, or a handshake and then a place in a hub."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import trio

from mqttws.codec import Publish
from mqttws.endpoint.handshake import Refusal
from mqttws.endpoint.hub import Hub
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import Peer
from mqttws.http import Request, Response
from mqttws.link import LinkEvent, Opened, Upgrade
from mqttws.redaction import redact
from mqttws.session import Closed
from mqttws.transport import Pump

if TYPE_CHECKING:
    from mqttws.endpoint.endpoint import Endpoint

__all__ = ["HttpHandler", "Speaker", "Talk", "Visit", "is_crowd", "no_http"]

#: Answers plain HTTP requests; the second argument is the address of the client, for the log.
HttpHandler: TypeAlias = Callable[[Request, str], Awaitable[Response]]

#: So many messages of a connection, or bytes in them, may wait for the answer to one of its user events before no more
#: is read from it.
_WAITING: Final = 100
_WAITING_BYTES: Final = 1_048_576


def is_crowd(sizes: Collection[int]) -> bool:
    """Whether messages of these sizes are too many, or too large, to let more wait with them."""
    return len(sizes) >= _WAITING or sum(sizes) >= _WAITING_BYTES


def no_http(service: Service) -> HttpHandler:
    """The answer to plain HTTP where nothing else lives (row 13)."""

    async def refuse(request: Request, address: str) -> Response:  # noqa: ARG001 - the interface
        await trio.lowlevel.checkpoint()
        text = b"this port speaks WebSocket: a GET with 'Upgrade: websocket' is expected\n"
        return Response(service.no_upgrade_status, (("connection", "close"),), text)

    return refuse


class Talk(Protocol):
    """A visitor that speaks something else than MQTT."""

    def handle(self, events: list[Any], now: float) -> None:
        """Take in what has happened on the link that the visit's pump has now."""
        ...

    def leave(self, now: float) -> None:
        """The connection is over, however it came to that; called once."""
        ...


class Speaker(Protocol):
    """Another protocol on WebSockets of the endpoint's port."""

    def takes(self, path: str) -> bool:
        """Whether a WebSocket at this path (still percent-encoded) is for it."""
        ...

    def open(self, upgrade: Upgrade, visit: Visit, now: float) -> Talk | None:
        """Judge a handshake. Who is let in: take the WebSocket with ``visit.pump.link.hand_over()``, accept it, put a
        link of your own into ``visit.pump.link`` and call ``visit.endpoint.register``. Who is not: ``visit.refuse``.
        """
        ...


class Visit:
    """One connection at the endpoint. ``pump`` moves its bytes, ``address`` is for the log."""

    __slots__ = ("_nursery", "_place", "_served", "_settled", "_talk", "address", "endpoint", "pump")

    def __init__(self, endpoint: Endpoint, pump: Pump, address: str, nursery: trio.Nursery) -> None:
        self.endpoint = endpoint
        self.pump = pump
        self.address = address
        self._nursery = nursery
        self._place: tuple[Hub, Peer] | None = None
        self._talk: Talk | None = None
        self._served = False
        self._settled: trio.Event | None = None

    def handle(self, events: list[LinkEvent], now: float) -> None:
        """Take in what has happened, all of it before anything is sent."""
        if self._talk is not None:
            self._talk.handle(events, now)
            return
        for event in events:
            if isinstance(event, Upgrade):
                self._knock(event, now)
            elif isinstance(event, Request):
                self._served = True
                self._nursery.start_soon(self._respond, event)
            elif self._place is not None:
                if not isinstance(event, Opened):
                    hub, peer = self._place
                    hub.handle(peer, event, now)
            elif isinstance(event, Closed) and event.error is not None and not self._served:
                self._refused(str(event.error))
        if self._place is not None:
            hub, peer = self._place
            self.endpoint.flush(hub)
            waiting = peer.waiting
            if waiting and is_crowd([len(each.payload) if isinstance(each, Publish) else 0 for each in waiting]):
                self.pump.pause()

    # -- the handshake --------------------------------------------------------------------------------------------

    def _knock(self, upgrade: Upgrade, now: float) -> None:
        for speaker in self.endpoint.speakers:
            if speaker.takes(upgrade.path):
                self._talk = speaker.open(upgrade, self, now)
                self.pump.flush()
                return
        verdict = self.endpoint.admit(upgrade, self)
        if isinstance(verdict, Refusal):
            self.refuse(verdict, now)
        else:
            self._place = verdict
            self.pump.link.accept(now, echo=self.endpoint.service.subprotocol_echo)
            self.pump.flush()

    def refuse(self, refusal: Refusal, now: float) -> None:
        """Answer a handshake with an HTTP status instead of 101."""
        self._refused(refusal.text, refusal.status)
        self.pump.link.reject(now, refusal.status, refusal.all_headers, refusal.body)
        self.pump.flush()

    def _refused(self, text: str, status: int | None = None) -> None:
        self.endpoint.connections.refused += 1
        self.endpoint.log("HandshakeRefused", text, status=status, address=self.address)

    # -- plain HTTP -----------------------------------------------------------------------------------------------

    async def _respond(self, request: Request) -> None:
        """Have the handler answer, within the time that the link gives it; its faults are 500 and no one else's."""
        try:
            response = await self.endpoint.http(request, self.address)
            self._send(response)
        except Exception as error:  # noqa: BLE001 - a bug that one request has found must not end the others
            fault = redact(repr(error))
            self.endpoint.log("InternalError", f"{request.method} {request.path}: {fault}", address=self.address)
            self._send(Response(500, (), b"internal error\n"))

    def _send(self, response: Response) -> None:
        now = trio.current_time()
        self.pump.link.respond(now, response.status, response.headers, response.body)
        self.pump.flush()
        self.handle(self.pump.link.events(), now)  # the next request may have been waiting

    # -- event handlers -------------------------------------------------------------------------------------------

    def answered(self, now: float) -> None:
        """A call for this connection has been answered: take in what had to wait for that."""
        self.pump.resume()  # before what may pause it again
        if self._place is not None:
            hub, peer = self._place
            hub.answered(peer, now)
            self.handle(self.pump.link.events(), now)
            if peer.pending is None and self._settled is not None:
                self._settled.set()
        elif self._talk is not None:
            self._talk.handle(self.pump.link.events(), now)
        self.pump.flush()

    async def settled(self) -> None:
        """Wait until no CONNECT of a client that is gone waits for its answer: what it has sent behind it counts."""
        if self._place is not None and self._place[1].pending is not None:
            self._settled = trio.Event()
            await self._settled.wait()

    def abort(self, now: float) -> None:
        """End the connection without a word of MQTT."""
        self.pump.link.abort(now)
        self.pump.flush()

    def leave(self, now: float) -> None:
        """The connection is over, however it came to that."""
        if self._talk is not None:
            self._talk.leave(now)
        elif self._place is not None:
            self.endpoint.release(*self._place, now)
