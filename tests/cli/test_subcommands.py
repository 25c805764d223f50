"""Commands of several kinds: what is wrong is told once, in the name of the kind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mqttws.cli import main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["trace", "show"], "mqttws trace: the following arguments are required: FILE (see mqttws trace show --help)"),
        (["fuzz", "codec", "--wrong"], "mqttws fuzz: "),
        (["trace"], "mqttws trace: the following arguments are required: KIND (see mqttws trace --help)"),
    ],
)
def test_an_error_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(complaint)


def test_only_the_kind_that_is_given_is_loaded() -> None:
    program = (
        "import sys, mqttws.cli; mqttws.cli.main(['trace', '--help']); print('mqttws.cli.trace_show' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.splitlines()[-1] == "False"
