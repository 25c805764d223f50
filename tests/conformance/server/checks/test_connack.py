"""What a Server announces: a code in SUBACK that promises more than can come is unwise, and no more."""

from __future__ import annotations

from mqttws.conformance.check import Kind, checks
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.entry import wrong_server
from mqttws.conformance.wrong.trial_server import try_server


def test_who_grants_more_than_its_maximum_qos_is_not_strict() -> None:
    other = wrong_server(
        "other",
        "It is otherwise.",
        v5="MQTT-3.2.2-10",
        offer="limited",
        visit={"grant": lambda _self, _f, qos, **_: qos},
    )
    (check,) = (one for one in checks(Kind.SERVER) if one.id == "server/5.0/subscription_above_maximum_qos_refused")
    (result,) = try_server([check], "limited", other)
    assert result.verdict is Verdict.NOT_STRICT
    assert "QoS 2 is granted by a Server whose Maximum QoS is 1" in result.reason
