"""Why a statement has no check: one line for each, by version. What is not listed here has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mqttws.conformance import Statement, statements
from mqttws.conformance.check import Check, Kind, checks
from mqttws.vocabulary import ProtocolVersion

__all__ = ["REASONS", "Covered", "coverage"]

_NO_STREAM: Final = "who breaks it cannot be connected to, and then nothing is checked at all"

REASONS: Final[Mapping[ProtocolVersion, Mapping[str, str]]] = {
    ProtocolVersion.V3_1_1: {
        "MQTT-4.8.0-2": "a transient error inside the subject cannot be caused from outside",
        "MQTT-7.0.0-1": "about a Server's connections to other Servers, which nobody else sees",
        "MQTT-7.0.0-2": "about needing no extension anywhere, which no finite number of checks can show",
        "MQTT-7.1.1-1": _NO_STREAM,
        "MQTT-7.1.2-1": _NO_STREAM,
    },
    ProtocolVersion.V5: {
        "MQTT-4.2.0-1": _NO_STREAM,
    },
}


@dataclass(frozen=True, slots=True)
class Covered:
    """A statement with the checks that decide it, or the ``reason`` why there are none."""

    statement: Statement
    checks: tuple[Check, ...]
    reason: str


def coverage(version: ProtocolVersion) -> Iterator[Covered]:
    """Every statement of a version, in the order of its appendix B."""
    found: dict[str, list[Check]] = {}
    for kind in Kind:
        for check in checks(kind):
            if check.version == version:
                for one in check.statements:
                    found.setdefault(one, []).append(check)
    for statement in statements(version):
        one = statement["id"]
        yield Covered(statement, tuple(found.get(one, ())), REASONS[version].get(one, ""))
