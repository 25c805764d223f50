"""Tries mutants in a temporary copy of the project; the work tree is only read."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.mutants.operators import Mutant

__all__ = ["HOUSE", "SuiteIsRed", "Trial", "Verdict", "judges_of"]

HOUSE: Final = Path(__file__).parents[2]
WORKER: Final = Path(__file__).with_name("worker.py")

#: Behind the file that mirrors the mutated one: first what looks at everything in little time, last what takes seconds.
WIDE: Final = ("test_vectors.py", "test_connection.py")
SLOW: Final = (
    "test_connect.py",
    "test_framer.py",
    "test_dispatch.py",
    "test_raw.py",
    "test_walk.py",
    "test_machine.py",
)

#: Seconds of processor time beyond three times what the tests need when nothing is wrong; then it hangs.
GRACE: Final = 4.0
#: Real seconds for each second of processor time; other work on the machine is no reason to call a mutant hung.
PATIENCE: Final = 8.0


class SuiteIsRed(Exception):
    """The tests fail without any mutant, so nothing can be said."""


@dataclass(frozen=True)
class Verdict:
    """How one mutant ended: ``killed``, ``timeout`` (killed too) or ``survived``, and the test that noticed."""

    mutant: Mutant
    outcome: str
    by: str = ""

    @property
    def died(self) -> bool:
        """Whether the suite noticed."""
        return self.outcome != "survived"


def judges_of(file: str, root: Path = HOUSE) -> list[str]:
    """The tests for a file of the package: first those that mirror it, then the rest of its room, file by file."""
    *rooms, name = Path(file).parts[1:]
    mirror = f"test_{name}"
    if not rooms:
        return [f"tests/{mirror}"]  # beside it lie the tests of everything
    found = [path.relative_to(root) for path in Path(root, "tests", *rooms).glob("test_*.py")]

    def turn(path: Path) -> tuple[bool, bool, int, str]:
        slow = SLOW.index(path.name) + 1 if path.name in SLOW else 0
        return path.name != mirror, path.name not in WIDE, slow, path.name

    found.sort(key=turn)
    return [path.as_posix() for path in found]


@dataclass
class Trial:
    """One copy of the project, one worker in it. Not for two threads at a time."""

    copy: Path
    worker: subprocess.Popen[str]
    grace: float = GRACE
    cpu: dict[str, float] = field(default_factory=dict)  #: seconds each file of tests takes without a mutant

    @classmethod
    @contextmanager
    def opened(cls, root: Path = HOUSE, grace: float = GRACE) -> Iterator[Trial]:
        """Copy package and tests, compile them, start the worker; all is gone at the end."""
        with tempfile.TemporaryDirectory(prefix="mutants-") as place:
            copy = Path(place)
            for folder in ("mqttws", "tests"):
                shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns(".*"))
            shutil.copy(root / "pyproject.toml", copy)
            compileall.compile_dir(copy, quiet=2)
            environment = {**os.environ, "CI": "true", "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
            with subprocess.Popen(
                [sys.executable, str(WORKER)], cwd=copy, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            ) as worker:  # fmt: skip
                try:
                    yield cls(copy, worker, grace)
                finally:
                    worker.terminate()

    def judge(self, mutant: Mutant, tests: list[str]) -> Verdict:
        """One file of tests after the other, until one notices; between them the mutated file is as it was."""
        path = self.copy / mutant.file
        source = path.read_bytes()
        for test in tests:
            self.measure(test)
            path.write_bytes(mutant.apply(source))
            os.utime(path, (0, 0))  # an age that no compiled file has; size and second alone could be the same
            try:
                answer = self.ask(test, 3 * self.cpu[test] + self.grace)
            finally:
                path.write_bytes(source)
            if answer["outcome"] != "passed":
                return Verdict(mutant, "killed" if answer["outcome"] == "failed" else "timeout", answer["by"])
        return Verdict(mutant, "survived")

    def measure(self, test: str) -> None:
        """Run tests on the package as it is, once; they must pass."""
        if test not in self.cpu:
            answer = self.ask(test, 600.0)
            if answer["outcome"] != "passed":
                raise SuiteIsRed(f"{test}: {answer['outcome']} by {answer['by']} without any mutant")
            self.cpu[test] = answer["cpu"]

    def ask(self, test: str, cpu: float) -> dict[str, Any]:
        """One request to the worker."""
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        print(json.dumps({"tests": [test], "cpu": cpu, "wall": cpu * PATIENCE}), file=self.worker.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.worker.stdout.readline())
        return answer
