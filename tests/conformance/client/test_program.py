"""Programs that follow the convention, and those that do not: silent, dying, deaf, talkative, wild."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.client import program
from mqttws.conformance.client.convention import Connected, Disconnected, Error, Message, Published, Subscribed
from mqttws.conformance.client.program import (
    ClientProgram,
    ProgramEnded,
    ProgramFailed,
    ProgramSilent,
    TaskFailed,
    TaskUnsupported,
    started,
)

DEADLINE = 30.0
CONNECTED = """print('{"event": "connected", "session_present": false}', flush=True);"""


@asynccontextmanager
async def client(code: str, *, patience: float = 20.0) -> AsyncIterator[ClientProgram]:
    """A Python program as a Client; its URL is its argument."""
    with trio.fail_after(DEADLINE):
        async with started([sys.executable, "-c", code, "{url}"], "ws://localhost/x", patience=patience) as running:
            yield running
        assert running.program.returncode is not None


ECHO = """
import json, os, sys
print("starting up, no event", flush=True)
for line in sys.stdin:
    sys.stdout.write(json.dumps({"event": "message", "topic": line.strip(), "payload": ""}) + "\\n")
    sys.stdout.write(json.dumps({"event": "error", "message": sys.argv[1] + " " + os.environ["MQTTWS_URL"]}) + "\\n")
    sys.stdout.flush()
"""


@trio_test
async def test_a_program_gets_its_url_and_each_task_as_a_line() -> None:
    async with client(ECHO) as subject:
        await subject.do("subscribe", topic_filter="a b", qos=1)
        await subject.do("exit")
        assert (await subject.expect(Message)).topic == "subscribe hex:612062 1"
        assert (await subject.expect(Message)).topic == "exit"
        for _ in range(2):
            assert (await subject.expect(Error)).message == "ws://localhost/x ws://localhost/x"
        assert list(subject.events) == []
        assert await subject.how_it_ended() == "the program runs on; its log ends: starting up, no event"


@trio_test
async def test_events_of_other_kinds_wait_for_whoever_wants_them() -> None:
    code = f"""{CONNECTED} print('{{"event": "subscribed", "codes": [1]}}', flush=True); input()"""
    async with client(code) as subject:
        assert await subject.expect(Subscribed) == Subscribed((1,))
        assert await subject.expect(Disconnected, Connected) == Connected(False)


@trio_test
async def test_an_answer_that_a_task_failed_is_raised_where_its_success_is_waited_for() -> None:
    code = """
print('{"event": "error", "message": "by the way"}')
print('{"event": "error", "message": "no route", "task": "connect"}')
print('{"event": "unsupported", "task": "publish", "why": "no QoS 2"}', flush=True)
input()
"""
    async with client(code) as subject:
        with pytest.raises(TaskUnsupported, match="the Client cannot publish: no QoS 2"):
            await subject.expect(Published)
        with pytest.raises(TaskFailed, match="connect: no route"):
            await subject.expect(Connected)
        assert subject.events == [Error("by the way")]


@trio_test
async def test_a_program_that_ends_is_told_from_one_that_is_silent() -> None:
    async with client(CONNECTED + "raise SystemExit(3)") as subject:
        with pytest.raises(ProgramEnded, match="no event subscribed; the program has ended with status 3; it has log"):
            await subject.expect(Subscribed)
        assert await subject.expect(Connected) == Connected(False)
        with pytest.raises(ProgramEnded, match="the program was gone before 'disconnect'"):
            await subject.do("disconnect")


@trio_test
async def test_a_crash_is_told_with_its_last_words_and_no_token_in_them() -> None:
    async with client("{}['access_token=SECRET']") as subject:
        with pytest.raises(ProgramEnded, match="has crashed: KeyError") as raised:
            await subject.expect(Connected)
        assert "Traceback" in str(raised.value)
        assert "SECRET" not in str(raised.value)


@trio_test
async def test_a_silent_program_has_so_much_time_and_no_more() -> None:
    async with client(CONNECTED + "input()") as subject:
        with pytest.raises(ProgramSilent, match=r"no event published or message within 0\.5 s, but \w+; the program"):
            await subject.expect(Published, Message, within=0.5)


@trio_test
async def test_a_program_that_reads_nothing_does_not_hold_us_up() -> None:
    async with client("import time; time.sleep(60)", patience=0.5) as subject:
        with pytest.raises(ProgramSilent, match="the program does not read 'publish' from its input"):
            await subject.do("publish", topic="a", payload=bytes(4_000_000), qos=0)


@trio_test
async def test_a_badly_made_event_is_shown_in_the_log() -> None:
    code = """print('{"event": "connected"}'); print('{"event": "connected", "session_present": true}', flush=True)"""
    async with client(code) as subject:
        assert await subject.expect(Connected) == Connected(True)
        assert "[no event of the convention: connected lacks the member" in await subject.program.last_words()


@trio_test
async def test_errors_go_to_the_log_and_do_not_split_events() -> None:
    code = """
import sys
print('{"event": "message", "topic": "a", ', end="", flush=True)
print("a warning", file=sys.stderr, flush=True)
print('"payload": "' + "00" * 300_000 + '"}', flush=True)
input()
"""
    async with client(code) as subject:
        assert len((await subject.expect(Message)).payload) == 300_000
        assert await subject.program.last_words() == "a warning\n"


@trio_test
async def test_a_line_without_end_is_log_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LONGEST_LINE", 100_000)
    code = f"""
print('{{"event": "message", "topic": "', end="")
for _ in range(50): print("x" * 100_000, end="", flush=True)
print('", "payload": ""}}')
{CONNECTED}
input()
"""
    async with client(code) as subject:
        assert await subject.expect(Connected) == Connected(False)
        assert subject.events == []
        assert 1000 < len(await subject.program.last_words()) < 20_000


@pytest.mark.parametrize(("limit", "most"), [("MOST_EVENTS", 100), ("MOST_BYTES", 10_000)])
@trio_test
async def test_a_flood_of_events_is_bounded_and_said(limit: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, limit, most)
    code = """
while True: print('{"event": "message", "topic": "a", "payload": ""}', flush=True)
"""
    async with client(code) as subject:
        with pytest.raises(ProgramFailed, match="events that nobody asked for"):
            await subject.expect(Connected)
        assert len(subject.events) <= most
        assert await subject.expect(Message) == Message("a", b"")
        await subject.stop()
        assert subject.program.returncode == -15


@trio_test
async def test_what_is_raised_in_the_block_comes_out_as_it_is_and_the_program_is_gone() -> None:
    with pytest.raises(KeyError):
        async with client("input()") as subject:
            raise KeyError(subject.program.pid)


@trio_test
async def test_a_program_that_cannot_be_started_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        async with started(["/no/such/program", "{url}"], "ws://localhost"):
            pass
