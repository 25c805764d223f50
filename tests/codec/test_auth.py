"""AUTH, which exists in 5.0 only."""

from __future__ import annotations

import pytest
from hypothesis import given

from mqttws.codec import Auth, decode, encode
from mqttws.vocabulary import ReasonCode, Role
from tests.codec.checks import fault_of, own_fault
from tests.strategies import auths

_MORE = ReasonCode.CONTINUE_AUTHENTICATION


@pytest.mark.parametrize(
    ("wire", "packet"),
    [
        ("f0 00", Auth()),
        ("f0 06 18 04 15 0001 6d", Auth(_MORE, {"authentication_method": "m"})),
        ("f0 06 00 04 15 0001 6d", Auth(properties={"authentication_method": "m"})),
    ],
)
def test_vectors_in_both_directions(wire: str, packet: Auth) -> None:
    assert decode(bytes.fromhex(wire)) == packet
    assert encode(packet) == bytes.fromhex(wire)


@pytest.mark.parametrize("sender", [None, Role.CLIENT, Role.SERVER])
def test_what_we_write_we_read(sender: Role | None) -> None:
    @given(auths(5, sender))
    def holds(packet: Auth) -> None:
        assert decode(encode(packet), sender=sender) == packet

    holds()


def test_success_without_properties_has_a_longer_form_too() -> None:
    assert decode(b"\xf0\2\0\0", sender=Role.SERVER) == Auth()


def test_success_is_the_servers_to_say_and_re_authenticate_the_clients() -> None:
    assert fault_of("f0 00", sender=Role.CLIENT).statement == "MQTT-3.15.2-1"
    assert fault_of("f0 02 00 00", sender=Role.CLIENT).statement == "MQTT-3.15.2-1"
    assert fault_of("f0 06 19 04 15 0001 6d", sender=Role.SERVER).statement == "MQTT-3.15.2-1"
    assert decode(b"\xf0\0", sender=Role.SERVER) == Auth()


def test_a_step_needs_its_method() -> None:
    error = fault_of("f0 02 18 00")
    assert (error.field, error.reason_code) == ("authentication_method", ReasonCode.PROTOCOL_ERROR)
    assert own_fault(Auth(_MORE)).field == "authentication_method"


def test_a_code_outside_the_table_is_refused() -> None:
    assert fault_of("f0 06 01 04 15 0001 6d").statement == "MQTT-3.15.2-1"
    assert own_fault(Auth(ReasonCode.NOT_AUTHORIZED)).statement == "MQTT-3.15.2-1"


@pytest.mark.parametrize(
    ("wire", "field"), [("f0 07 18 04 15 0001 6d 00", "remaining_length"), ("f0 01 18", "properties")]
)
def test_what_does_not_fit_is_malformed(wire: str, field: str) -> None:
    assert fault_of(wire).field == field


def test_3_1_1_has_no_auth() -> None:
    error = own_fault(Auth(), 4)
    assert (error.field, error.message) == ("packet_type", "MQTT 3.1.1 has no AUTH")
    assert fault_of("f0 00", 4).field == "packet_type"
