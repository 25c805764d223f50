"""A slice of ``tests.client.crashes``, and whether its judges would find anything."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from tests.client.crashes import Life, Report, judge_consumed, judge_published, kill_consumers, kill_publishers
from tests.client.crashes import open_crashes as open_server
from tests.client.crashing import Job


@pytest.mark.parametrize(
    ("server", "version", "kills"),
    [
        pytest.param("endpoint", 5, 12, id="endpoint"),
        pytest.param("mosquitto", 4, 6, id="mosquitto"),
    ],
)
@trio_test
async def test_processes_that_are_killed_break_no_promise(
    server: str, version: int, kills: int, tmp_path: Path
) -> None:
    with trio.fail_after(60):
        async with open_server(server, version, tmp_path) as crashes:
            reports = [
                await kill_publishers(crashes, kills, seed=1),
                await kill_publishers(crashes, kills // 3, seed=2, qos=1),
                await kill_consumers(crashes, kills // 2, seed=3),
                await kill_consumers(crashes, kills // 3, seed=4, acknowledge="received"),
            ]
    assert [report.broken for report in reports] == [[]] * 4
    assert sum(report.kills for report in reports) > kills
    assert all(report.received for report in reports)


def life(*lines: str) -> Life:
    return Life([line.split() for line in lines])


WELL = life("stored 1", "ended 1", "done 1")


@pytest.mark.parametrize(
    ("arrived", "held", "last", "found"),
    [
        ([1, 2], {2}, WELL, []),
        ([1], {2}, WELL, ["the store took [2], which never arrived"]),
        ([1, 2], set(), WELL, ["[2] arrived and were never stored"]),
        ([1, 1], set(), WELL, ["[1] arrived twice"]),
        ([1], set(), life("stored 1", "done 1", "ended 1"), ["1 was completed before its end was stored"]),
    ],
)
def test_the_judge_of_publishers_finds_each_broken_promise(
    arrived: list[int], held: set[int], last: Life, found: list[str]
) -> None:
    report = Report("test")
    judge_published(report, arrived, held, [last], qos=2)
    assert report.broken == found


def test_at_qos_1_messages_may_arrive_again() -> None:
    report = Report("test")
    judge_published(report, [1, 1], set(), [WELL], qos=1)
    assert (report.broken, report.again) == ([], 1)


def job(**options: object) -> Job:
    common = {"role": "consume", "url": "", "store": "", "ledger": "", "topic": "", "client_id": ""}
    return Job(**{**common, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lives", "options", "found"),
    [
        ([life("got 0 0"), life("got 0 1", "got 1 0")], {}, []),
        ([life("got 0 0")], {}, ["[1] were lost"]),
        ([life("taken 1", "got 0 0", "taken 2", "killed")], {"acknowledge": "received", "buffer": 1}, []),
        (
            [life("taken 1", "got 0 0", "taken 2", "killed")],
            {"acknowledge": "received", "buffer": 0},
            ["1 messages were lost by one death"],
        ),
        (
            [life("taken 1", "got 0 0", "killed")],
            {"acknowledge": "received"},
            ["1 messages were lost, and no death accounts for more than 0"],
        ),
        ([life("taken 1", "got 0 0")], {"acknowledge": "received", "buffer": 1}, []),
        (
            [life("got 0 0"), life("got 0 0", "got 1 0")],
            {},
            ["0 was handed over again and is not marked as a duplicate"],
        ),
        (
            [life("got 0 0", "taken 9"), life("got 0 1", "got 1 0")],
            {},
            ["1 messages were handed over again after one death, and not at most 0"],
        ),
        (
            [life("got 0 0", "got 1 0"), life("got 0 1", "got 1 1")],
            {"qos": 1, "window": 1},
            ["2 messages were handed over again after one death, and not at most 1"],
        ),
        ([life("got 0 0", "got 1 0"), life("got 0 1", "got 1 1")], {"qos": 1, "window": 1, "version": 4}, []),
    ],
)
def test_the_judge_of_consumers_finds_each_broken_promise(
    lives: list[Life], options: dict[str, object], found: list[str]
) -> None:
    report = Report("test", messages=2)
    judge_consumed(report, lives, job(**options))
    assert report.broken == found
