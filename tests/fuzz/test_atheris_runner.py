"""The runner for atheris, with a stand-in for what not every Python has."""

from __future__ import annotations

import contextlib
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from mqttws.fuzz import atheris_runner
from mqttws.fuzz import corpus as corpus_room
from mqttws.fuzz.targets import TARGETS


class Stand:
    """Records what the runner does, and fuzzes with three inputs."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.made: list[bytes] = []

    def instrument_imports(self, include: list[str]) -> Any:
        assert "mqttws" in include
        return contextlib.nullcontext()

    def Setup(self, arguments: list[str], target: Any, *, custom_mutator: Any) -> None:  # noqa: N802 - atheris' name
        self.arguments, self.target, self.change = arguments, target, custom_mutator

    def Mutate(self, data: bytes, _most: int) -> bytes:  # noqa: N802 - as above
        return data + b"!"

    def Fuzz(self) -> None:  # noqa: N802 - as above
        self.made = [self.change(b"\xc0\0", 50, seed) for seed in range(8)]
        for data in self.made:
            self.target(data)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    it = Stand()
    monkeypatch.setitem(sys.modules, "atheris", it)
    return it


def test_a_run_with_everything(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = list(islice(corpus_room.seeds(), 30))
    monkeypatch.setattr(corpus_room, "seeds", lambda: iter(few))
    corpus, findings = tmp_path / "corpus" / "codec", tmp_path / "findings"
    arguments = ["codec", "--seconds", "2.4", "--count", "9", "--seed", "7", "--corpus", str(corpus)]
    assert atheris_runner.main([*arguments, "--findings", str(findings), "--", "-print_final_stats=1"]) == 0
    assert stand.target is TARGETS["codec"]
    assert set(stand.arguments) >= {"-max_total_time=2", "-runs=9", "-seed=7", str(corpus), "-print_final_stats=1"}
    assert f"-artifact_prefix={findings}/" in stand.arguments
    assert findings.is_dir()
    assert len(list(corpus.iterdir())) == 30
    assert (corpus.parent / "mqtt.dict").exists()
    assert stand.made.count(b"\xc0\0!") == 6
    assert all(len(data) <= 50 for data in stand.made)


def test_a_run_with_nothing_but_a_target(stand: Stand, tmp_path: Path) -> None:
    assert atheris_runner.main(["framer", "--findings", str(tmp_path)]) == 0
    assert not any(argument.startswith(("-runs", "-max_total", "-seed", "-dict")) for argument in stand.arguments)


def test_a_target_that_does_not_exist(stand: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    assert atheris_runner.main(["nothing"]) == 2
    assert "no target 'nothing'" in capsys.readouterr().err
    assert stand.arguments == []


def test_without_atheris(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(atheris_runner, "import_module", _absent)
    assert atheris_runner.main(["codec"]) == 2
    assert "atheris cannot be loaded" in capsys.readouterr().err


def _absent(name: str) -> Any:
    raise ImportError(name)
