"""All checks of a Server in one call."""

from __future__ import annotations

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.runner import Plan
from mqttws.conformance.server.discovery import Unreachable
from mqttws.conformance.server.run import probes_of, run_server, server_checks
from mqttws.conformance.verdict import NotApplicable, Verdict
from mqttws.conformance.wire.target import NotLoopback
from mqttws.endpoint import open_endpoint
from mqttws.vocabulary import ProtocolVersion
from mqttws.webpubsub import Roles
from tests.conformance.server.scripted import in_time, reference


@trio_test
async def test_a_server_behind_a_url_is_checked() -> None:
    async with open_endpoint() as endpoint:
        first, second = (
            endpoint.client_access_url("chat", user_id=user, roles=Roles.everything()) for user in ("ann", "bob")
        )
        with trio.fail_after(60):
            results = await run_server(
                first, only=["pingreq_unanswered"], second=second, topics="own/topics", plan=Plan(keep_all=True)
            )
    assert [result.check for result in results] == ["server/3.1.1/pingreq_unanswered", "server/5.0/pingreq_unanswered"]
    assert {result.verdict for result in results} == {Verdict.PASSED}


@trio_test
async def test_who_is_not_there_or_not_here_is_not_checked() -> None:
    with trio.fail_after(60):
        with pytest.raises(Unreachable):
            await run_server("ws://127.0.0.1:1/mqtt")
        with pytest.raises(NotLoopback):
            await run_server("ws://192.0.2.1/mqtt")


def test_checks_can_be_of_one_version() -> None:
    assert {check.version for check in server_checks(versions=[ProtocolVersion.V5])} == {ProtocolVersion.V5}
    assert len(server_checks()) > len(server_checks(["5.0/3.*"])) > 100


def test_a_version_that_was_not_found_is_not_applicable() -> None:
    async def main(nursery: trio.Nursery) -> None:
        subject = reference(nursery)
        subject.capabilities = {ProtocolVersion.V5: frozenset()}
        check = next(one for one in server_checks() if one.version == ProtocolVersion.V3_1_1)
        with pytest.raises(NotApplicable, match=r"does not speak MQTT 3\.1\.1"):
            async with probes_of(subject)(check):
                pass

    in_time(main)
