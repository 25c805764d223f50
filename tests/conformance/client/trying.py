"""Checks of a test's own, tried on the kit's own Client: correct, or wrong in one thing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.client.probe import ClientProbe
from mqttws.conformance.runner import select
from mqttws.conformance.verdict import Result, Verdict
from mqttws.conformance.wrong.entry import wrong_client
from mqttws.conformance.wrong.trial_client import try_client
from mqttws.vocabulary import ProtocolVersion

V311, V5 = ProtocolVersion.V3_1_1, ProtocolVersion.V5


def tried(
    function: Callable[[ClientProbe], Awaitable[None]], *, version: ProtocolVersion = V5, **faults: Any
) -> Result:
    """What becomes of a check; ``faults`` are those of a wrong Client."""
    check = Check(Kind.CLIENT, version, "tried", "A title.", (), "3.1", frozenset(), False, function)
    wrong = wrong_client("wrong", "It is wrong.", v5="MQTT-3.1.0-1", **faults) if faults else None
    (result,) = try_client([check], wrong)
    return result


def is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    """A Client that is wrong in this way gets this verdict from a check, for a reason like this."""
    (check,) = select(checks(Kind.CLIENT), [f"client/{version}/{name}"])
    wrong = wrong_client("wrong", "It is wrong.", v5="MQTT-3.1.0-1", v311="MQTT-3.1.0-1", **wire)
    (result,) = try_client([check], wrong)
    assert (result.verdict, bool(re.search(why, result.reason))) == (verdict, True), result.reason
