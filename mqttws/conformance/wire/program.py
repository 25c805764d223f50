"""A program under test that we start ourselves: how it ends, and the last that it has said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import trio

from mqttws.redaction import redact

__all__ = ["Hear", "Program"]

#: Takes a piece of what a program has printed, and returns what of that is not for it.
Hear: TypeAlias = Callable[[bytes], bytes]

#: Bytes of output that are kept, the last ones.
_TAIL: Final = 16_384
#: Seconds that a program has to go when it is asked to.
_STOP_SECONDS: Final = 3.0

#: What a program prints when it falls over something that nobody has caught.
_CRASH: Final = re.compile(
    rb"Traceback \(most recent call last\)|^panic: |panicked at |Segmentation fault|(Address|Thread|Memory)Sanitizer"
    rb"|runtime error: |terminate called|[Uu]nhandled|[Uu]ncaught|^\s+at \S+ \(.*:\d+:\d+\)$|Exception in thread",
    re.MULTILINE,
)
_ERROR_LINE: Final = re.compile(r"^[\w.]*(Error|Exception|Warning|panic|fault)\b.*$", re.MULTILINE | re.IGNORECASE)


class Program:
    """One run of a command. Output and errors are read all the time, so that it never waits for us.

    With ``hear`` it is spoken with: its standard output goes there, apart from its errors, and it reads what is
    written with :meth:`write`.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, *, hear: Hear | None = None
    ) -> None:
        self._command = list(command)
        self._environment = os.environ | (environment or {})
        self._hear = hear
        self._tail = bytearray()
        self._process: trio.Process
        self._quiet = trio.Event()
        self.ended = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        """Start it; it is stopped when the nursery is cancelled. Raises :class:`OSError`."""
        self._process = await trio.lowlevel.open_process(
            self._command,
            stdin=subprocess.DEVNULL if self._hear is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if self._hear is None else subprocess.PIPE,
            env=self._environment,
        )
        nursery.start_soon(self._listen)
        nursery.start_soon(self._wait)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it has ended, None while it runs; negative for a signal."""
        return self._process.poll()

    async def write(self, data: bytes) -> None:
        """Give it input; waits while it takes none. Raises trio's errors for a stream whose other end is gone."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(data)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep, self._process.stdout, self._hear)
            if self._process.stderr is not None:
                nursery.start_soon(self._keep, self._process.stderr, None)
        self._quiet.set()

    async def _keep(self, output: trio.abc.ReceiveStream, hear: Hear | None) -> None:
        async with output:
            async for chunk in output:
                self._tail += chunk if hear is None else hear(bytes(chunk))
                del self._tail[:-_TAIL]

    async def _wait(self) -> None:
        try:
            await self._process.wait()
        finally:
            with trio.CancelScope(shield=True):
                await self.stop()
                if self._process.stdin is not None:
                    await self._process.stdin.aclose()
            self.ended.set()

    async def stop(self) -> None:
        """End it, by force if it does not go in time."""
        if self._process.poll() is None:
            self._process.terminate()
            with trio.move_on_after(_STOP_SECONDS):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    async def last_words(self) -> str:
        """The end of its output, without secrets; if it has ended, all of that has come."""
        if self.returncode is not None:
            with trio.move_on_after(1.0):
                await self._quiet.wait()
        return redact(self._tail.decode("utf-8", "replace"))

    def forget(self) -> None:
        """What it has said so far is known."""
        self._tail.clear()

    async def crash(self) -> str:
        """In one line: how it has crashed, ``""`` if it has not, as far as its end and its output tell."""
        words = await self.last_words()
        code = self.returncode
        if code is not None and code < 0:
            return f"ended by {signal.Signals(-code).name}"
        if _CRASH.search(self._tail):
            errors = _ERROR_LINE.findall(words)
            line = [match.group(0) for match in _ERROR_LINE.finditer(words)][-1] if errors else "an error nobody caught"
            return "".join(character if character.isprintable() else " " for character in line[:200])
        return ""
