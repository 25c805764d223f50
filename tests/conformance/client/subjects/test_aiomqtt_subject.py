"""The subject for aiomqtt, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from trio.testing import trio_test

from tests.conformance.client import scripts
from tests.conformance.client.leading import Host, InThread, hosting, in_thread
from tests.conformance.client.scripts import both_versions
from tests.interop.conftest import PAHO_LEAKS

pytest.importorskip("aiomqtt")
from mqttws.conformance.client.subjects import aiomqtt_subject

pytestmark = pytest.mark.filterwarnings(PAHO_LEAKS)


@asynccontextmanager
async def subject_of(host: Host, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InThread]:
    """The subject, led from here."""
    async with in_thread(lambda: aiomqtt_subject.main(host.url), monkeypatch) as subject:
        yield subject


@both_versions
@trio_test
async def test_it_goes_the_whole_way(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        await scripts.whole_way(host, subject, version)


@both_versions
@trio_test
async def test_it_tells_of_refusals_and_ends_and_keeps_its_session(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        await scripts.refused(host, subject, version)
        await scripts.ended_by_the_server(host, subject, version)
        await scripts.session_goes_on(host, subject, version)


@trio_test
async def test_it_says_what_aiomqtt_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting() as host, subject_of(host, monkeypatch) as subject:
        await scripts.cannot(subject, "connect", version=5, auth_method="x")
        await scripts.cannot(subject, "connect", version=5, topic_alias_maximum=3)
        await scripts.cannot(subject, "connect", version=5, password=b"alone")
        await scripts.cannot(subject, "connect", version=5, reconnect=True)
        await scripts.cannot(subject, "disconnect", reason_code=4)


@trio_test
async def test_what_fails_is_told_by_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patched:
        async with in_thread(lambda: aiomqtt_subject.main("ws://127.0.0.1:1/mqtt"), patched) as subject:
            await scripts.nothing_without_a_connection(subject)
