"""The conformance kit on real Servers: other people's fail what they are known to fail, ours fails nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.runner import Plan, faults
from mqttws.conformance.server.run import run_server
from mqttws.conformance.verdict import Result, Verdict
from mqttws.endpoint import open_endpoint
from mqttws.webpubsub import Roles
from tests.interop import counterparts, servers
from tests.interop.conform_expected import AEDES, AMQTT, MOSQUITTO, Expected

pytestmark = pytest.mark.slowest

#: Seconds for one Server; on an idle machine each takes 10 to 20.
DEADLINE: Final = 150.0


async def checked(url: str, *, confirm: bool = True, **options: Any) -> list[Result]:
    """All results of the Server behind a URL."""
    with trio.fail_after(DEADLINE + 30):
        results = await run_server(url, plan=Plan(at_once=16, seconds=DEADLINE, confirm=confirm), **options)
    assert faults(results) == []
    return results


def failures(results: Sequence[Result]) -> dict[str, str]:
    """Why each check failed that did."""
    return {result.check: result.reason for result in results if result.verdict is Verdict.FAILED}


async def compare(url: str, expected: Expected, **options: Any) -> None:
    """What fails is what is known to. What is not is looked at once more: this machine may be busy.

    Of a Server that races with itself four of five have to fail: it gets some right by chance, not always the same.
    """
    found = failures(await checked(url, confirm=False, **options))
    unknown = found.keys() - expected.possible
    if unknown:
        found = failures(await checked(url, only=sorted(unknown), **options)) | {
            check: reason for check, reason in found.items() if check not in unknown
        }
    assert {check: reason for check, reason in found.items() if check not in expected.possible} == {}
    missing = expected.certain - found.keys()
    if missing:
        found |= failures(await checked(url, only=sorted(missing), **options))
        missing = expected.certain - found.keys()
    assert len(missing) <= expected.tolerated, sorted(missing)


@pytest.mark.whole
@trio_test
async def test_mosquitto(tmp_path: Path) -> None:
    counterparts.need("mosquitto")
    help_ = await trio.run_process([counterparts.find_mosquitto(), "-h"], capture_stdout=True, check=False)
    release = help_.stdout.decode().splitlines()[0].rpartition(" ")[2]
    if release != MOSQUITTO.release:
        pytest.skip(f"what is expected is for mosquitto {MOSQUITTO.release}, this is {release}")
    async with servers.mosquitto(tmp_path, inflight=20) as server:
        await compare(server.url, MOSQUITTO)


@pytest.mark.whole
@trio_test
async def test_aedes() -> None:
    async with servers.aedes() as server:
        await compare(server.url, AEDES)


@pytest.mark.whole
@trio_test
async def test_amqtt(tmp_path: Path) -> None:
    async with servers.amqtt(tmp_path) as server:
        await compare(server.url, AMQTT, without=("retain", "session_expiry"), patience=1.5)


@pytest.mark.parametrize(
    ("profile", "kept"), [("webpubsub", 400), pytest.param("generic", 450, marks=pytest.mark.whole)]
)
@trio_test
async def test_our_endpoint_fails_nothing(profile: str, kept: int) -> None:
    async with open_endpoint(profile=profile) as endpoint:
        first, second = (
            endpoint.client_access_url("chat", user_id=user, roles=Roles.everything()) for user in ("ann", "bob")
        )
        results = await checked(first, second=second)
    assert failures(results) == {}
    assert [one.reason for one in results if one.verdict is Verdict.NOT_STRICT] == []
    assert sum(one.verdict is Verdict.PASSED for one in results) >= kept
