"""Packets in the words of the vectors."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import decode
from mqttws.conformance import Vector, vectors
from mqttws.conformance.fields import differences, fields_of

VALID = [
    pytest.param(vector, id=vector["name"])
    for vector in vectors()
    if vector["kind"] == "packet" and vector["fields"] is not None and not vector.get("ambiguous", False)
]


@pytest.mark.parametrize("vector", VALID)
def test_every_valid_vector_gives_its_fields(vector: Vector) -> None:
    version = 5 if vector["version"] == "both" else vector["version"]
    fields = fields_of(decode(bytes.fromhex(vector["hex"]), version), version)
    assert fields == vector["fields"]
    assert differences(vector["fields"], fields) == []


@pytest.mark.parametrize(
    ("wanted", "found", "lines"),
    [
        ({"a": 1}, {"a": True}, []),
        ({"a": 1, "b": 2}, {"a": 1}, []),
        ({"a": 1}, {"a": 2, "c": 3}, ["a: 2, not 1"]),
        ({"type": "PUBLISH"}, {"type": "Publish"}, []),
        ({"type": "PUBLISH"}, {"type": "PUBACK"}, ["type: 'PUBACK', not 'PUBLISH'"]),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": 0}]}}, ["a.b[1].c: 0, not None"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a: [1, 2], not [1]"]),
        ({"a": [1]}, {"a": None}, ["a: None, not [1]"]),
    ],
)
def test_differences(wanted: Any, found: Any, lines: list[str]) -> None:
    assert differences(wanted, found) == lines
