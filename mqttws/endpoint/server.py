"""The local endpoint on sockets of this machine: start, accept, leave (trio).

For development and tests. It imitates the documented behaviour of Azure Web PubSub for MQTT; where the documentation
is silent it follows a setting, and :mod:`mqttws.endpoint.service` says which those are.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from mqttws.endpoint.endpoint import Endpoint
from mqttws.endpoint.handlers import open_handlers
from mqttws.endpoint.handlers_config import EVERY_HUB, Handlers, check_handlers
from mqttws.endpoint.log import Log
from mqttws.endpoint.native import NativeSpeaker
from mqttws.endpoint.rest import Rest
from mqttws.endpoint.service import Service, unproven
from mqttws.transport.tap import Trace, open_trace
from mqttws.webpubsub import ConnectionString, check_hub, key_warning, make_token, new_access_key

__all__ = ["open_endpoint"]

#: ``accept`` fails with these while the process or the machine is out of descriptors or memory. It passes.
_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
#: How long to leave the listening socket alone then, in seconds.
_PAUSE: Final = 0.1
#: Connections that the system keeps ready for us to accept, unless it allows fewer. With 1024 a storm of 2,000 clients
#: overflowed the queue some 7,000 times; they waited for TCP to try again, and on a busy machine some were reset.
_BACKLOG: Final = 4096
#: Addresses to listen at, but not to connect to.
_ANY: Final = ("", "0.0.0.0", "::", "*")  # noqa: S104 - compared with, not bound to


@asynccontextmanager
async def open_endpoint(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    access_key: str | None = None,
    secondary_key: str | None = None,
    hubs: Collection[str] | None = None,
    public_address: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    log: Callable[[str], None] | None = None,
    trace: Trace | None = None,
    handlers: Handlers | None = None,
    profile: str = "webpubsub",
    service: Service | None = None,
    **settings: Any,
) -> AsyncIterator[Endpoint]:
    """Serve Web PubSub-like hubs for MQTT while the block runs.

    ``port`` 0 takes a free one. ``access_key`` None makes a random one; with a ``secondary_key`` tokens of either
    count. ``hubs`` None admits every valid hub name. ``public_address`` (``http(s)://host:port``) is where clients
    reach the endpoint if that is not where it listens: behind a proxy, in a container. ``log`` gets one line for each
    event, escaped and without secrets. ``trace`` records the bytes of all connections, secrets masked: a file that is
    written anew, a function for each line, or a :class:`~mqttws.trace.Recorder`. ``handlers`` are the hubs' event
    handlers: for each hub a list of :class:`~mqttws.endpoint.EventHandler`, of which the first that takes an event gets
    it; ``_default`` stands for the hubs that have no list. ``profile`` ``generic`` makes it a
    plain MQTT server with all that the standard has, which Azure Web PubSub is not. Each row of
    :class:`~mqttws.endpoint.service.Service` may be given as a keyword, or all of them as ``service``.

    Leaving the block says goodbye to the clients (5.0: DISCONNECT 0x8B) and takes ``shutdown_timeout`` seconds at most.
    Raises :class:`OSError` if the address cannot be had, :class:`ValueError` for a wrong value and :class:`TypeError`
    for a setting that does not exist.
    """
    chosen = (service if service is not None else Service.of(profile)).changed(**settings)
    keys = _keys(access_key, secondary_key)
    for hub in hubs if hubs is not None else ():
        check_hub(hub)
    check_handlers(handlers or {})
    listeners = await trio.open_tcp_listeners(port, host=None if host in _ANY[:1] else host, backlog=_BACKLOG)
    listeners.sort(key=lambda listener: listener.socket.family != socket.AF_INET)  # what every client can reach first
    try:
        bound = listeners[0].socket.getsockname()[1]
        if public_address is None:
            public_address = f"{'http' if ssl_context is None else 'https'}://{_reachable(host)}:{bound}"
        where = ConnectionString.parse(f"Endpoint={public_address};AccessKey={keys[0]}")
        endpoint = Endpoint(where, bound, keys=keys, hubs=hubs, service=chosen, log=Log(log))
        endpoint.http = Rest(endpoint, hubs, endpoint.http)
        endpoint.speakers.append(NativeSpeaker(endpoint))
        unserved = [] if hubs is None else [hub for hub in handlers or () if hub not in (EVERY_HUB, *hubs)]
        _announce(endpoint, keys, unserved)
        # Addresses of one name get different ports if the system may choose: only the first one can be told.
        ours = listeners if port else listeners[:1]
        async with (
            open_trace(trace) as endpoint.recorder,
            open_handlers(endpoint, handlers) as endpoint.upstream,
            _listening(endpoint, ours, ssl_context),
        ):
            yield endpoint
    finally:
        for listener in listeners:
            listener.socket.close()


@asynccontextmanager
async def _listening(
    endpoint: Endpoint, listeners: list[trio.SocketListener], ssl_context: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Run the tasks of an endpoint while the block runs; an exception of the block comes out as it is."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(_accept, endpoint, listener, ssl_context, nursery)
        endpoint.nursery = nursery
        nursery.start_soon(endpoint.keep_time)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised below; in here the nursery would wrap it into a group
            failure = error
        finally:
            for listener in listeners:
                listener.socket.close()
            await endpoint.shut_down()
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _accept(
    endpoint: Endpoint, listener: trio.SocketListener, ssl_context: ssl.SSLContext | None, nursery: trio.Nursery
) -> None:
    """Accept until the listening socket is closed. A shortage of descriptors is waited out."""
    most = endpoint.service.connection_limit + endpoint.service.unfinished_limit
    exhausted = False
    while True:
        try:
            stream = await listener.accept()
        except trio.ClosedResourceError:
            return
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            if not exhausted:
                endpoint.log("AcceptFailed", f"{error.strerror}; new clients have to wait")
            exhausted = True
            await trio.sleep(_PAUSE)
            continue
        exhausted = False
        address = _address_of(stream)
        if endpoint.sockets >= most:
            endpoint.log("HandshakeRefused", "Connection count reaches limit; closed unread", address=address)
            stream.socket.close()
        elif ssl_context is None:
            nursery.start_soon(endpoint.serve, stream, address)
        else:
            # The TLS handshake takes place with the first bytes and so within handshake_timeout. https_compatible: the
            # Close frame tells an orderly end, and clients do not wait for our close_notify.
            tls = trio.SSLStream(stream, ssl_context, server_side=True, https_compatible=True)
            nursery.start_soon(endpoint.serve, tls, address)


def _address_of(stream: trio.SocketStream) -> str:
    """Where a client comes from, for the log."""
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:  # gone already
        return "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reachable(host: str) -> str:
    """A listening host as it stands in a URL."""
    if host in _ANY:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _keys(access_key: str | None, secondary_key: str | None) -> tuple[str, ...]:
    """The keys in use; :class:`ValueError` for one that cannot sign or cannot stand in a connection string."""
    keys = (access_key if access_key is not None else new_access_key(), secondary_key)
    usable = tuple(key for key in keys if key is not None)
    for key in usable:
        if ";" in key or key != key.strip() or not key.isprintable():
            raise ValueError("an access key holds no semicolon, control character or outer white space")
        make_token(key, "", now=0)
    return usable


def _announce(endpoint: Endpoint, keys: tuple[str, ...], unserved: Iterable[str]) -> None:
    """What the log begins with: where we are, keys that are short, event handlers of hubs that are not served, choices
    that nobody can vouch for.
    """
    log = endpoint.log
    imitates = "imitates what is documented of Azure Web PubSub for MQTT"
    log("EndpointStarted", endpoint.service.banner or imitates, address=endpoint.address)
    for name, key in zip(("access key", "secondary key"), keys, strict=False):
        warning = key_warning(key)
        if warning is not None:
            log("Warning", warning, key=name)
    for hub in unserved:
        log("Warning", "its event handlers are never asked: the hub is not served here", hub=hub)
    log("UnprovenSettings", ", ".join(f"{setting.name}={setting.value}" for setting in unproven(endpoint.service)))
