"""The correct Client, or one that a proxy makes wrong, before one check."""

from __future__ import annotations

from typing import Any

from mqttws.conformance.check import Kind, checks
from mqttws.conformance.runner import select
from mqttws.conformance.verdict import Result, Verdict
from mqttws.conformance.wrong.entry import wrong_client
from mqttws.conformance.wrong.trial_client import try_client

FAILED, NOT_STRICT, PASSED = Verdict.FAILED, Verdict.NOT_STRICT, Verdict.PASSED
NOT_TESTED, NOT_APPLICABLE, INCONCLUSIVE = Verdict.NOT_TESTED, Verdict.NOT_APPLICABLE, Verdict.INCONCLUSIVE


def results_of(module: str) -> dict[str, Verdict]:
    """The correct Client before all checks of a file."""
    found = [check for check in checks(Kind.CLIENT) if check.run.__module__.endswith(f".checks.{module}")]
    return {result.check: result.verdict for result in try_client(found)}


def judged(name: str, version: str = "5.0", **wire: Any) -> Result:
    """A Client that is wrong in this way before one check."""
    (check,) = select(checks(Kind.CLIENT), [f"client/{version}/{name}"])
    wrong = wrong_client("wrong", "It is wrong.", v5="MQTT-3.1.0-1", v311="MQTT-3.1.0-1", **wire)
    (result,) = try_client([check], wrong)
    return result
