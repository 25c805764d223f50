"""Child processes under trio: started with pipes or a log file, ended by process id, spoken with in lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from tests.interop import counterparts

STOP_SECONDS = 5.0
CHUNK = 65536


@asynccontextmanager
async def running(
    command: Sequence[str], *, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[trio.Process]:
    """A child process; it is gone when the block is left, however it is left.

    With ``log`` all it prints goes to that file; without, its standard output is a pipe and its errors are the
    test's own. Its standard input is a pipe, and a process that reads it ends with it.
    """
    output = subprocess.PIPE if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        process = await trio.lowlevel.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=None if log is None else output,
            env=os.environ | (environment or {}),
        )
    finally:
        if log is not None:
            os.close(output)
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    await pipe.aclose()
            process.terminate()
            with trio.move_on_after(STOP_SECONDS):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


def node(script: str) -> dict[str, Any]:
    """The arguments of :func:`running` for a script in ``node/``."""
    return {
        "command": [str(counterparts.find_node()), str(counterparts.SCRIPTS / script)],
        "environment": {"MQTTWS_NODE_PACKAGES": str(counterparts.find_node_packages())},
    }


class JsonLines:
    """Both directions of a process that speaks one JSON object a line."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._held = bytearray()
        self._sending = trio.Lock()

    async def send(self, message: Mapping[str, Any]) -> None:
        """One line to the process; from any task."""
        async with self._sending:
            await self._stdin.send_all(json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any]:
        """The next line of the process; EOFError when it has ended."""
        start = 0
        while (stop := self._held.find(b"\n", start)) < 0:
            start = len(self._held)
            chunk = await self._stdout.receive_some(CHUNK)
            if not chunk:
                raise EOFError("the process ended")
            self._held += chunk
        line = bytes(self._held[:stop])
        del self._held[: stop + 1]
        message: dict[str, Any] = json.loads(line)
        return message
