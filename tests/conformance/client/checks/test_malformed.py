"""The byte vectors that Clients are tried with: each in one check, and none that is in doubt."""

from __future__ import annotations

import pytest

from mqttws.codec import RawPacket
from mqttws.conformance import vectors
from mqttws.conformance.check import Kind, checks
from mqttws.conformance.client.checks.malformed import GROUPS, of_group
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.entry import wrong_client
from mqttws.conformance.wrong.trial_client import try_client
from mqttws.conformance.wrong.wire_faults import dropping
from mqttws.vocabulary import ProtocolVersion
from tests.conformance.client.trying import V5, V311


@pytest.mark.parametrize("version", ProtocolVersion)
def test_every_bad_packet_of_a_server_is_in_one_group(version: ProtocolVersion) -> None:
    grouped = [vector["name"] for group in GROUPS for vector in of_group(group, version)]
    wanted = [
        vector["name"]
        for vector in vectors()
        if vector["version"] in (version, "both")
        and vector["direction"] != "client"
        and not (vector["valid"] or vector.get("ambiguous") or vector["kind"] == "partial")
    ]
    assert sorted(grouped) == sorted(wanted)


def test_every_group_has_a_vector_in_each_version_that_it_is_for() -> None:
    for group in GROUPS:
        assert of_group(group, V5)
        assert bool(of_group(group, V311)) is bool(group.v311)


@pytest.mark.parametrize(
    ("check", "verdict"),
    [("3.1.1/takes_bad_acknowledgements", "failed"), ("5.0/takes_bad_acknowledgements", "not strict")],
)
def test_a_client_that_never_sees_them_is_told_by_a_few(check: str, verdict: str) -> None:
    deaf = wrong_client(
        "deaf",
        "It passes over what is broken.",
        v311="MQTT-4.8.0-1",
        v5="MQTT-3.1.0-1",
        from_tester=dropping(RawPacket),
    )
    (result,) = try_client([one for one in checks(Kind.CLIENT) if one.id == f"client/{check}"], deaf)
    assert result.verdict is Verdict(verdict)
    assert "it goes on behind " in result.reason
    assert ", and perhaps others" in result.reason
