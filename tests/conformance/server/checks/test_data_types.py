"""Identifiers that cannot be, and what a Server may say of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mqttws.codec import Packet, PubRel, RawPacket
from mqttws.conformance.check import Kind, checks
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.entry import wrong_server
from mqttws.conformance.wrong.trial_server import try_server


def _unknown(tamper: Any, packet: Packet | RawPacket) -> Iterable[Packet | RawPacket]:
    """Packets that are broken are taken for a PUBREL of a message that is not known."""
    del tamper
    return (PubRel(0x4321),) if isinstance(packet, RawPacket) else (packet,)


def _deaf(tamper: Any, packet: Packet | RawPacket) -> Iterable[Packet | RawPacket]:
    """Packets that are broken are passed over."""
    del tamper
    return () if isinstance(packet, RawPacket) else (packet,)


@pytest.mark.parametrize(
    ("from_tester", "verdict", "why"),
    [(_unknown, Verdict.NOT_STRICT, "it says that it knows no such identifier"), (_deaf, Verdict.FAILED, "it goes on")],
)
def test_who_says_that_it_knows_no_identifier_0_is_not_strict(from_tester: Any, verdict: Verdict, why: str) -> None:
    wrong = wrong_server("wrong", "It is wrong.", v5="MQTT-4.13.1-1", wire={"from_tester": from_tester})
    tried = [one for one in checks(Kind.SERVER) if one.id == "server/5.0/acknowledgement_of_identifier_zero"]
    (result,) = try_server(tried, wrong=wrong)
    assert result.verdict is verdict
    assert why in result.reason
