"""A decoder in any language, behind a command and one line each way.

Input: the packet in hexadecimal, a line each. Output, a line for each line of input:

* ``ok`` or ``ok {"type": "PUBLISH", "topic": "a", …}``: it is a packet; of the fields those count that are there, in
  the words of the vectors (:func:`mqttws.conformance.fields.fields_of`).
* ``error some words``: it is refused.
* ``unsupported``: such packets are not read at all.
* ``crash some words``: an exception that is no refusal, where the process lives on. Ending counts as the same.

A process is started for each version and sender, and asked about a PINGREQ or PINGRESP before all else. It gets
``{version}`` (4 or 5) and ``{sender}`` (client, server) filled into its arguments, and ``MQTTWS_VERSION`` and
``MQTTWS_SENDER`` in its environment. One that ends or does not answer in time is started again.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from mqttws.conformance.codec.answer import Answer, DecoderUnusable, Taken
from mqttws.vocabulary import Role

__all__ = ["CommandDecoder", "read_answer"]

#: Characters of one line of output that are read.
_LONGEST_LINE: Final = 16 * 2**20
#: Bytes of a line that a pipe takes at once if what stood before has been read.
_FITS: Final = 4_096
#: Lines of output that nobody has asked for and that are read; one is too many already.
_MOST_LINES: Final = 8
#: Bytes of what it writes to standard error that are kept, the last ones.
_LAST_WORDS: Final = 2_000
#: Seconds that it has to go, and its pipes to end.
_FAREWELL: Final = 1.0
#: Seconds for the first answer: interpreters take their time.
_START: Final = 30.0
#: What a process is asked first, to see that it is there: a PINGREQ or PINGRESP.
_PROBES: Final = {Role.CLIENT: b"c000", Role.SERVER: b"d000"}


class _Process:
    """One running decoder. Threads read what it says, so that we wait for it as long as we like and no longer."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **environment},
            )
        except OSError as error:
            raise DecoderUnusable(f"cannot run {command[0]}: {error.strerror or error}") from None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._errors = bytearray()
        self._readers = [_begun(self._read), _begun(self._listen)]
        self._writer: threading.Thread | None = None  # of a long line

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while self._lines.qsize() < _MOST_LINES and (line := output.readline(_LONGEST_LINE)):
                self._lines.put(line)
        self._lines.put(b"")

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as output:
            while chunk := os.read(output.fileno(), 65_536):
                self._errors += chunk
                del self._errors[:-_LAST_WORDS]

    def ask(self, line: bytes, limit: float) -> bytes | None:
        """Its next line; empty when it has ended, None when there is none within ``limit`` seconds.

        Raises :class:`DecoderUnusable` if one has come before: then nobody knows which answer belongs to what.
        """
        with suppress(queue.Empty):
            early = self._lines.get_nowait()
            if early:
                raise DecoderUnusable(f"it says more than a line for each of ours: {early[:80]!r}")
            return early
        if len(line) < _FITS:
            self._write(line + b"\n")
        else:  # who does not read that would keep us waiting
            self._writer = _begun(self._write, line + b"\n")
        try:
            return self._lines.get(timeout=limit)
        except queue.Empty:
            return None

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it reads no more: either it has ended, or no answer will come
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def end(self) -> str:
        """Stop it, by force if it does not end with its input; its exit status and its last words."""
        if not self._ends_by_itself():
            self._process.kill()
        status = self._process.wait()
        for thread in filter(None, (*self._readers, self._writer)):  # what it has started may hold its pipes open
            thread.join(_FAREWELL)
        self._close_input()
        said = self._errors.decode("utf-8", "replace").strip().splitlines()
        return f"exit status {status}" + (f": {said[-1]}" if said else "")

    def _ends_by_itself(self) -> bool:
        """Whether it ends when its input does."""
        self._close_input()
        try:
            self._process.wait(timeout=_FAREWELL)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _close_input(self) -> None:
        """Unless it is still being written to: closing waits for that."""
        assert self._process.stdin is not None
        if self._writer is None or not self._writer.is_alive():
            with suppress(OSError):
                self._process.stdin.close()


def _begun(work: Callable[..., None], *arguments: bytes) -> threading.Thread:
    """A thread at work, which does not keep the interpreter from ending."""
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


class CommandDecoder:
    """A decoder behind a command. ``limit`` is in seconds for each packet; ``environment`` is added to ours."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        limit: float = 5.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._command = tuple(command)
        self._environment = dict(environment or {})
        self._limit = limit
        self._running: dict[tuple[int, Role], _Process] = {}

    @property
    def knows_version(self) -> bool:
        """Whether the command is told the version."""
        return any("{version}" in part for part in self._command)

    @property
    def knows_sender(self) -> bool:
        """Whether the command is told who sends."""
        return any("{sender}" in part for part in self._command)

    def decode(self, data: bytes, version: int, sender: Role) -> Answer:
        """Ask the process for this version and sender; it is started where it is not running."""
        key = (version, sender)
        process = self._running.get(key)
        if process is None:
            process = self._running[key] = self._start(version, sender)
        line = process.ask(data.hex().encode(), self._limit)
        if line:
            return read_answer(line, self.name)
        del self._running[key]
        how = process.end()
        if line is None:
            return Answer(Taken.HUNG, f"no answer within {self._limit:g} seconds")
        return Answer(Taken.CRASHED, how)

    def _start(self, version: int, sender: Role) -> _Process:
        filled = [part.replace("{version}", str(version)).replace("{sender}", sender.value) for part in self._command]
        variables = {"MQTTWS_VERSION": str(version), "MQTTWS_SENDER": sender.value}
        process = _Process(filled, self._environment | variables)
        try:
            line = process.ask(_PROBES[sender], max(self._limit, _START))
            if line:
                read_answer(line, self.name)
                return process
        except DecoderUnusable:
            process.end()
            raise
        how = process.end()
        raise DecoderUnusable(f"{self.name} gives no answer" if line is None else f"{self.name}: {how}")

    def close(self) -> None:
        """End the processes."""
        for process in self._running.values():
            process.end()
        self._running.clear()


def read_answer(line: bytes, name: str) -> Answer:
    """What a line of output means. Raises :class:`DecoderUnusable` for a line that means nothing."""
    text = line.decode("utf-8", "replace").strip()
    word, _, rest = text.partition(" ")
    if word == "ok":
        try:
            fields = json.loads(rest) if rest else None
        except (ValueError, RecursionError) as error:
            raise DecoderUnusable(f"{name}: what follows 'ok' is no JSON: {error}") from None
        return Answer(Taken.ACCEPTED, fields=fields if isinstance(fields, dict) else None)
    if word == "error":
        return Answer(Taken.REFUSED, rest)
    if word == "unsupported":
        return Answer(Taken.UNSUPPORTED, rest)
    if word == "crash":
        return Answer(Taken.CRASHED, rest)
    raise DecoderUnusable(f"{name} said {text[:80]!r}; a line begins with ok, error, unsupported or crash")
