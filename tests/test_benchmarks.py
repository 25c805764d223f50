"""Each question of the benchmarks runs and answers; how fast anything is, no test may say."""

from __future__ import annotations

import json
import math
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import QUESTIONS, main
from benchmarks.brokers import find_brokers
from benchmarks.crowd import Crowd
from benchmarks.peers import CodecPeer, check_codec
from benchmarks.processes import cpu_seconds, descriptors, others_can_be_read
from benchmarks.timing import Contender, ContenderFailed, Metric, Sample, Settings, Table, alternate, time_work
from benchmarks.workloads import CASES
from mqttws.codec import PingReq, decode, encode


@pytest.mark.parametrize(
    "question",
    [pytest.param(one, marks=pytest.mark.whole if one in ("memory", "end-to-end") else ()) for one in QUESTIONS],
)
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


def test_a_broker_that_is_not_here_is_skipped_by_name(tmp_path: Path) -> None:
    brokers, skipped = find_brokers(Settings(node_packages=tmp_path))
    assert next(iter(brokers)) == "mqttws endpoint"
    assert len(brokers) + len(skipped) == 4
    assert [line for line in skipped if line.startswith("skipped: aedes is not in")]


def test_a_contender_that_fails_is_named_and_left_out_unless_it_is_ours() -> None:
    def fail() -> Sample:
        raise ContenderFailed("has ended")

    table = Table("title", "base", [Metric("time", "us")])
    table.measure("case", {"base": lambda: {"time": 1.0}, "other": fail}, Settings(rounds=2))
    assert [row.name for row in table.rows] == ["base"]
    assert table.notes == ["failed: other, case (has ended)"]
    with pytest.raises(Exception, match="base has failed"):
        table.measure("case", {"base": fail}, Settings(rounds=1))


@pytest.mark.skipif(not others_can_be_read(), reason="needs /proc")
def test_cpu_time_is_that_of_the_process_that_is_asked_for() -> None:
    before = cpu_seconds(os.getpid())
    assert sum(range(200_000)) > 0
    assert 0 < before < cpu_seconds(os.getpid())
    with pytest.raises(OSError, match="Invalid"):
        cpu_seconds(2**28 - 1)


def test_too_low_a_limit_of_open_files_scales_down_and_says_so() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with descriptors(1) as (allowed, notes):
        assert (allowed, notes) == (1, [])
    hard = before[1]
    if hard != resource.RLIM_INFINITY:
        with descriptors(hard) as (allowed, notes):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
            assert 0 < allowed < hard
            assert notes == [
                f"scaled down to {allowed} connections: no process may have more than {hard} open files here"
            ]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


CONNACK = b"\x82\x04\x20\x02\x00\x00"
PING = b"\x89\x01!"
#: As long as a frame whose length takes two bytes of its own.
LONG = b"\x82\x7e\x00\x80" + bytes(128)


@pytest.fixture
def scripted() -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    """A server that has a piece of its script for each thing that it is told; that is kept."""
    scripts: list[bytes] = []
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(10)
                while data := peer.recv(4096):
                    heard.append(data)
                    peer.sendall(scripts.pop(0) if scripts else b"")

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}/mqtt", scripts, heard
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def test_a_crowd_reads_frames_of_any_size_and_answers_pings(scripted: tuple[str, list[bytes], list[bytes]]) -> None:
    url, scripts, heard = scripted
    scripts += [SWITCHING, CONNACK + PING, LONG, LONG]
    with Crowd(url) as crowd:
        assert len(crowd.connect(1, 1)) == 1
        crowd.receive(bytes(128))
        crowd.send(PingReq())
        with pytest.raises(ContenderFailed, match="sends 0000"):
            crowd.receive(b"something else".ljust(128))
    assert b"\x8a\x81" + bytes(4) + b"!" in b"".join(heard)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([b"HTTP/1.1 404 Not Found\r\n\r\n"], "answers the handshake with"),
        ([SWITCHING, b"\x82\x04\x20\x02\x00\x05"], "answers CONNECT with 20020005"),
    ],
)
def test_a_crowd_says_what_a_server_does_wrong(
    pieces: list[bytes], message: str, scripted: tuple[str, list[bytes], list[bytes]]
) -> None:
    url, scripts, _ = scripted
    scripts += pieces
    with Crowd(url) as crowd, pytest.raises(ContenderFailed, match=message):
        crowd.connect(1, 1)
