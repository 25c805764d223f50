"""Processes of ours and what they take: memory and CPU time are read from outside, so that everybody's are alike."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.timing import ContenderFailed

__all__ = [
    "PATIENCE",
    "UNREADABLE",
    "Child",
    "ChildEnded",
    "cpu_seconds",
    "descriptors",
    "others_can_be_read",
    "resident_kib",
]

#: Seconds that anything may take to happen.
PATIENCE: Final = 30.0
REPOSITORY: Final = Path(__file__).parents[1]
UNREADABLE: Final = "skipped: this system has no /proc to read memory and CPU time of other processes from"

#: Files that a process has open besides its connections.
_SPARE: Final = 150


class ChildEnded(ContenderFailed):
    """A process has ended before its work was done; what it had to say is on standard error."""


class Child:
    """A process that answers in lines of JSON and ends when its standard input does."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._name = " ".join(command[1:4])  # what follows may hold a URL with its token
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, env=os.environ | environment
        )

    @classmethod
    def python(cls, module: str, *arguments: str) -> Self:
        """A module of ours."""
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        return cls(command, {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})

    @property
    def output(self) -> int:
        """The file descriptor of what it says, for ``select``."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def line(self) -> dict[str, Any]:
        """Its next line; :class:`ChildEnded` when it has ended instead."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise ChildEnded(f"{self._name} has ended before its job was done")
        said: dict[str, Any] = json.loads(text)
        return said

    def go_on(self) -> None:
        """Send it the line that it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Close its standard input and wait; a process that does not listen is killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE / 3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def resident_kib(pid: int) -> int:
    """The memory of a process that is in RAM, in KiB; Linux only."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has taken so far, all its threads; Linux only."""
    return time.clock_gettime(~pid << 3 | 2)  # how the kernel numbers the CPU clocks of processes


def others_can_be_read() -> bool:
    """Whether :func:`resident_kib` and :func:`cpu_seconds` work here."""
    return Path("/proc/self/status").exists()


@contextmanager
def descriptors(connections: int) -> Iterator[tuple[int, list[str]]]:
    """Let this process and those started in the block open many files; how many connections that is enough for.

    The limit is raised to what the system allows without privileges. Where that is too low, a note says so.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = connections + _SPARE
    allowed = wanted if unlimited else min(wanted, hard)
    raised = soft != resource.RLIM_INFINITY and soft < allowed
    if raised:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed if unlimited else hard, hard))
    notes = []
    if allowed < wanted:
        connections = max(1, allowed - _SPARE)
        notes.append(f"scaled down to {connections} connections: no process may have more than {hard} open files here")
    try:
        yield connections, notes
    finally:
        if raised:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
