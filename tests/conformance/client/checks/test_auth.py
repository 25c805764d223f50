"""Enhanced authentication: wrong Clients are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mqttws.codec import Auth, ConnAck, Connect, PingReq, RawPacket
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import each, editing
from tests.conformance.client.trying import is_told

FAILED, NOT_STRICT = Verdict.FAILED, Verdict.NOT_STRICT


def same(packet: Any) -> Any:
    """The method is always the one that was asked for."""
    if "authentication_method" not in packet.properties:
        return packet
    return replace(packet, properties={**packet.properties, "authentication_method": "mqttws-echo"})


def swallowed(tamper: Any, packet: Any) -> tuple[Any, ...]:
    tamper.asked = isinstance(packet, Auth) or getattr(tamper, "asked", False)
    return () if isinstance(packet, Auth) else (packet,)


def answered(tamper: Any, packet: Any) -> tuple[Any, ...]:
    if getattr(tamper, "asked", False):
        tamper.asked = False
        return Auth(0x18, {"authentication_method": "mqttws-echo"}), packet
    return (packet,)


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    (
        "answers_auth_otherwise",
        "5.0",
        {"from_subject": editing(Auth, reason_code=0x19)},
        FAILED,
        "the answer has 0x19, not 0x18",
    ),
    (
        "answers_auth_otherwise",
        "5.0",
        {"from_subject": editing(Auth, properties={"authentication_method": "other"})},
        FAILED,
        "method .other.",
    ),
    (
        "speaks_before_it_is_let_in",
        "5.0",
        {"from_subject": each(Auth, lambda said: (PingReq(), said))},
        FAILED,
        "PINGREQ came where AUTH was owed",
    ),
    (
        "takes_auth_of_another_method",
        "5.0",
        {"from_tester": each((Auth, ConnAck), same)},
        NOT_STRICT,
        "goes on behind AUTH with another method",
    ),
    (
        "takes_connack_of_another_method",
        "5.0",
        {"from_tester": each((Auth, ConnAck), same)},
        NOT_STRICT,
        "goes on behind CONNACK with another method",
    ),
    (
        "answers_auth_otherwise",
        "5.0",
        {"from_tester": editing(Auth, properties={"authentication_method": "other"})},
        Verdict.NOT_TESTED,
        "it gives up, which is its right: a Close frame",
    ),
    (
        "speaks_before_it_is_let_in",
        "5.0",
        {"from_subject": each(Auth, lambda _: None)},
        Verdict.INCONCLUSIVE,
        "AUTH has not come",
    ),
    ("answers_auth_unasked", "5.0", {"from_tester": swallowed, "from_subject": answered}, FAILED, "it answers AUTH"),
    ("answers_auth_unasked", "5.0", {"from_tester": swallowed}, NOT_STRICT, "behind AUTH that it has not asked for"),
    (
        "takes_auth_with_flags",
        "5.0",
        {"from_tester": each(RawPacket, lambda _: None)},
        FAILED,
        "AUTH with reserved flags",
    ),
    (
        "answers_auth_otherwise",
        "5.0",
        {"from_subject": editing(Connect, properties={})},
        Verdict.NOT_APPLICABLE,
        "does not name an Authentication Method",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    is_told(name, version, wire, verdict, why)
