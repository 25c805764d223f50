"""The words both versions share, and the table of Reason Codes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mqttws.conformance import vectors
from mqttws.vocabulary import (
    PACKET_TYPES,
    QOS,
    REASON_CODES,
    ConnectReturnCode,
    PacketType,
    ProtocolVersion,
    QoS,
    ReasonCode,
    RetainHandling,
    Role,
)


def test_the_values_are_those_on_the_wire() -> None:
    assert list(ProtocolVersion) == [4, 5]
    assert list(PacketType) == list(range(1, 16))
    assert list(QoS) == [0, 1, 2]
    assert list(RetainHandling) == [0, 1, 2]
    assert list(ConnectReturnCode) == list(range(6))


def test_each_end_has_a_peer() -> None:
    assert Role.CLIENT.peer is Role.SERVER
    assert Role.SERVER.peer is Role.CLIENT


def test_the_tables_give_members_by_value() -> None:
    assert tuple(QoS) == QOS
    assert PACKET_TYPES[0] is None
    assert all(PACKET_TYPES[member] is member for member in PacketType)


@pytest.mark.parametrize("packet_type", REASON_CODES)
def test_a_row_of_reason_codes_gives_members_by_value(packet_type: PacketType) -> None:
    by_role = REASON_CODES[packet_type]
    assert set(by_role) == set(Role)
    assert any(by_role.values())
    for codes in by_role.values():
        assert all(code is ReasonCode(value) for value, code in codes.items())


def _codes_in(vector: Any) -> set[int]:
    fields = vector["fields"]
    return {fields["reason_code"]} if "reason_code" in fields else set(fields["reason_codes"])


@pytest.mark.parametrize("packet_type", REASON_CODES)
def test_the_valid_vectors_use_codes_of_the_table_only(packet_type: PacketType) -> None:
    seen = set()
    for vector in vectors():
        if vector["version"] != 5 or not vector["valid"] or vector["kind"] != "packet":
            continue
        if vector["fields"] is not None and vector["fields"]["type"] == packet_type.name:
            senders = [role for role in Role if vector["direction"] in (role.value, "either")]
            for sender in senders:
                assert _codes_in(vector) <= set(REASON_CODES[packet_type][sender])
            seen |= _codes_in(vector)
    assert seen


def test_the_invalid_vectors_name_codes_outside_the_table() -> None:
    looked_at = 0
    for vector in vectors():
        found = re.match(r"v5_([a-z]+)_.*code_not_allowed_([0-9a-f]{2})$", vector["name"])
        if found:
            packet_type = PacketType[found[1].upper()]
            for role in Role:
                if vector["direction"] in (role.value, "either"):
                    assert int(found[2], 16) not in REASON_CODES[packet_type][role]
                    looked_at += 1
    assert looked_at > 30
