"""``mqttws conform``: its kinds, each in a file of its own."""

from __future__ import annotations

from importlib import import_module

import pytest

from mqttws.cli import main
from mqttws.cli.conform import SUBCOMMANDS


@pytest.mark.parametrize("kind", SUBCOMMANDS)
def test_each_kind_has_its_file_and_explains_itself(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = import_module(f"mqttws.cli.conform_{kind}")
    assert main(["conform", kind, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert " ".join((command.__doc__ or "").split()) in out
    assert "examples:" in out
