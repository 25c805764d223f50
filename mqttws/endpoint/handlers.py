"""Event handlers of an endpoint: HTTP servers that get CloudEvents, and functions of this process (trio).

:class:`EventHandlers` is the :class:`~mqttws.endpoint.upstream.Upstream` that finds the handler of a call, has it
answer, and makes a refusal of whatever goes wrong there. A notice of the end of a session never overtakes that of its
beginning; other calls are not in order, since nothing waits for ``connected``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import trio

from mqttws.endpoint.handlers_answers import AnswerFault, read_connect, read_event, succeeded
from mqttws.endpoint.handlers_cloudevents import Notice, event_name
from mqttws.endpoint.handlers_config import EVERY_HUB, EventHandler, Handlers, check_handlers
from mqttws.endpoint.handlers_http import HandlerFailed, WebHooks
from mqttws.endpoint.members import Member
from mqttws.endpoint.upstream import (
    Call,
    ConnectRequest,
    Denied,
    EventAnswer,
    Granted,
    MemberConnected,
    MemberDisconnected,
    UserEvent,
)
from mqttws.http import Limits, Response
from mqttws.transport import Dial, HttpUrl, open_http_pool
from mqttws.transport import dial as dial_directly

if TYPE_CHECKING:
    from mqttws.endpoint.endpoint import Endpoint

__all__ = ["EventHandlers", "open_handlers"]

#: How long a connection to a handler is kept, in seconds: less than the five after which Node.js cuts it, since an
#: event that meets the cut is lost.
_KEPT: Final = 4.0
#: The state of a connection is a header; JavaScript handlers put any object there.
_HEAD: Final = 64 * 1024
_LINE: Final = 32 * 1024


class EventHandlers:
    """Answers the calls of an endpoint's hubs by the handlers that are configured for them."""

    def __init__(self, endpoint: Endpoint, handlers: Handlers, webhooks: WebHooks, origin: str) -> None:
        self._endpoint = endpoint
        self._handlers = {hub: tuple(of_hub) for hub, of_hub in handlers.items()}
        self._webhooks = webhooks
        self._origin = origin
        self._telling: dict[Member, trio.Event] = {}

    def _of(self, hub: str) -> tuple[EventHandler, ...]:
        return self._handlers.get(hub, self._handlers.get(EVERY_HUB, ()))

    def wants_system(self, hub: str, name: str) -> bool:
        """Whether a handler of this hub takes ``connect``, ``connected`` or ``disconnected``."""
        return any(handler.takes_system(name) for handler in self._of(hub))

    def wants_event(self, hub: str, name: str) -> bool:
        """Whether a handler of this hub takes a user event of this name."""
        return any(handler.takes_event(hub, name) for handler in self._of(hub))

    def _handler(self, call: Call) -> EventHandler:
        """The first one that takes it; there is one, since it was asked for."""
        name = event_name(call)
        if isinstance(call, UserEvent):
            return next(handler for handler in self._of(call.hub) if handler.takes_event(call.hub, name))
        return next(handler for handler in self._of(call.hub) if handler.takes_system(name))

    # -- calls ----------------------------------------------------------------------------------------------------

    async def connect(self, request: ConnectRequest) -> Granted | Denied:
        """Have a CONNECT decided (row 32); a handler that fails says no, without a code."""
        handler = self._handler(request)
        if not isinstance(handler.target, str):
            # Whether it really is one of them is seen to by who called us, as for any other upstream.
            return cast("Granted | Denied", await handler.target(request))
        try:
            return read_connect(await self._post(handler, request), mqtt=request.connect is not None)
        except HandlerFailed as failed:
            self._log(request, failed.event, failed.text)
        except AnswerFault as fault:
            self._log(request, "EventHandlerFailed", f"connect was answered with what is no answer: {fault}")
        return Denied()

    async def event(self, event: UserEvent) -> EventAnswer:
        """Have a user event answered; a handler that fails makes a failed event."""
        handler = self._handler(event)
        if not isinstance(handler.target, str):
            return cast("EventAnswer", await handler.target(event))
        try:
            return read_event(await self._post(handler, event))
        except HandlerFailed as failed:
            self._log(event, failed.event, failed.text)
            return EventAnswer(failed.status)

    async def connected(self, notice: MemberConnected) -> None:
        """Tell that a session has begun; a failure is logged."""
        told = self._telling[notice.member] = trio.Event()
        try:
            await self._tell(notice)
        finally:
            told.set()
            del self._telling[notice.member]

    async def disconnected(self, notice: MemberDisconnected) -> None:
        """Tell that a session has ended, after its beginning was told; a failure is logged."""
        await trio.lowlevel.checkpoint()  # both may have begun in the same moment, in any order
        told = self._telling.get(notice.member)
        if told is not None:
            await told.wait()
        await self._tell(notice)

    async def _tell(self, notice: MemberConnected | MemberDisconnected) -> None:
        handler = self._handler(notice)
        if not isinstance(handler.target, str):
            await handler.target(notice)
            return
        try:
            response = await self._post(handler, notice)
        except HandlerFailed as failed:
            self._log(notice, failed.event, failed.text)
            return
        if not succeeded(response):
            self._log(notice, "EventHandlerFailed", f"{event_name(notice)} was answered with {response.status}")

    # -- over HTTP ------------------------------------------------------------------------------------------------

    async def _post(self, handler: EventHandler, call: Call) -> Response:
        endpoint = self._endpoint
        notice = Notice.of(
            call,
            origin=self._origin,
            keys=endpoint.keys,
            number=self._number(call),
            moment=datetime.now(UTC),
            content_type=endpoint.service.event_content_type,
        )
        return await self._webhooks.post(handler, call.hub, event_name(call), notice)

    def _number(self, call: Call) -> int:
        """``ce-id`` counts a connection's events; ``connect`` is the first one, where somebody is asked."""
        if isinstance(call, ConnectRequest):
            return 1
        call.member.events += 1
        return call.member.events + self.wants_system(call.hub, "connect")

    def _log(self, call: Call, event: str, text: str) -> None:
        client_id = call.client_id if isinstance(call, ConnectRequest) else call.member.client_id
        self._endpoint.log(event, text, hub=call.hub, client_id=client_id)


@asynccontextmanager
async def open_handlers(
    endpoint: Endpoint, handlers: Handlers | None, *, dial: Dial = dial_directly
) -> AsyncIterator[EventHandlers | None]:
    """The upstream of an endpoint while the block runs, None without handlers.

    Connections go to the configured URLs themselves: no proxy, no redirect. A call takes ``event_timeout`` seconds at
    most, its answer ``maximum_packet_size`` bytes. Raises :class:`~mqttws.endpoint.handlers_config.HandlerFault`.
    """
    if not handlers:
        yield None
        return
    check_handlers(handlers)
    service = endpoint.service
    origin = HttpUrl.parse(endpoint.address).authority
    async with open_http_pool(
        dial=dial,
        proxy=None,
        limits=Limits(head=_HEAD, line=_LINE, body=service.maximum_packet_size),
        timeout=service.event_timeout,
        idle_seconds=_KEPT,
        connections=service.handler_connections,
    ) as pool:
        yield EventHandlers(endpoint, handlers, WebHooks(pool, origin), origin)
