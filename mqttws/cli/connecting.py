"""Opening a client for a command: what goes wrong before it is open is one kind of failure, what comes later not."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

from mqttws.cli.interrupt import Interrupt
from mqttws.cli.options import client_options, service_from, url_from
from mqttws.cli.outcome import NotConnected, UsageError, say_why
from mqttws.cli.recording import recording
from mqttws.cli.secret import secret_from
from mqttws.cli.status import status_line
from mqttws.client import (
    Client,
    ClientEvent,
    Connected,
    Deadlines,
    Reconnect,
    SQLiteStore,
    from_connection_string,
    open_client,
)
from mqttws.client.access import UrlSource
from mqttws.errors import LocalProtocolError, MqttError, StoreFailed
from mqttws.transport import Proxy, ProxySetting
from mqttws.webpubsub import ClientAccessUrl, Roles

__all__ = ["Progress", "connected", "connected_to"]

#: Seconds for the exchanges that are under way when a command ends.
_LINGER: Final = Deadlines().linger

#: CONNECT properties that the client takes as arguments, since they need more of it than a value in a packet.
_ARGUMENTS: Final = ("session_expiry_interval", "receive_maximum", "maximum_packet_size", "topic_alias_maximum")


class Progress:
    """How far a command has come with its connection: for the line that says why it came no further."""

    def __init__(self) -> None:
        #: Whether there has ever been one.
        self.opened = False
        self._trouble = ""

    def note(self, event: ClientEvent) -> None:
        """Remember what was in the way last."""
        if isinstance(event, Connected):
            self._trouble = ""
        elif event.error is not None:
            self._trouble = f": {say_why(event.error)}"

    def not_connected(self, interrupt: Interrupt, timeout: float | None) -> NotConnected:
        """The error for a command that was stopped before it was connected."""
        why = f"no connection within {timeout:g} s" if interrupt.timed_out and timeout is not None else "interrupted"
        return NotConnected(f"{why}{self._trouble}")


@asynccontextmanager
async def connected(args: Namespace, progress: Progress) -> AsyncIterator[Client]:
    """The client that the options ask for, with a status line on a terminal while it has no connection."""
    source, where = _source(args)
    if args.disable_clean_start and not args.client_id and args.store is None:
        raise UsageError("--disable-clean-start needs --client-id: the Server finds the Session by it")
    options = client_options(args)
    for name in _ARGUMENTS:
        if name in options["properties"]:
            options[name] = options["properties"].pop(name)
    if args.timeout is not None and args.timeout < _LINGER:
        options["deadlines"] = Deadlines(linger=args.timeout)  # a short patience is short at the end, too
    options["proxy"] = _proxy(args)
    if args.reconnect:
        options["reconnect"] = Reconnect(first=True)
    async with AsyncExitStack() as stack:
        if args.store is not None:
            options |= {"store": stack.enter_context(_store(args.store)), "clean_start": None}
        options["trace"] = await stack.enter_async_context(recording(args.trace))
        status = await stack.enter_async_context(status_line(where))

        def on_event(event: ClientEvent) -> None:
            progress.note(event)
            status(event)

        client = await stack.enter_async_context(connected_to(source, on_event=on_event, **options))
        progress.opened = True
        yield client


def _source(args: Namespace) -> tuple[UrlSource, str]:
    """Where to connect, and how that may be shown."""
    service = service_from(args)
    if service is not None:
        try:
            roles = Roles.everything()
            return from_connection_string(service, args.hub, user_id=args.user_id, roles=roles), service.endpoint
        except ValueError as problem:
            raise UsageError(str(problem)) from None
    url = url_from(args)
    if url is None:
        raise UsageError("no URL: give --url, set MQTTWS_URL, or give --hub and a connection string")
    return url, str(ClientAccessUrl.parse(url))


def _proxy(args: Namespace) -> ProxySetting:
    setting = secret_from("the proxy", args.proxy, None, "MQTTWS_PROXY")
    if setting in (None, "none"):
        return "environment" if setting is None else None
    try:
        return Proxy(setting)
    except ValueError as problem:
        raise UsageError(str(problem)) from None


@contextmanager
def _store(path: str) -> Iterator[SQLiteStore]:
    try:
        store = SQLiteStore(path)
    except StoreFailed as error:
        raise UsageError(say_why(error)) from None
    with store:
        yield store


@asynccontextmanager
async def connected_to(url: UrlSource, **options: Any) -> AsyncIterator[Client]:
    """An open client; :class:`NotConnected` or :class:`UsageError` if it does not come to that.

    Unless ``reconnect`` is among the options, the first failure ends it. Once it is open, errors pass through as they
    are.
    """
    opened = False
    try:
        async with open_client(url, **({"reconnect": None} | options)) as client:
            opened = True
            yield client
    except (ValueError, LocalProtocolError) as error:
        if opened:
            raise
        raise UsageError(say_why(error)) from error
    except (MqttError, OSError) as error:
        if opened:
            raise
        raise NotConnected(say_why(error)) from error
