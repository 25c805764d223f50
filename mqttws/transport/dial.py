"""From an address to a byte stream: TCP, and TLS on top of it.

All addresses of a name are tried, the next one starting before the last has failed (RFC 8305, trio's own). Whatever
goes wrong on the way is one :class:`~mqttws.errors.DialFailed` of one line, with the cause attached.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from socket import gaierror

import trio

from mqttws.errors import CertificateRefused, DialFailed, HostNotFound
from mqttws.transport.http_url import authority

__all__ = ["dial", "encrypt", "is_loopback"]


async def dial(
    host: str, port: int, *, secure: bool = False, ssl_context: ssl.SSLContext | None = None
) -> trio.abc.Stream:
    """Open a stream to ``host`` (a name or a bare IP address); ``secure`` puts TLS on it and completes its handshake.

    Without ``ssl_context`` the system's certificates decide whom to trust, and the host name is verified. A context of
    the caller's is used as it is. Waits without bound: the caller sets the deadline. Raises
    :class:`~mqttws.errors.DialFailed`, of which :class:`~mqttws.errors.HostNotFound` and
    :class:`~mqttws.errors.CertificateRefused` are kinds; nothing is left open then, nor when cancelled.
    """
    stream = await _connect(host, port)
    return await encrypt(stream, host, port, ssl_context) if secure else stream


async def _connect(host: str, port: int) -> trio.SocketStream:
    try:
        return await trio.open_tcp_stream(host, port)
    except gaierror as error:
        raise HostNotFound(f"cannot find the host {host}: {error.strerror}") from error
    except UnicodeError as error:
        raise _no_name(host, error) from error
    except OSError as error:
        raise DialFailed(f"cannot connect to {authority(host, port)}: {_reason(error)}") from error


async def encrypt(
    stream: trio.abc.Stream, host: str, port: int, ssl_context: ssl.SSLContext | None
) -> trio.SSLStream[trio.abc.Stream]:
    """Put TLS on a stream whose other end is to prove that it is ``host``, and complete the handshake.

    The name is sent along (SNI). When this raises, as :func:`dial` does, the stream is closed.
    """
    context = ssl_context if ssl_context is not None else _default_context()
    try:
        # https_compatible: Servers close without waiting for our close_notify, and Close frames tell an orderly end.
        tls = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
        await tls.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        kind = CertificateRefused if isinstance(error.__cause__, ssl.SSLCertVerificationError) else DialFailed
        raise kind(f"no TLS connection to {authority(host, port)}: {_tls_reason(error.__cause__)}") from error
    except BaseException as error:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
        if isinstance(error, ValueError):  # behind a proxy nobody else has looked at the name
            raise _no_name(host, error) from error
        raise
    return tls


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")


def _no_name(host: str, error: ValueError) -> HostNotFound:
    """A label of the name is empty, or too long."""
    return HostNotFound(f"cannot find the host {host}: {error}")


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: OSError) -> str:
    """What the attempts failed of, each reason once."""
    group = error.__cause__
    causes = [error]
    if isinstance(group, ExceptionGroup):
        causes = [cause for cause in group.exceptions if isinstance(cause, OSError)]
    # The system's own words where there are any: trio's repeat the address.
    return ", ".join(dict.fromkeys(os.strerror(cause.errno) if cause.errno else str(cause) for cause in causes))


def _tls_reason(error: BaseException | None) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not trusted: {error.verify_message}"
        case ssl.SSLError() if error.reason:
            return error.reason.replace("_", " ").lower()
        case _:
            return "the Server has cut the connection"
