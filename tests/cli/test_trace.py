"""``mqttws trace``: which kinds there are, and what is wrong usage of all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqttws.cli import main
from tests.trace.wires import conversation

KINDS = [["show"], ["replay", "-d", "in"], ["export"]]


def written(folder: Path, lines: list[str]) -> str:
    path = folder / "wire.trace"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def arguments(kind: list[str], file: str, folder: Path) -> list[str]:
    return ["trace", *kind, file, *([str(folder / "out.pcapng")] if kind == ["export"] else [])]


def test_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(kind in out for kind in ("show", "replay", "export"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("", "there is no trace"),
        ("hello\nworld\n", "line 1: it is not a line of a trace"),
        ("\xff", "it is not a trace"),
        (json.dumps({"format": "other"}), "line 1: the format is 'other'"),
    ],
)
def test_what_is_no_trace_is_wrong_usage_in_one_line(
    content: str | None, complaint: str, kind: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wire.trace"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    assert main(arguments(kind, str(path), tmp_path)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
@pytest.mark.parametrize("number", ["0", "2"])
def test_a_connection_that_is_not_there_is_wrong_usage(
    kind: list[str], number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, conversation())
    assert main([*arguments(kind, file, tmp_path), "-c", number]) == 2
    assert f"has no connection {number}; it has 1" in capsys.readouterr().err


def test_an_unknown_kind_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "draw"]) == 2
    assert main(["trace", "show"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
