"""Runs tests again and again, each time in a fork of a process that has loaded everything but the package under test.

Started with a copy of the project as working directory, and spoken to in lines of JSON: ``{"tests": [...], "cpu":
seconds, "wall": seconds}`` on standard input, ``{"outcome": ..., "by": ..., "cpu": ...}`` back. Nothing of the package
or its tests is loaded here, so each fork imports what lies in the copy at that moment.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

#: Worth loading once; what is absent, the tests will miss as well.
PRELOADED = ("pytest", "hypothesis", "hypothesis.stateful", "hypothesis.strategies", "trio", "trio.testing", "wsproto",
             "h11", "jwt", "ssl", "trustme", "asyncio", "unittest", "html", "http.client", "tempfile")  # fmt: skip
MEMORY = 3 << 30  #: bytes of address space; a mutant that grows without end dies of it
PROFILE = "mutants"  #: of Hypothesis: derandomised, and a failing example is enough, it need not be small

ARGUMENTS = ("-x", "-q", "-n0", "-p", "no:cacheprovider", "--assert=plain", f"--hypothesis-profile={PROFILE}")


class FirstFailure:
    """A plugin for pytest that tells who failed first; examples are tried before properties, which take longer."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Those that draw their values go last; the order is else as written."""
        items.sort(key=_draws)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test, its setup or its teardown."""
        self._look(report)

    def pytest_collectreport(self, report: Any) -> None:
        """A file that could not be imported."""
        self._look(report)

    def _look(self, report: Any) -> None:
        if report.failed:
            os.write(self._pipe, report.nodeid.encode()[:2000] + b"\n")


def _draws(item: Any) -> bool:
    """Whether a test is a property of Hypothesis, or makes one inside."""
    code = getattr(getattr(item, "function", None), "__code__", None)
    return hasattr(getattr(item, "function", None), "hypothesis") or (code is not None and "given" in code.co_names)


def prepare() -> None:
    """Load what all forks need, and register the profile."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        PROFILE, deadline=None, derandomize=True, database=None, report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def run_tests(tests: list[str], cpu: float, pipe: int) -> int:
    """In the fork: pytest's exit code. More than ``cpu`` seconds of work end the process by a signal."""
    os.setsid()  # so that whatever the tests start can be ended with them
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(silence, standard)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    limit = int(used + cpu) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    import pytest

    return int(pytest.main([*ARGUMENTS, *tests], plugins=[FirstFailure(pipe)]))


def attempt(tests: list[str], cpu: float, wall: float) -> dict[str, Any]:
    """Fork, run, and say how it ended: ``passed``, ``failed`` (and by which test), or ``timeout``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.close(reading)
            code = run_tests(tests, cpu, writing)
        except BaseException:  # noqa: BLE001 - a fork must not run on as a second worker, whatever has happened
            code = 71
        finally:
            os._exit(code)
    os.close(writing)
    late = True
    try:
        said, late = listen(reading, time.monotonic() + wall)
    finally:
        if late:  # or told to end
            end_group(child)
    _, status, usage = os.wait4(child, 0)
    end_group(child)  # what the tests may have left behind
    code = os.waitstatus_to_exitcode(status)
    outcome = "passed" if code == 0 else "timeout" if late or code in (-signal.SIGXCPU, -signal.SIGKILL) else "failed"
    by = said.splitlines()[0] if said else f"exit code {code}"
    return {"outcome": outcome, "by": by, "code": code, "cpu": usage.ru_utime + usage.ru_stime}


def end_group(leader: int) -> None:
    """End a fork and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def listen(pipe: int, deadline: float) -> tuple[str, bool]:
    """What the fork says until it ends, and whether the deadline came first."""
    said = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(pipe, 4096) if ready else b""
        if not piece:
            os.close(pipe)
            return said.decode(errors="replace"), not ready
        said += piece


def main() -> None:
    """Answer requests until standard input ends."""
    sys.path[0] = os.getcwd()  # the copy, instead of this file's folder
    os.nice(10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception, so that the fork ends too
    prepare()
    with contextlib.suppress(BrokenPipeError):  # whoever asked has gone
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(attempt(request["tests"], request["cpu"], request["wall"])), flush=True)


if __name__ == "__main__":
    main()
