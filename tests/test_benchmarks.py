"""Each question of the benchmarks runs and answers; how fast anything is, no test may say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest

from benchmarks.__main__ import QUESTIONS, main
from benchmarks.peers import CodecPeer, check_codec
from benchmarks.timing import Contender, Metric, Sample, Settings, Table, alternate, time_work
from benchmarks.workloads import CASES
from mqttws.codec import decode, encode


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_prints_a_table_in_which_we_stand(question: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([question, "--quick"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("CPython")
    assert f"## {question.partition('-')[0]}" in printed
    assert "mqttws" in printed


def test_json_holds_figures_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["codec", "--quick", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    ours = [row for table in answer["tables"] for row in table["rows"] if row["contender"] == "mqttws"]
    assert len(ours) == 2 * len(CASES)
    assert all(row["figures"]["time"]["median"] > 0 and row["figures"]["time"]["ratio"] == 1 for row in ours)


@pytest.mark.parametrize("arguments", [["weather"], ["--rounds", "0"]])
def test_nonsense_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_ratio_is_the_median_of_ratios_within_a_round() -> None:
    table = Table("title", "base", [Metric("time", "us", 1e6), Metric("rate", "1/s", more_is_better=True)])
    base: list[Sample] = [{"time": 1.0, "rate": 10.0}, {"time": 2.0, "rate": 5.0}, {"time": 4.0, "rate": 2.0}]
    other: list[Sample] = [{"time": 3.0, "rate": 20.0}, {"time": 4.0, "rate": 15.0}, {"time": 4.0, "rate": 8.0}]
    table.add("case", {"base": base, "other": other})
    assert table.rows[0].values == ((2e6, 1e6, 1.0), (5.0, 10.0, 1.0))
    assert table.rows[1].values == ((4e6, 3e6, 2.0), (15.0, 20.0, 3.0))
    assert "other" in table.render()


def test_who_begins_changes_from_round_to_round() -> None:
    order: list[str] = []

    def contender(name: str) -> Callable[[], Sample]:
        def measure() -> Sample:
            order.append(name)
            return {"time": 1.0}

        return measure

    alternate({"a": contender("a"), "b": contender("b")}, Settings(rounds=3))
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_work_is_repeated_until_it_can_be_measured() -> None:
    done = 0

    def work(times: int) -> None:
        nonlocal done
        for _ in range(times):
            done += sum(range(100))

    samples = time_work([Contender("sum", work)], Settings(rounds=2))
    assert done > 10_000
    assert all(0 < sample["time"] < math.inf for sample in samples["sum"])


def test_a_codec_that_is_wrong_is_found_out() -> None:
    right = {case.name: decode for case in CASES}
    wrong = {CASES[0].name: lambda: encode(CASES[1].packet)}
    check_codec(CodecPeer("right", right, {}, lambda packet: (packet.topic, packet.payload)))
    with pytest.raises(AssertionError, match="misreads"):
        check_codec(CodecPeer("reader", right, {}, lambda packet: (packet.topic, b"")))
    with pytest.raises(AssertionError, match="something else"):
        check_codec(CodecPeer("writer", {}, wrong, lambda packet: (packet.topic, packet.payload)))
