"""Tries mutants in a temporary copy of the project; the work tree is only read."""

from __future__ import annotations

import compileall
import json
import os
import py_compile
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

__all__ = ["HOUSE", "SuiteIsRed", "Trial", "Verdict", "stages_for"]

HOUSE: Final = Path(__file__).parents[2]
WORKER: Final = Path(__file__).with_name("worker.py")

#: Files that look at much in little time go first among the rest of a room.
QUICK_AND_WIDE: Final = (
    "test_vectors.py",
    "test_dispatch.py",
    "test_framer.py",
    "test_connection.py",
    "test_machine.py",
)

#: Seconds of processor time beyond three times what the tests need when nothing is wrong; then it hangs.
GRACE: Final = 10.0
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


def stages_for(file: str, root: Path = HOUSE) -> list[list[str]]:
    """The tests for a file of the package: first those that mirror it, then the rest of its room."""
    *rooms, name = Path(file).parts[1:]
    folder = Path("tests", *rooms)
    mirror = folder / f"test_{name}"
    rest = [folder / item.name for item in (root / folder).glob("test_*.py") if item.name != mirror.name]
    if not rooms:
        rest = []  # at the top of tests/ lie the tests of everything
    rest.sort(key=lambda path: (path.name not in QUICK_AND_WIDE, path.name))
    first = [mirror.as_posix()] if (root / mirror).exists() else []
    return [stage for stage in (first, [path.as_posix() for path in rest]) if stage]


@dataclass
class Trial:
    """One copy of the project, one worker in it. Not for two threads at a time."""

    copy: Path
    worker: subprocess.Popen[str]
    grace: float = GRACE
    cpu: dict[tuple[str, ...], float] = field(default_factory=dict)  #: seconds each stage takes without a mutant

    @classmethod
    @contextmanager
    def opened(cls, root: Path = HOUSE, grace: float = GRACE) -> Iterator[Trial]:
        """Copy package and tests, compile them, start the worker; all is gone at the end."""
        with tempfile.TemporaryDirectory(prefix="mutants-") as place:
            copy = Path(place)
            for folder in ("mqttws", "tests"):
                shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            shutil.copy(root / "pyproject.toml", copy)
            # By hash: a mutant may have the size and the second of what was there before.
            by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
            compileall.compile_dir(copy, quiet=2, invalidation_mode=by_hash)
            environment = {**os.environ, "CI": "true", "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
            with subprocess.Popen(
                [sys.executable, str(WORKER)], cwd=copy, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            ) as worker:  # fmt: skip
                try:
                    yield cls(copy, worker, grace)
                finally:
                    worker.terminate()

    def judge(self, mutant: Mutant, stages: list[list[str]]) -> Verdict:
        """One stage after the other, until a test notices; between them the file is as it was."""
        path = self.copy / mutant.file
        source = path.read_bytes()
        for stage in stages:
            self.measure(stage)
            path.write_bytes(mutant.apply(source))
            try:
                answer = self.ask(stage, 3 * self.cpu[tuple(stage)] + self.grace)
            finally:
                path.write_bytes(source)
            if answer["outcome"] != "passed":
                return Verdict(mutant, "killed" if answer["outcome"] == "failed" else "timeout", answer["by"])
        return Verdict(mutant, "survived")

    def measure(self, stage: list[str]) -> None:
        """Run tests on the package as it is, once; they must pass."""
        if tuple(stage) not in self.cpu:
            answer = self.ask(stage, 600.0)
            if answer["outcome"] != "passed":
                raise SuiteIsRed(f"{' '.join(stage)}: {answer['outcome']} by {answer['by']} without any mutant")
            self.cpu[tuple(stage)] = answer["cpu"]

    def ask(self, tests: list[str], cpu: float) -> dict[str, Any]:
        """One request to the worker."""
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        print(json.dumps({"tests": tests, "cpu": cpu, "wall": cpu * PATIENCE}), file=self.worker.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.worker.stdout.readline())
        return answer
