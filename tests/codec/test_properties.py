"""THE table of properties, and the TypedDicts that repeat it for the type checker."""

from __future__ import annotations

from types import GenericAlias
from typing import Any, get_type_hints

import pytest

from mqttws.codec import properties
from mqttws.codec.properties import TABLE, WILL, Place, Property, WireType
from mqttws.vocabulary import PacketType

_TYPED_DICTS: dict[Place, Any] = {
    PacketType.CONNECT: properties.ConnectProperties,
    WILL: properties.WillProperties,
    PacketType.CONNACK: properties.ConnAckProperties,
    PacketType.PUBLISH: properties.PublishProperties,
    PacketType.PUBACK: properties.AckProperties,
    PacketType.PUBREC: properties.AckProperties,
    PacketType.PUBREL: properties.AckProperties,
    PacketType.PUBCOMP: properties.AckProperties,
    PacketType.SUBSCRIBE: properties.SubscribeProperties,
    PacketType.SUBACK: properties.SubAckProperties,
    PacketType.UNSUBSCRIBE: properties.UnsubscribeProperties,
    PacketType.UNSUBACK: properties.UnsubAckProperties,
    PacketType.DISCONNECT: properties.DisconnectProperties,
    PacketType.AUTH: properties.AuthProperties,
}
_TYPES: dict[WireType, Any] = {
    WireType.U8: int,
    WireType.U16: int,
    WireType.U32: int,
    WireType.VARINT: int,
    WireType.UTF8: str,
    WireType.TOPIC: str,
    WireType.BINARY: bytes,
    WireType.PAIR: tuple[str, str],
}


def test_the_table_has_the_27_properties_of_the_standard_once_each() -> None:
    assert len(TABLE) == 27
    assert len({row.identifier for row in TABLE}) == 27
    assert len({row.name for row in TABLE}) == 27
    assert [row.identifier for row in TABLE] == sorted(row.identifier for row in TABLE)


@pytest.mark.parametrize("place", _TYPED_DICTS, ids=str)
def test_a_typed_dict_says_what_the_table_says(place: Place) -> None:
    rows = [row for row in TABLE if place in row.senders]
    expected = {}
    for row in rows:
        kind = _TYPES[row.wire_type]
        expected[row.name] = GenericAlias(list, (kind,)) if place in row.many else kind
    assert get_type_hints(_TYPED_DICTS[place]) == expected


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_is_consistent(row: Property) -> None:
    assert 0 < row.identifier < 0x80
    assert set(row.many) <= set(row.senders)
    assert all(row.senders.values())
    assert row.wire_type not in (WireType.U8, WireType.VARINT) or row.least or row.most
    assert set(row.senders) <= set(_TYPED_DICTS)


def test_the_user_property_may_stand_everywhere_and_often() -> None:
    (row,) = (row for row in TABLE if row.name == "user_property")
    assert set(row.senders) == set(row.many) == set(_TYPED_DICTS)
