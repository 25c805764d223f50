"""Sessions: a Server may keep one for longer than it was asked to, if it says so."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.conformance.check import Kind, checks
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.entry import wrong_server
from mqttws.conformance.wrong.member import Member
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.conformance.wrong.trial_server import try_server

CHECKS = ("session_outlives_connection", "session_prolonged_by_disconnect", "will_outlives_its_session")


def _prolonged(self: Visit, packet: Any, key: str) -> Any:
    """Every Session is kept for a minute."""
    return Visit.properties_for(self, packet, key) | {"session_expiry_interval": 60}


@pytest.mark.parametrize("name", CHECKS)
def test_who_keeps_sessions_for_longer_and_says_so_is_not_blamed(name: str) -> None:
    other = wrong_server("other", "It is otherwise.", v5="MQTT-4.1.0-2", visit={"properties_for": _prolonged})
    (check,) = (one for one in checks(Kind.SERVER) if one.id == f"server/5.0/{name}")
    (result,) = try_server([check], wrong=other)
    assert result.verdict in (Verdict.NOT_APPLICABLE, Verdict.PASSED), result.reason


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_a_session_that_outlives_its_connection_in_silence_fails(version: str) -> None:
    def leave(self: Broker, member: Member, expiry: int, *, with_will: bool) -> None:
        del expiry
        Broker.leave(self, member, 60, with_will=with_will)

    wrong = wrong_server("wrong", "It is wrong.", v5="MQTT-4.1.0-2", v311="MQTT-3.1.2-6", broker={"leave": leave})
    (check,) = (one for one in checks(Kind.SERVER) if one.id == f"server/{version}/session_outlives_connection")
    (result,) = try_server([check], wrong=wrong)
    assert result.verdict is Verdict.FAILED
