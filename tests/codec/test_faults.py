"""Statements in the numbering of the version in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mqttws.codec
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
