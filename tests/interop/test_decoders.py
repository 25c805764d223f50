"""The differential runner with the decoders of other projects, as they are published."""

from __future__ import annotations

import json
from contextlib import closing
from importlib import metadata

import pytest

from mqttws.cli import main
from mqttws.conformance.codec import Taken
from mqttws.fuzz.adapters.peers import PEERS, decoder_of
from mqttws.vocabulary import Role
from tests.interop.counterparts import find_node_packages, need


@pytest.mark.parametrize("name", PEERS)
def test_a_known_decoder_takes_what_is_good_and_not_what_is_cut_off(name: str) -> None:
    need("decoders")
    peer = PEERS[name]
    assert peer.release() == metadata.version(peer.distribution)
    for version in peer.versions:
        with closing(decoder_of(name, version, Role.SERVER)) as decoder:
            wire = "3005 0001 61 00 78" if version == 5 else "3004 0001 61 78"
            assert decoder.decode(bytes.fromhex(wire), version, Role.SERVER).taken is Taken.ACCEPTED
            assert decoder.decode(b"\x30\x7f\0", version, Role.SERVER).taken is Taken.REFUSED


@pytest.mark.whole
def test_all_of_them_answer_to_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    need("decoders")
    need("mqttjs")
    main(["fuzz", "diff", "--count", "200", "--json", "--node-folder", str(find_node_packages())])
    matrix = json.loads(capsys.readouterr().out)
    assert not matrix["absent"]
    columns = {column["name"].split()[0]: column for column in matrix["decoders"]}
    assert set(columns) == {"mqttws", "mqtt-packet", *PEERS}
    assert not columns["mqttws"]["wrong"]
    assert all(sum(column["asked"].values()) > sum(column["wrong"].values()) for column in columns.values())
