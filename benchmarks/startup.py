"""What does importing cost, against the two packages that the client cannot do without?"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Final

from benchmarks.timing import Metric, Sample, Settings, Table, alternate

__all__ = ["run"]

BASELINE: Final = "trio, wsproto"
_REPORT: Final = """
try:
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
except OSError:
    print(0)
"""
#: What is imported, and the top-level package it takes.
IMPORTS: Final = {
    BASELINE: ("import trio, wsproto", "trio"),
    "mqttws.codec": ("import mqttws.codec", "mqttws"),
    "mqttws.session": ("import mqttws.session", "mqttws"),
    "mqttws.link (no trio)": ("import mqttws.link", "mqttws"),
    "mqttws.open_client": ("from mqttws import open_client", "mqttws"),
    "mqttws.endpoint": ("from mqttws.endpoint import open_endpoint", "mqttws"),
    "paho.mqtt.client": ("import paho.mqtt.client", "paho"),
    "mqttium.api": ("import mqttium.api", "mqttium"),
    "ohmqtt": ("import ohmqtt", "ohmqtt"),
    "gmqtt": ("import gmqtt", "gmqtt"),
    "mqtt5 (Rust codec)": ("import mqtt5", "mqtt5"),
}


def run(settings: Settings) -> list[Table]:
    """Each import in an interpreter of its own; what the bare interpreter takes is subtracted."""
    metrics = [Metric("CPU", "ms", 1e3), Metric("wall", "ms", 1e3), Metric("memory", "MiB", 1 / 1024)]
    table = Table("startup: importing, beyond the bare interpreter", BASELINE, metrics)
    with tempfile.TemporaryDirectory() as cache:
        contenders: dict[str, Callable[[], Sample]] = {}
        for name, (program, package) in list(IMPORTS.items())[: settings.count(len(IMPORTS), 4)]:
            if importlib.util.find_spec(package) is None:
                table.notes.append(f"skipped: {package} is not installed")
                continue
            if not settings.quick:
                _interpreter(program, cache)  # compiles, and warms the disk's cache
            contenders[name] = _measure(program, None if settings.quick else cache)
        table.add("import", alternate(contenders, settings))
    return [table]


def _measure(program: str, cache: str | None) -> Callable[[], Sample]:
    def measure() -> Sample:
        bare, full = _interpreter("pass", cache), _interpreter(program, cache)
        return {name: max(1e-9, full[name] - bare[name]) for name in full}

    return measure


def _environment(cache: str | None) -> dict[str, str]:
    """Ours, with compiled modules in a folder that all runs share, whatever the user has set about them.

    None leaves them where they are: compiling everything takes longer than a quick run may.
    """
    if cache is None:
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return environment | {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _interpreter(program: str, cache: str | None) -> Sample:
    """Run a program: CPU and wall seconds, and its memory in KiB (0 where the system has no ``/proc``)."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program + _REPORT], check=True, capture_output=True, timeout=60, env=_environment(cache)
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"CPU": cpu, "wall": time.perf_counter() - start, "memory": float(done.stdout)}
