"""``mqttws conform report``, and the forms in which all kinds of ``mqttws conform`` put out their results."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mqttws.cli import main
from mqttws.conformance.report import Report
from tests.conformance.report.samples import report, result


def saved(folder: Path, *reports: Report) -> list[str]:
    paths = []
    for number, each in enumerate(reports):
        path = folder / f"{number}.json"
        path.write_text(each.dumps(), encoding="utf-8")
        paths.append(str(path))
    return paths


def test_the_exit_status_says_whether_anybody_has_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = saved(tmp_path, report(result()), report())
    assert main(["conform", "report", good]) == 0
    assert "1 checks: 1 passed" in capsys.readouterr().out
    assert main(["conform", "report", good, bad]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_brief_leaves_the_bytes_out_and_colours_are_for_terminals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = saved(tmp_path, report())
    main(["conform", "report", path, "--brief"])
    assert "→" not in capsys.readouterr().out
    main(["conform", "report", path, "--colour", "always"])
    assert "\x1b[1;31mFAILED" in capsys.readouterr().out


def test_several_reports_are_written_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = saved(tmp_path, report(), report(subject="other"))
    page, xml = tmp_path / "all.html", tmp_path / "junit.xml"
    assert main(["conform", "report", *paths, "--json", "--html", str(page), "--junit", str(xml)]) == 1
    assert [each["subject"] for each in json.loads(capsys.readouterr().out)] == ["brokerware", "other"]
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert ElementTree.parse(xml).getroot().tag == "testsuites"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.json", "1.json", "all.html", "junit.xml"]


def test_json_of_one_report_is_its_file_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = report()
    main(["conform", "report", *saved(tmp_path, made), "--json"])
    assert Report.loads(capsys.readouterr().out) == made


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"[" * 200_000, "nested too deep"), (b"\0\xff", "not JSON"), (b"{}", "no report")],
)
def test_what_is_no_report_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, why: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    assert main(["conform", "report", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("mqttws conform: cannot read")
    assert why in err
    assert err.count("\n") == 1


def test_a_file_beyond_any_report_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = saved(tmp_path, report())
    monkeypatch.setattr("mqttws.cli.conform_report._LARGEST", 100)
    assert main(["conform", "report", path]) == 2
    assert "larger than any report" in capsys.readouterr().err


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = saved(tmp_path, report())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    main(["conform", "report", path, "--junit", str(pipe)])
    written, _ = reader.communicate(timeout=30)
    assert ElementTree.fromstring(written).tag == "testsuites"
    assert pipe.is_fifo()
    assert main(["conform", "report", path, "--junit", str(tmp_path)]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = saved(tmp_path, report())
    assert main(["conform", "report", path, "--html", str(tmp_path / "no" / "x.html")]) == 2
    assert "cannot write" in capsys.readouterr().err
