"""``mqttws trace export``: a whole file, or a line that says why not. What is in it tests/trace knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.trace import pcapng
from tests.cli.test_trace import written
from tests.trace.wires import conversation, only


def test_the_capture_is_written_with_the_layers_that_were_asked_for(tmp_path: Path) -> None:
    lines = conversation()
    trace, out = written(tmp_path, lines), tmp_path / "out.pcapng"
    assert main(["trace", "export", trace, str(out)]) == 0
    assert out.read_bytes() == b"".join(pcapng([only(lines)]))
    assert main(["trace", "export", trace, str(out), "--layer", "mqtt"]) == 0
    assert out.read_bytes() == b"".join(pcapng([only(lines)], layers=["mqtt"]))


def test_a_file_that_cannot_be_written_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = written(tmp_path, conversation())
    assert main(["trace", "export", trace, str(tmp_path / "absent" / "out")]) == 2
    assert "cannot write" in capsys.readouterr().err
