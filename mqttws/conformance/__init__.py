"""What the standards ask for, as data: every numbered statement of both versions, and byte vectors that show them.

:func:`statements` gives the numbered statements of one version as paraphrases, :func:`vectors` packets, valid and not,
with the verdict that the standard gives and the fields that have to come out. An id alone says nothing: 121 of them
exist in both versions, and 54 of those mean different things.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Literal, NotRequired, TypedDict

from mqttws.vocabulary import ProtocolVersion

__all__ = ["Statement", "Vector", "rule_of", "statements", "vectors"]


class Statement(TypedDict):
    """One numbered normative statement of a standard, paraphrased."""

    id: str
    also_written: NotRequired[str]
    section: str
    applies_to: list[Literal["client", "server"]]
    layer: Literal["codec", "state", "broker", "transport", "application"]
    requirement: str
    violation_code: str | None  # what the standard itself asks for, None where it says nothing
    testable_from: list[Literal["bytes", "client-probe", "server-probe"]]
    v311: NotRequired[list[str]]  # in a statement of 5.0: related ones of 3.1.1
    v5: NotRequired[list[str]]  # and the other way round


class Vector(TypedDict):
    """Some bytes, and what is to be thought of them.

    ``kind`` says how much of a stream they are: one whole packet, a fixed header without its body, several packets with
    perhaps the beginning of another, or the beginning of a valid packet. Where the standard does not settle the matter,
    ``ambiguous`` is set and ``why`` says what is unclear; then ``valid`` counts neither for nor against anybody.
    """

    name: str
    category: str
    version: Literal[4, 5, "both"]
    direction: Literal["client", "server", "either"]  # who sends it
    kind: Literal["packet", "fixed_header", "stream", "partial"]
    hex: str
    valid: bool
    error: str | None
    reason_code: int | None
    accept_codes: NotRequired[list[int]]  # 5.0: every code that a conforming receiver may give
    code_stated: NotRequired[bool]
    statement: str | None  # in the numbering of ``version``
    fields: dict[str, Any] | None
    reencode: NotRequired[Literal["same", "same_up_to_property_order", "shorter"]]
    ambiguous: NotRequired[bool]
    why: NotRequired[str]
    note: NotRequired[str]


def _load(name: str) -> Any:
    return json.loads(resources.files(__name__).joinpath(name).read_text("utf-8"))


@cache
def statements(version: ProtocolVersion) -> tuple[Statement, ...]:
    """The numbered statements of one version, in the order of its appendix B."""
    return tuple(_load("mqtt5.json" if version == ProtocolVersion.V5 else "mqtt311.json"))


@cache
def _requirements(version: ProtocolVersion) -> dict[str, str]:
    return {statement["id"]: statement["requirement"] for statement in statements(version)}


def rule_of(statement: str, version: int) -> str | None:
    """What a numbered statement asks for, in our words; None for what is no statement of that version."""
    return _requirements(ProtocolVersion(version)).get(statement) if statement.startswith("MQTT-") else None


@cache
def vectors() -> tuple[Vector, ...]:
    """All byte vectors, of both versions. Every codec statement that one packet can show has at least one."""
    return tuple(_load("vectors.json"))
