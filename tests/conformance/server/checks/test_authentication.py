"""Authenticating again: a Server may let nobody do that."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Auth, Disconnect
from mqttws.conformance.check import Kind, checks
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.entry import wrong_server
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.conformance.wrong.trial_server import try_server
from mqttws.vocabulary import ReasonCode


def _once(self: Visit, packet: Auth) -> None:
    """Who wants to authenticate again is told to go."""
    if packet.reason_code == ReasonCode.RE_AUTHENTICATE:
        self.send(Disconnect(ReasonCode.NOT_AUTHORIZED))
    else:
        Visit.prove(self, packet)


def _any(self: Visit, packet: Auth) -> None:
    """Who authenticates again may say whatever it likes."""
    if self.member is None or packet.reason_code == ReasonCode.RE_AUTHENTICATE:
        Visit.prove(self, packet)


@pytest.mark.parametrize(("prove", "verdict"), [(_once, Verdict.PASSED), (_any, Verdict.FAILED)])
def test_who_lets_nobody_authenticate_again_may_say_so(prove: Any, verdict: Verdict) -> None:
    wrong = wrong_server("other", "It is otherwise.", v5="MQTT-4.12.1-2", offer="accounts", visit={"prove": prove})
    tried = [one for one in checks(Kind.SERVER) if one.id == "server/5.0/open_behind_a_failed_authentication"]
    (result,) = try_server(tried, "accounts", wrong)
    assert result.verdict is verdict, result.reason
