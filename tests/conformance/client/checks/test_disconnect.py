"""How a Client leaves: wrong ones are told."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Disconnect, PingReq, RawPacket
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import dropping, each, editing
from tests.conformance.client.trying import is_told

FAILED, NOT_STRICT = Verdict.FAILED, Verdict.NOT_STRICT

WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    (
        "speaks_behind_its_disconnect",
        "5.0",
        {"from_subject": each(Disconnect, lambda said: (said, PingReq()))},
        FAILED,
        "PINGREQ comes behind DISCONNECT",
    ),
    (
        "says_another_reason",
        "5.0",
        {"from_subject": editing(Disconnect, reason_code=0)},
        NOT_STRICT,
        "DISCONNECT has 0x00, not the 0x04",
    ),
    (
        "says_another_reason",
        "5.0",
        {"from_subject": each(Disconnect, lambda _: RawPacket(0xE0, b"\5\0"))},
        FAILED,
        "it sent DISCONNECT that breaks a rule by itself",
    ),
    (
        "stays_behind_its_disconnect",
        "3.1.1",
        {"from_subject": dropping(Disconnect)},
        Verdict.NOT_TESTED,
        "it leaves without DISCONNECT: a Close frame",
    ),
    ("stays_though_sent_away", "5.0", {"from_tester": dropping(Disconnect)}, NOT_STRICT, "goes on behind DISCONNECT"),
    (
        "ignores_a_disconnect_of_the_server",
        "3.1.1",
        {"from_tester": each(RawPacket, lambda _: None)},
        FAILED,
        "goes on behind DISCONNECT",
    ),
    (
        "ignores_a_disconnect_with_flags",
        "5.0",
        {"from_tester": each(RawPacket, lambda _: None)},
        FAILED,
        "reserved flags",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    is_told(name, version, wire, verdict, why)
