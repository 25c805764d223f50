"""Statements in the numbering of the version in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mqttws.codec
from mqttws.codec import decode
from mqttws.codec.faults import IN_3_1_1
from mqttws.conformance import statements
from mqttws.topics import __file__ as topics_file
from mqttws.vocabulary import ProtocolVersion
from tests.codec.checks import fault_of

_5_0 = {statement["id"]: statement for statement in statements(ProtocolVersion.V5)}
_3_1_1 = {statement["id"]: statement for statement in statements(ProtocolVersion.V3_1_1)}

_SOURCES = [*Path(mqttws.codec.__file__).parent.glob("*.py"), Path(topics_file)]


@pytest.mark.parametrize(("v5", "v3_1_1"), IN_3_1_1.items())
def test_a_translation_names_a_related_statement(v5: str, v3_1_1: str) -> None:
    assert v5 in _5_0
    assert v3_1_1 in _3_1_1
    assert v3_1_1 in _5_0[v5]["v311"] or v5 in _3_1_1[v3_1_1]["v5"]


def test_every_statement_cited_in_an_error_exists() -> None:
    cited = {
        statement
        for path in _SOURCES
        for statement in re.findall(r'"(MQTT-[\d.]+-\d+)"', path.read_text(encoding="utf-8"))
    }
    assert len(cited) > 60
    assert cited <= set(_5_0) | set(_3_1_1)


def test_every_codec_statement_of_5_0_that_bytes_can_break_is_cited() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in _SOURCES)
    codec = {name for name, one in _5_0.items() if one["layer"] == "codec"}
    unbreakable = {
        "MQTT-1.5.4-3",  # U+FEFF is kept: nothing to refuse
        "MQTT-3.1.2-16",  # a field without its flag shows as bytes behind the last field, MQTT-3.1.4-1
        "MQTT-3.1.2-18",
        "MQTT-3.1.3-1",  # an order cannot be seen in the bytes
        "MQTT-4.3.1-1",  # the same as MQTT-3.3.1-2
    }
    assert {name for name in codec if name not in text} <= unbreakable


def test_one_rule_has_two_numbers() -> None:
    assert fault_of("c2 00", 5).statement == "MQTT-2.1.3-1"
    assert fault_of("c2 00", 4).statement == "MQTT-2.2.2-1"


def test_a_rule_without_number_in_3_1_1_cites_nothing() -> None:
    assert fault_of("20 02 02 00", 4).statement is None
    assert fault_of("20 03 02 00 00", 5).statement == "MQTT-3.2.2-1"


@pytest.mark.parametrize(("count", "words"), [(1, "1 byte"), (3, "3 bytes")])
@pytest.mark.parametrize(
    ("version", "whole"),
    [
        (5, "10 0e 0004 4d515454 05 02 003c 00 0001 63"),
        (4, "10 0d 0004 4d515454 04 02 003c 0001 63"),
        (5, "20 03 00 00 00"),
        (4, "20 02 00 00"),
        (5, "40 04 0001 00 00"),
        (4, "40 02 0001"),
        (5, "62 04 0001 00 00"),
        (4, "62 02 0001"),
        (4, "b0 02 0001"),
        (5, "c0 00"),
        (4, "d0 00"),
        (5, "e0 02 00 00"),
        (4, "e0 00"),
        (5, "f0 06 18 04 15 0001 6d"),
    ],
)
def test_bytes_behind_the_last_field_are_counted_and_found(version: int, whole: str, count: int, words: str) -> None:
    data = bytearray.fromhex(whole)
    assert decode(bytes(data), version) is not None  # nothing wrong so far
    end = len(data)
    data[1] += count
    error = fault_of((data + b"\xff" * count).hex(), version)
    assert error.message == f"{words} behind the last field"
    assert (error.field, error.offset) == ("remaining_length", end)
