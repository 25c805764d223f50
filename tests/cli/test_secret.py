"""Secrets come from an option, a file or the environment, in that order, and from one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqttws.cli.outcome import UsageError
from mqttws.cli.secret import secret_from


def test_option_before_environment_and_the_first_variable_before_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MQTTWS_A", raising=False)
    monkeypatch.setenv("MQTTWS_B", " b\n")
    assert secret_from("x", None, None, "MQTTWS_A", "MQTTWS_B") == "b"
    monkeypatch.setenv("MQTTWS_A", "a")
    assert secret_from("x", None, None, "MQTTWS_A", "MQTTWS_B") == "a"
    assert secret_from("x", "", None, "MQTTWS_A") == ""
    monkeypatch.setenv("MQTTWS_A", "")
    assert secret_from("x", None, None, "MQTTWS_A") is None


def test_a_file_holds_one_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTTWS_A", "a")
    path = tmp_path / "secret"
    path.write_text(" pässword \n", encoding="utf-8")
    assert secret_from("x", None, str(path), "MQTTWS_A") == "pässword"


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        secret_from("x", None, str(tmp_path / "absent"))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        secret_from("x", None, str(binary))
    giant = tmp_path / "giant"
    giant.write_text("a" * 70_000)
    with pytest.raises(UsageError, match="longer than"):
        secret_from("x", None, str(giant))


def test_option_and_file_together_are_refused_without_repeating_the_secret() -> None:
    with pytest.raises(UsageError, match="the password is given twice") as caught:
        secret_from("the password", "canary", "file")
    assert "canary" not in str(caught.value)
