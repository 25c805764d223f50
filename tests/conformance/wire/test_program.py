"""How programs end, and which of them have crashed."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.wire.program import Program

PATIENCE = 20.0


@asynccontextmanager
async def running(code: str) -> AsyncIterator[Program]:
    """A Python program; it is stopped when the block is left."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            program = Program([sys.executable, "-c", code], {"SAID": "hello"})
            await program.start(nursery)
            yield program
            nursery.cancel_scope.cancel()
    assert program.returncode is not None


@pytest.mark.parametrize(
    ("code", "crash"),
    [
        ("raise SystemExit(3)", ""),
        ("print('Error: refused'); raise SystemExit(1)", ""),
        ("{}[7]", "KeyError: 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("print('panicked at src/main.rs')", "an error nobody caught"),
        ("print('Uncaught\\nTypeError: x is not a function\\n')", "TypeError: x is not a function"),
    ],
)
@trio_test
async def test_a_crash_is_told_from_an_orderly_end(code: str, crash: str) -> None:
    async with running(code) as program:
        await program.ended.wait()
        assert await program.crash() == crash
        assert program.returncode is not None


@trio_test
async def test_a_program_that_runs_on_can_have_crashed_inside() -> None:
    async with running("import sys, time; print('Exception in thread T', flush=True); time.sleep(60)") as program:
        while not await program.crash():  # noqa: ASYNC110 - its output comes when it comes
            await trio.sleep(0.02)
        program.forget()
        assert await program.crash() == ""
        assert program.returncode is None
        assert program.pid > 0


@trio_test
async def test_only_the_end_of_a_long_output_is_kept_and_no_token_in_it() -> None:
    async with running("print('x' * 100_000); print('access_token=SECRET')") as program:
        await program.ended.wait()
        words = await program.last_words()
        assert len(words) < 20_000
        assert words.rstrip().endswith("access_token=[redacted]")


@trio_test
async def test_the_environment_is_handed_on() -> None:
    async with running("import os; print(os.environ['SAID'])") as program:
        await program.ended.wait()
        assert (await program.last_words()).strip() == "hello"


@trio_test
async def test_a_program_that_does_not_go_is_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.conformance.wire.program._STOP_SECONDS", 0.1)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    async with running(deaf) as program:
        while "deaf" not in await program.last_words():  # noqa: ASYNC110 - its output comes when it comes
            await trio.sleep(0.02)
        await program.stop()
        assert program.returncode == -9


@trio_test
async def test_what_cannot_be_started_says_so() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(FileNotFoundError):
            await Program(["/no/such/program"]).start(nursery)
