"""``python -m benchmarks.clients LIBRARY JOB``: one Client library at work in a process of its own.

A job is a :class:`Job` as JSON. What the process says, each a line of JSON: ``{"ready": true}`` when a receiver has
subscribed, ``{"received": n}`` every :data:`REPORT` messages, and at the end what it took. One with idle clients says
``{"clients": n}`` when the first :data:`WARM` are connected and, after a line from its starter, when all are.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["REPORT", "WARM", "WINDOW", "Job", "Stopwatch", "say"]

#: A receiver reports after so many messages, so that its feeder knows how far it may go.
REPORT: Final = 250
#: QoS 1 and 2 messages that a publisher has under way at most, whoever it is.
WINDOW: Final = 100
#: Idle clients that warm a process up, so that what is counted is clients and not first times.
WARM: Final = 10


@dataclass(frozen=True)
class Job:
    """``kind`` is publish, receive or idle; ``messages`` counts messages, for idle connections."""

    kind: str
    url: str
    messages: int
    qos: int = 0
    version: int = 5
    size: int = 128

    def as_argument(self) -> str:
        """For the command line of the process."""
        return json.dumps(asdict(self))


class Stopwatch:
    """Wall and CPU time of this process from :meth:`start` to :meth:`stop`."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._wall = self._cpu = 0.0

    def start(self) -> None:
        """From here."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """To here; says what it was for one message."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        say({"wall": wall / self._units, "cpu": cpu / self._units, "rate": self._units / wall, "peak": peak})


def say(line: dict[str, Any]) -> None:
    """A line of JSON to whoever started this process."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(library: str, argument: str) -> None:
    """Do a job with a library."""
    job = Job(**json.loads(argument))
    adapter: Any = importlib.import_module(f"benchmarks.peers.{library}_client")
    adapter.run(job)


if __name__ == "__main__":
    # As `benchmarks.clients`, not as `__main__`: adapters import it too, and there shall be one of everything.
    importlib.import_module("benchmarks.clients").main(*sys.argv[1:3])
