"""The statements and vectors that the package carries."""

from __future__ import annotations

from collections import Counter

from mqttws.conformance import statements, vectors
from mqttws.vocabulary import ProtocolVersion

_BY_VERSION = {4: statements(ProtocolVersion.V3_1_1), 5: statements(ProtocolVersion.V5)}


def test_all_statements_of_both_standards_are_there_once() -> None:
    assert {version: len(listed) for version, listed in _BY_VERSION.items()} == {4: 141, 5: 251}
    for listed in _BY_VERSION.values():
        assert max(Counter(one["id"] for one in listed).values()) == 1


def test_related_statements_exist_in_the_other_version() -> None:
    ids = {version: {one["id"] for one in listed} for version, listed in _BY_VERSION.items()}
    assert {other for one in _BY_VERSION[5] for other in one["v311"]} <= ids[4]
    assert {other for one in _BY_VERSION[4] for other in one["v5"]} <= ids[5]


def test_all_vectors_are_there_once_and_cite_statements_of_their_version() -> None:
    assert len(vectors()) == len({vector["name"] for vector in vectors()}) == 758
    for vector in vectors():
        assert len(bytes.fromhex(vector["hex"])) > 0
        if vector["statement"] is not None:
            assert vector["version"] != "both"
            assert vector["statement"] in {one["id"] for one in _BY_VERSION[vector["version"]]}


def test_every_codec_statement_that_one_packet_can_show_has_a_vector() -> None:
    for version, listed in _BY_VERSION.items():
        shown = {vector["statement"] for vector in vectors() if vector["version"] == version}
        codec = {one["id"] for one in listed if one["layer"] == "codec"}
        assert len(codec - shown) == 3
