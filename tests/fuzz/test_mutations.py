"""Mutations: each one breaks the rule it names, and our codec says so."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from mqttws.codec import Framer, Publish, decode, encode
from mqttws.conformance import statements
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.grammar import BUILDERS, packet, packet_types
from mqttws.fuzz.mutations import MUTATIONS, Malformed, every, spoil
from mqttws.fuzz.mutations.registry import BROKEN
from mqttws.fuzz.sources import RandomSource, ReplaySource
from mqttws.fuzz.strategies import malformed
from mqttws.vocabulary import PacketType, ProtocolVersion, Role

VERSIONS = pytest.mark.parametrize("version", [4, 5])


def refusal(case: Malformed) -> RemoteProtocolError:
    """What our codec says, which must be what the mutation says."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode(case.data, case.version, sender=case.sender)
    error = caught.value
    assert case.statement in (None, error.statement), case
    assert not case.codes or error.reason_code in case.codes, case
    return error


@VERSIONS
def test_every_mutation_of_every_packet_is_refused_for_its_reason(version: int) -> None:
    seen: Counter[str] = Counter()
    senders = (None, Role.CLIENT, Role.SERVER)
    kinds = [(kind, sender) for sender in senders for kind in packet_types(version, sender)]
    for seed, (kind, sender) in enumerate(kinds * 7):
        source = RandomSource(seed)
        for case in every(source, encode(BUILDERS[kind](source, version, sender), version), version, sender):
            refusal(case)
            seen[case.mutation] += 1
    assert set(seen) == {mutation.name for mutation in MUTATIONS.values() if version in mutation.statements}


@VERSIONS
def test_strategies_give_the_same_promise(version: int) -> None:
    @settings(max_examples=120)
    @given(malformed(version, debatable=True))
    def check(case: Malformed) -> None:
        refusal(case)

    check()


@VERSIONS
def test_a_framer_never_lets_a_spoiled_packet_pass(version: int) -> None:
    for seed in range(300):
        source = RandomSource(seed)
        sender = source.choice((Role.CLIENT, Role.SERVER))
        case = spoil(source, encode(packet(source, version, sender), version), version, sender)
        framer = Framer(version, sender=case.sender)
        framer.receive_data(case.data)
        try:
            assert list(framer.packets()) == []
            assert case.mutation in ("truncated", "remaining-length-longer")
            with pytest.raises(RemoteProtocolError):
                framer.receive_eof()
        except RemoteProtocolError:
            assert case.mutation != "truncated" or len(case.data) > 1


def test_each_row_tells_a_rule_and_statements_that_exist() -> None:
    numbers = {4: statements(ProtocolVersion.V3_1_1), 5: statements(ProtocolVersion.V5)}
    known = {version: {each["id"] for each in listed} for version, listed in numbers.items()}
    for name, mutation in MUTATIONS.items():
        assert mutation.name == name
        assert mutation.rule[0].islower() or mutation.rule[0] in "'DRNSWUAPC"
        assert mutation.codes
        for version, statement in mutation.statements.items():
            assert statement is None or statement in known[version], name


def test_a_mutation_that_does_not_fit_gives_nothing() -> None:
    pingreq = bytes.fromhex("c000")
    source = RandomSource(1)
    assert MUTATIONS["qos-3"](source, pingreq) is None
    assert MUTATIONS["cut-inside"](source, pingreq) is None
    assert MUTATIONS["truncated"](source, pingreq) is None
    assert MUTATIONS["property-twice"](source, bytes.fromhex("4002 0001"), 4) is None


def test_where_nothing_fits_the_packet_type_is_spoiled() -> None:
    fitting = [mutation.name for mutation in MUTATIONS.values() if mutation.applies_to(4, PacketType.PINGREQ)]
    cannot = fitting.index("truncated")
    case = spoil(ReplaySource([cannot] * 8), bytes.fromhex("c000"), 4)
    assert case.mutation == "type-reserved"
    assert BROKEN.statement is None


@pytest.mark.parametrize(
    ("name", "wire", "spoiled"),
    [
        ("packet-id-zero", "4002 0007", "4002 0000"),
        ("qos-3", "3204 0001 61 0001 00", "3604 0001 61 0001 00"),
        ("dup-at-qos-0", "3004 0001 61 00", "3804 0001 61 00"),
        ("connect-reserved-flag", "100d 00044d515454 05 02 0000 00 0000", "100d 00044d515454 05 03 0000 00 0000"),
        ("filters-missing", "8207 0001 00 0001 61 00", "8203 0001 00"),
        ("subscription-qos-3", "8207 0001 00 0001 61 01", "8207 0001 00 0001 61 03"),
        ("session-present-with-refusal", "2003 00 00 00", "2003 01 80 00"),
        ("property-length-missing", "2003 00 00 00", "2002 00 00"),
        ("text-with-null", "3004 0001 61 00", "3005 0002 0061 00"),
        ("text-length-past-end-by-one", "3004 0001 61 00", "3004 0003 61 00"),
    ],
)
def test_what_some_of_them_do(name: str, wire: str, spoiled: str) -> None:
    data = bytes.fromhex(wire)
    # lengths follow what was put in or taken out
    wire_length = len(data) - 2
    data = data[:1] + bytes([wire_length]) + data[2:]
    expected = bytes.fromhex(spoiled)
    expected = expected[:1] + bytes([len(expected) - 2]) + expected[2:]
    case = MUTATIONS[name](ReplaySource([]), data)
    assert case is not None
    assert case.data == expected


def test_direction_alone_can_be_the_fault() -> None:
    case = MUTATIONS["wrong-direction"](ReplaySource([]), bytes.fromhex("c000"), 5, Role.CLIENT)
    assert case is not None
    assert (case.data, case.sender) == (bytes.fromhex("c000"), Role.SERVER)
    assert refusal(case).field == "packet_type"


def test_a_length_that_needs_all_four_bytes_cannot_be_padded() -> None:
    data = encode(Publish("a", bytes(2_097_152)))
    assert MUTATIONS["remaining-length-padded"](ReplaySource([]), data) is None


def test_lengths_may_be_announced_in_five_bytes_or_padded() -> None:
    data = bytes.fromhex("3004 0001 61 00")
    five = MUTATIONS["remaining-length-5-bytes"](ReplaySource([]), data)
    padded = MUTATIONS["remaining-length-padded"](ReplaySource([]), data)
    assert five is not None
    assert padded is not None
    assert five.data[:6] == bytes.fromhex("30 84 80 80 80 00")
    assert padded.data[:3] == bytes.fromhex("30 84 00")
    assert padded.debatable
    assert (padded.statement, sorted(padded.codes)) == ("MQTT-1.5.5-1", [0x81, 0x82])
