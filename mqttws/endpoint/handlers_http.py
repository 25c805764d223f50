"""Posting events to URLs (trio): each URL is asked once whether it wants them, before it gets the first (row 80)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import trio

from mqttws.endpoint.handlers_answers import succeeded
from mqttws.endpoint.handlers_cloudevents import Notice, preflight_headers
from mqttws.endpoint.handlers_config import VALIDATE, EventHandler
from mqttws.errors import MqttError, PeerSilent
from mqttws.http import Response, header
from mqttws.transport import HttpPool, HttpUrl

__all__ = ["HandlerFailed", "WebHooks"]

#: URLs that are remembered as validated. Clients may bring any number of hubs, whose names stand in URLs.
_REMEMBERED: Final = 10_000


class HandlerFailed(Exception):
    """An event handler was not reached, or answered what cannot be used.

    ``event`` is the name for the log (that of the service, where it is documented), ``status`` stands for the status
    that there is not.
    """

    def __init__(self, text: str, *, event: str = "EventHandlerFailed", status: int = HTTPStatus.BAD_GATEWAY) -> None:
        super().__init__(text)
        self.text = text
        self.event = event
        self.status = int(status)


class _Validation:
    """A question on its way; who needs its answer too waits for it."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.fault: HandlerFailed | None = None


class WebHooks:
    """Posts events through ``pool``. ``origin`` is the endpoint's host, which each URL has to allow."""

    def __init__(self, pool: HttpPool, origin: str) -> None:
        self._pool = pool
        self._origin = origin
        self._validated: set[HttpUrl] = set()
        self._validating: dict[HttpUrl, _Validation] = {}

    async def post(self, handler: EventHandler, hub: str, event: str, notice: Notice) -> Response:
        """The answer to an event, whatever its status; :class:`HandlerFailed` if there is none."""
        await self._validate(handler.url(hub, VALIDATE))
        return await self._request("POST", handler.url(hub, event), notice.headers, notice.body)

    async def _validate(self, url: HttpUrl) -> None:
        """Abuse protection: nothing is posted to a URL before it has said that it wants it from us.

        Calls at the same time share one question and its answer; a later call asks again if that was no.
        """
        while url not in self._validated:
            running = self._validating.get(url)
            if running is None:
                await self._ask_once(url)
            else:
                await running.done.wait()
                if running.fault is not None:
                    raise HandlerFailed(running.fault.text, event=running.fault.event)

    async def _ask_once(self, url: HttpUrl) -> None:
        validation = self._validating[url] = _Validation()
        try:
            await self._ask(url)
            if len(self._validated) >= _REMEMBERED:
                self._validated.clear()
            self._validated.add(url)
        except HandlerFailed as fault:
            validation.fault = fault
            raise
        finally:
            del self._validating[url]
            validation.done.set()

    async def _ask(self, url: HttpUrl) -> None:
        try:
            response = await self._request("OPTIONS", url, preflight_headers(self._origin))
        except HandlerFailed as fault:
            raise HandlerFailed(fault.text, event="AbuseProtectionResponseFailed", status=fault.status) from None
        if not succeeded(response):
            text = f"OPTIONS {url} was answered with {response.status}"
            raise HandlerFailed(text, event="AbuseProtectionResponseInvalidStatusCode")
        allowed = header(response.headers, "webhook-allowed-origin") or ""
        if not {"*", self._origin.lower()} & {origin.strip().lower() for origin in allowed.split(",")}:
            text = f"OPTIONS {url} was answered without '{self._origin}' or '*' in WebHook-Allowed-Origin"
            raise HandlerFailed(text, event="AbuseProtectionResponseMissingAllowedOrigin")

    async def _request(
        self, method: str, url: HttpUrl, headers: Sequence[tuple[str, str]], body: bytes = b""
    ) -> Response:
        try:
            response = await self._pool.request(method, url, headers=headers, body=body)
        except MqttError as problem:
            status = HTTPStatus.GATEWAY_TIMEOUT if isinstance(problem, PeerSilent) else HTTPStatus.BAD_GATEWAY
            raise HandlerFailed(f"{method} {url}: {problem}", status=status) from None
        if response.truncated:
            raise HandlerFailed(f"{method} {url}: the answer is cut or too long, after {len(response.body)} bytes")
        return response
