"""A byte stream that tells a flight recorder what passes; without a recorder there is none, and it costs nothing."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import IO, Final, TypeAlias

import trio

from mqttws.redaction import redact
from mqttws.trace import Recorder, Recording
from mqttws.vocabulary import Role

__all__ = ["Trace", "open_trace", "tap"]

_LOGGER: Final = logging.getLogger("mqttws.trace")

#: Where a trace goes: a file that is written anew, a function that is called with each line, or a recorder.
Trace: TypeAlias = str | os.PathLike[str] | Callable[[str], object] | Recorder


@asynccontextmanager
async def open_trace(trace: Trace | None) -> AsyncIterator[Recorder | None]:
    """The recorder for a ``trace=`` argument; its file is open while the block runs, and only its owner may read it.

    Raises :class:`OSError` if the file cannot be written.
    """
    if trace is None or isinstance(trace, Recorder):
        yield trace
    elif callable(trace):
        yield Recorder(trace)
    else:
        file = await trio.to_thread.run_sync(_create, os.fspath(trace))
        with file:
            # Line by line to the system, which takes microseconds: after a crash the last lines matter most.
            yield Recorder(lambda line: file.write(f"{line}\n"))


def _create(path: str) -> IO[str]:
    """A new file; it has everything that was sent, so others have no business with it."""

    def private(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="ascii", buffering=1, opener=private)


def tap(stream: trio.abc.Stream, recorder: Recorder | None, role: Role, *, url: str = "") -> trio.abc.Stream:
    """``stream``, with the recorder on it if there is one; ``role`` is ours, ``url`` where a Client went."""
    if recorder is None:
        return stream
    local, peer = _addresses(stream)
    recording = recorder.open(role, trio.current_time(), time.time(), local=local, peer=peer, url=url)
    return _Tap(stream, recording)


class _Tap(trio.abc.Stream):
    """Passes on, and tells. A recorder that raises is left alone from then on: it must not end the connection."""

    def __init__(self, stream: trio.abc.Stream, recording: Recording) -> None:
        #: What lies below, named as trio names it.
        self.transport_stream = stream
        self._recording: Recording | None = recording

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._tell(lambda recording, now: recording.sent(bytes(data), now))
        try:
            await self.transport_stream.send_all(data)
        except trio.BrokenResourceError:
            self._event("reset")
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self.transport_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self.transport_stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self._event("reset")
            raise
        if data:
            self._tell(lambda recording, now: recording.received(bytes(data), now))
        else:
            self._event("eof")
        return data

    async def aclose(self) -> None:
        self._event("close")
        await self.transport_stream.aclose()

    def _event(self, name: str) -> None:
        self._tell(lambda recording, now: recording.event(name, now))

    def _tell(self, what: Callable[[Recording, float], None]) -> None:
        if self._recording is None:
            return
        try:
            what(self._recording, trio.current_time())
        except Exception as error:  # noqa: BLE001 - a disk that is full, somebody's function: not the connection's end
            self._recording = None
            _LOGGER.warning("the trace has ended: %s: %s", type(error).__name__, redact(str(error)))


def _addresses(stream: trio.abc.Stream) -> tuple[str, str]:
    """Both ends of the socket below, as far as there is one."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if not isinstance(stream, trio.SocketStream):
        return "", ""
    try:
        return _shown(stream.socket.getsockname()), _shown(stream.socket.getpeername())
    except OSError:  # gone already
        return "", ""


def _shown(address: object) -> str:
    """An address of the internet; a Unix socket has none."""
    if not isinstance(address, tuple):
        return ""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
