"""Which statements the packets of a run exercise: kept by what is read and written, broken by what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mqttws.codec import (
    Checks,
    ConnAck,
    Connect,
    Framer,
    PubAck,
    Publish,
    RawPacket,
    Subscribe,
    Subscription,
    Will,
    decode,
    dispatch,
    encode,
)
from mqttws.conformance.check import numbered
from mqttws.conformance.exercised import Exercised
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.vocabulary import ProtocolVersion, Role


@pytest.fixture
def exercised() -> Iterator[Exercised]:
    counting = Exercised()
    counting.install()
    yield counting
    counting.uninstall()


def test_what_is_not_installed_changes_nothing() -> None:
    def state() -> list[object]:
        return [dict(dispatch._ENCODERS[5]), dict(dispatch.DECODERS[4]), dict(dispatch._ANYBODY), dict(vars(dispatch))]

    before = state()
    counting = Exercised()
    counting.install()
    assert all(now != then for now, then in zip(state(), before, strict=True))
    counting.uninstall()
    assert state() == before
    encode(Publish("a"))
    assert counting.counts == {}


def test_a_packet_shows_the_rules_that_it_might_have_broken(exercised: Exercised) -> None:
    data = encode(Connect(client_id="a"))
    assert "MQTT-3.1.2-11" in exercised.statements(5, "written")  # Will QoS without a Will
    assert "MQTT-3.1.2-12" not in exercised.statements(5)  # Will QoS of a Will
    decode(data)
    assert exercised.statements(5, "read") == exercised.statements(5, "written")
    encode(Connect(client_id="a", will=Will("w")))
    assert "MQTT-3.1.2-12" in exercised.statements(5, "written")
    assert exercised.statements(4) == set()


def test_a_connect_counts_in_the_version_that_it_says(exercised: Exercised) -> None:
    decode(encode(Connect(ProtocolVersion.V3_1_1, client_id="a")), 5)
    assert exercised.statements(5) == set()
    assert "MQTT-3.1.2-13" in exercised.statements(4, "read")


@pytest.mark.parametrize(("sender", "shows"), [(Role.CLIENT, True), (Role.SERVER, False), (None, False)])
def test_what_only_one_end_must_not_send_counts_only_from_there(
    exercised: Exercised, sender: Role | None, shows: bool
) -> None:
    """A Client sends no Subscription Identifier in a PUBLISH; a Server may."""
    decode(bytes.fromhex("30 05 0001 61 00 78"), sender=sender)
    assert ("MQTT-3.3.4-6" in exercised.statements(5)) is shows
    assert "MQTT-3.3.1-4" in exercised.statements(5)


def test_frames_of_a_stream_count_and_so_does_what_ends_it(exercised: Exercised) -> None:
    framer = Framer(5, sender=Role.SERVER)
    framer.receive_data(bytes.fromhex("40 02 0001 60 02 0001"))
    packets = framer.packets()
    assert next(packets) == PubAck(1)
    assert exercised.statements(5, "read") == {"MQTT-3.4.2-1"}
    with pytest.raises(RemoteProtocolError):
        next(packets)
    assert exercised.counts[5, "MQTT-3.6.1-1", "refused"] == 1


def test_what_is_refused_counts_in_its_versions_number(exercised: Exercised) -> None:
    for version in (4, 5):
        with pytest.raises(RemoteProtocolError):
            decode(bytes.fromhex("82 05 0001 0000 00") if version == 4 else bytes.fromhex("82 02 0001"), version)
        with pytest.raises(LocalProtocolError):
            encode(Publish("a/#"), version)
    assert exercised.statements(4, "refused") == {"MQTT-4.7.3-1", "MQTT-3.3.2-2"}
    assert "MQTT-3.3.2-2" in exercised.statements(5, "refused")


def test_what_is_let_pass_unread_is_judged_all_the_same(exercised: Exercised) -> None:
    assert isinstance(decode(bytes.fromhex("36 06 0001 61 0001 00"), checks=Checks.LENIENT), RawPacket)
    assert exercised.statements(5, "refused") == {"MQTT-3.3.1-4"}


def test_filters_and_refusals_show_what_is_special_about_them(exercised: Exercised) -> None:
    encode(Subscribe(1, [Subscription("a/+"), Subscription("$share/g/#")]))
    encode(ConnAck(reason_code=0x87))
    assert {"MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-4.8.2-1", "MQTT-3.2.2-6"} <= exercised.statements(5, "written")


def test_a_rule_without_a_number_does_not_count(exercised: Exercised) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(b"\0\0")
    assert exercised.counts == {}


def test_counts_of_another_process_are_added(exercised: Exercised) -> None:
    encode(Publish("a"))
    other = Exercised()
    other.add(exercised.dump())
    other.add(exercised.dump())
    assert other.counts == {key: 2 * count for key, count in exercised.counts.items()}


def test_people_are_told_what_is_missing(exercised: Exercised) -> None:
    encode(Publish("a"))
    lines = list(exercised.lines())
    assert lines[0].startswith(f"MQTT 5.0: {len(exercised.statements(5))} of the ")
    assert "by packets read" in lines[0]
    told = " ".join(lines[1:-1])
    assert "MQTT-3.1.2-9" in told
    assert "MQTT-3.3.1-4" not in told
    assert lines[-1] == "MQTT 3.1.1: no packet has passed through the codec"


def test_verbose_has_a_line_for_each(exercised: Exercised) -> None:
    encode(Publish("a"))
    lines = list(exercised.lines(verbose=True))
    assert "  MQTT-3.3.1-4   read 0  written 1  refused 0" in lines
    assert len(lines) == len(exercised.possible(5)) + 2


@pytest.mark.parametrize("version", list(ProtocolVersion))
def test_what_is_possible_are_statements_of_the_version(version: ProtocolVersion) -> None:
    possible = Exercised().possible(version)
    assert set(possible) <= numbered(version).keys()
    assert len(possible) > 50
