"""Opening a client for a command: what goes wrong before it is open is one kind of failure, what comes later not."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from mqttws.cli.options import client_options, url_from
from mqttws.cli.outcome import NotConnected, UsageError, say_why
from mqttws.client import Client, Deadlines, open_client
from mqttws.errors import LocalProtocolError, MqttError

__all__ = ["connected", "connected_to"]

#: Seconds for the exchanges that are under way when a command ends.
_LINGER: Final = Deadlines().linger

#: CONNECT properties that the client takes as arguments, since they need more of it than a value in a packet.
_ARGUMENTS: Final = ("session_expiry_interval", "receive_maximum", "maximum_packet_size")


@asynccontextmanager
async def connected(args: Namespace) -> AsyncIterator[Client]:
    """The client that the options ask for."""
    url = url_from(args)
    if url is None:
        raise UsageError("no URL: give --url or set MQTTWS_URL")
    if args.disable_clean_start and not args.client_id:
        raise UsageError("--disable-clean-start needs --client-id: the Server finds the Session by it")
    options = client_options(args)
    for name in _ARGUMENTS:
        if name in options["properties"]:
            options[name] = options["properties"].pop(name)
    if args.timeout is not None and args.timeout < _LINGER:
        options["deadlines"] = Deadlines(linger=args.timeout)  # a short patience is short at the end, too
    async with connected_to(url, **options) as client:
        yield client


@asynccontextmanager
async def connected_to(url: str, **options: Any) -> AsyncIterator[Client]:
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
