"""What grows and what does not, and a process as /proc shows it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mqttws.fuzz.live.growth import rise
from mqttws.fuzz.live.watch import Growth, Sample, Watch

MIB = 1024 * 1024
linux = pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs /proc")


def watched(memory: list[float], files: list[int] | None = None) -> list[Growth]:
    """What is said of a process with so many MiB after each hundred attacks."""
    watch = Watch(None)
    files = files or [10] * len(memory)
    watch.samples = [
        Sample(100 * number, int(mib * MIB), count)
        for number, (mib, count) in enumerate(zip(memory, files, strict=True))
    ]
    return watch.growth()


def test_steady_growth_is_growth() -> None:
    (growth,) = watched([20 + number for number in range(16)])
    assert growth.what == "memory"
    assert growth.each == pytest.approx(MIB / 100, rel=0.2)
    assert "resident memory in bytes has grown by" in str(growth)


def test_open_files_that_stay_open_are_growth() -> None:
    (growth,) = watched([20] * 16, [10 + 5 * number for number in range(16)])
    assert str(growth).startswith("the number of open files has grown by 40")


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param([20, 30, 40, 50, 50] + [50] * 11, id="warming up"),
        pytest.param([20] * 8 + [60] * 8, id="one step"),
        pytest.param([20 + number % 3 for number in range(16)], id="up and down"),
        pytest.param([20 + number * 0.05 for number in range(16)], id="too little"),
        pytest.param([20, 40, 60], id="too few samples"),
    ],
)
def test_what_allocators_do_is_no_growth(memory: list[float]) -> None:
    assert watched(memory) == []


def test_without_attacks_nothing_grows_by_them() -> None:
    watch = Watch(None)
    watch.samples = [Sample(0, number * 50 * MIB, 0) for number in range(12)]
    assert watch.growth() == []


@linux
def test_this_process_lives_and_its_files_are_counted() -> None:
    watch = Watch(os.getpid())
    before = watch.look()
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    watch.sample(7)
    for each in descriptors:
        os.close(each)
    assert watch.alive
    assert before is not None
    assert before.memory > MIB
    assert watch.samples[0].files - before.files == 20
    assert watch.samples[0].attacks == 7
    assert rise(before, watch.samples[0]) is not None
    assert rise(before, before) is None


@linux
def test_a_process_that_has_ended_is_dead_even_as_a_zombie() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = Watch(process.pid)
        lived = watch.alive
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        is_zombie_alive = watch.alive
    watch.sample(1)
    assert (lived, is_zombie_alive, watch.alive, watch.look(), watch.samples) == (True, False, False, None, [])


def test_without_a_process_nothing_is_seen() -> None:
    watch = Watch(None)
    assert (watch.sees, watch.alive, watch.look()) == (False, True, None)


@linux
def test_what_may_not_be_looked_at_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: object) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)
    assert Watch(os.getpid()).look() is None
