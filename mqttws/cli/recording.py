"""The file that ``--trace`` names, open while a command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from mqttws.cli.outcome import UsageError
from mqttws.trace import Recorder
from mqttws.transport.tap import open_trace

__all__ = ["recording"]


@asynccontextmanager
async def recording(path: str | None) -> AsyncIterator[Recorder | None]:
    """The recorder for a file, None for none; :class:`UsageError` if the file cannot be written."""
    async with AsyncExitStack() as stack:
        try:
            recorder = await stack.enter_async_context(open_trace(path))
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        yield recorder
