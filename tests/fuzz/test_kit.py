"""What the kit loads: Hypothesis only for strategies, trio only for live peers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    ["mqttws.fuzz", "mqttws.fuzz.mutations", "mqttws.fuzz.machine", "mqttws.fuzz.campaign", "mqttws.fuzz.corpus",
     "mqttws.fuzz.adapters.serve", "mqttws.cli.fuzz", "mqttws.cli.fuzz_codec"],
)  # fmt: skip
def test_the_kit_loads_neither_trio_nor_hypothesis(module: str) -> None:
    program = f"import sys, {module}; print(*[name for name in ('trio', 'hypothesis') if name in sys.modules])"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=bare)
    assert done.stdout.split() == []


def test_a_decoders_process_needs_nothing_but_the_standard_library() -> None:
    program = "import sys, mqttws.fuzz.adapters.serve; print(*{'wsproto', 'h11', 'jwt', 'rich'} & set(sys.modules))"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=bare)
    assert done.stdout.split() == []
