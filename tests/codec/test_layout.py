"""The table of layouts is complete: every packet type, and nothing named twice."""

from __future__ import annotations

from mqttws.codec.layout import LAYOUTS, OTHER_BITS, PUBLISH_BITS
from mqttws.codec.properties import TABLE, WILL
from mqttws.vocabulary import PacketType


def test_every_packet_type_has_a_layout() -> None:
    assert set(LAYOUTS) == set(PacketType)


def test_every_place_of_the_table_of_properties_is_in_a_layout() -> None:
    places = {field.place for layout in LAYOUTS.values() for field in layout.fields if field.place is not None}
    assert places == {place for row in TABLE for place in row.senders}
    assert WILL in places


def test_bits_divide_their_byte() -> None:
    groups = [PUBLISH_BITS, OTHER_BITS]
    groups += [field.bits for layout in LAYOUTS.values() for field in (*layout.fields, *layout.repeated) if field.bits]
    for bits in groups:
        assert sum(mask for mask, _ in bits) == 0xFF


def test_in_one_version_no_name_occurs_twice() -> None:
    for layout in LAYOUTS.values():
        for version in (4, 5):
            names = [one.name for one in (*layout.fields, *layout.repeated) if version in one.versions]
            assert len(names) == len(set(names))
