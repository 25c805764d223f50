"""Payloads of any size, as far as a Server takes them."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Publish
from mqttws.conformance.check import Kind, checks
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.entry import wrong_server
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.conformance.wrong.trial_server import try_server


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize(("most", "verdict"), [(10_000, Verdict.INCONCLUSIVE), (500, Verdict.FAILED)])
def test_who_has_a_limit_that_it_did_not_tell_is_not_accused_of_it(version: str, most: int, verdict: Verdict) -> None:
    def publish(self: Visit, packet: Publish, member: Any) -> None:
        if len(packet.payload) > most:
            self.link.close(0.0)
        else:
            Visit.publish(self, packet, member)

    other = wrong_server("other", "It is otherwise.", v5="MQTT-3.1.0-1", visit={"publish": publish})
    (check,) = (one for one in checks(Kind.SERVER) if one.id == f"server/{version}/bytes_garbled")
    (result,) = try_server([check], wrong=other)
    assert result.verdict is verdict, result.reason
