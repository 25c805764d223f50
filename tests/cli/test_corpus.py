"""mqttws corpus: seeds as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqttws.cli import main


def test_a_file_for_each_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "export", str(tmp_path / "seeds")]) == 0
    said = capsys.readouterr().out
    assert said == f"{len(list((tmp_path / 'seeds').iterdir())):,} seeds in {tmp_path / 'seeds'}\n"
    assert (tmp_path / "mqtt.dict").exists()
    assert (tmp_path / "seeds" / "v5_disconnect_trailing_byte").read_bytes() == bytes.fromhex("e003000000")


def test_json_for_a_target(tmp_path: Path) -> None:
    assert main(["corpus", "export", "--format", "json", "--target", "framer", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "corpus.json").read_text())
    assert all(bytes.fromhex(row["hex"])[1:4] == b"\0\0\0" for row in rows)


@pytest.mark.parametrize("arguments", [["import", "x"], ["export"], ["export", "--format", "zip", "x"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", *arguments]) == 2
    assert capsys.readouterr().err.startswith("mqttws corpus: ")
