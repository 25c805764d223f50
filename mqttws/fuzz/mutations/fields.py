"""Fields with values that they may not have: identifiers, Connect Flags, names and levels, Reason Codes."""

from __future__ import annotations

from typing import Final

from mqttws.fuzz.anatomy import Anatomy, Part, PropertyList
from mqttws.fuzz.mutations.registry import BROKEN, EITHER, MALFORMED, Breach, mutation, numbered
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import REASON_CODES, PacketType, Role

_P = PacketType
_REQUESTS: Final = (_P.PUBLISH, _P.SUBSCRIBE, _P.UNSUBSCRIBE)
_ANSWERS: Final = (_P.SUBACK, _P.UNSUBACK)
_ACKNOWLEDGEMENTS: Final = (_P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP)


@mutation(
    "packet-id-zero",
    "a Packet Identifier is not zero",
    packets=(*_REQUESTS, *_ANSWERS, *_ACKNOWLEDGEMENTS),
)
def packet_id_zero(_source: Source, anatomy: Anatomy) -> Breach | None:
    """Packet Identifier 0."""
    part = anatomy.part("packet_id")
    if part is None:
        return None
    part.data = b"\0\0"
    packet_type = anatomy.packet_type
    if packet_type in _ACKNOWLEDGEMENTS:
        statement = "MQTT-2.2.1-5"
    elif packet_type in _ANSWERS:
        statement = "MQTT-2.2.1-6"
    else:
        from_server = packet_type is _P.PUBLISH and anatomy.sender is Role.SERVER
        statement = "MQTT-2.2.1-4" if from_server else "MQTT-2.2.1-3"
    return Breach(numbered(statement, anatomy.version))


def _flags(anatomy: Anatomy) -> Part:
    part = anatomy.part("connect_flags")
    assert part is not None
    return part


def _set_flags(anatomy: Anatomy, bits: int, *, without: int = 0, needs: int = 0) -> Breach | None:
    """Set bits of the Connect Flags, if none of ``without`` is set and all of ``needs`` are."""
    part = _flags(anatomy)
    if part.data[0] & without or part.data[0] & needs != needs:
        return None
    part.data = bytes((part.data[0] | bits,))
    return BROKEN


@mutation(
    "connect-reserved-flag",
    "the reserved bit of the Connect Flags is 0",
    codes=MALFORMED,
    v5="MQTT-3.1.2-3",
    v3_1_1="MQTT-3.1.2-3",
    packets=[_P.CONNECT],
)
def connect_reserved_flag(_source: Source, anatomy: Anatomy) -> Breach | None:
    """Bit 0 of the Connect Flags."""
    return _set_flags(anatomy, 0x01)


@mutation(
    "will-qos-3",
    "the Will QoS is 0, 1 or 2",
    codes=MALFORMED,
    v5="MQTT-3.1.2-12",
    v3_1_1="MQTT-3.1.2-14",
    packets=[_P.CONNECT],
)
def will_qos_3(_source: Source, anatomy: Anatomy) -> Breach | None:
    """Both bits of the Will QoS, with a Will."""
    return _set_flags(anatomy, 0x18, needs=0x04)


@mutation(
    "will-qos-without-will",
    "the Will QoS is 0 without a Will",
    v5="MQTT-3.1.2-11",
    v3_1_1="MQTT-3.1.2-13",
    packets=[_P.CONNECT],
)
def will_qos_without_will(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Will QoS without a Will."""
    return _set_flags(anatomy, source.choice((0x08, 0x10, 0x18)), without=0x04)


@mutation(
    "will-retain-without-will",
    "Will Retain is 0 without a Will",
    v5="MQTT-3.1.2-13",
    v3_1_1="MQTT-3.1.2-15",
    packets=[_P.CONNECT],
)
def will_retain_without_will(_source: Source, anatomy: Anatomy) -> Breach | None:
    """Will Retain without a Will."""
    return _set_flags(anatomy, 0x20, without=0x04)


@mutation(
    "will-flag-without-will",
    "with the Will Flag the payload has the Will",
    v5="MQTT-3.1.2-9",
    v3_1_1="MQTT-3.1.2-9",
    packets=[_P.CONNECT],
)
def will_flag_without_will(_source: Source, anatomy: Anatomy) -> Breach | None:
    """The Will Flag in a CONNECT whose payload ends behind the Client Identifier."""
    return _set_flags(anatomy, 0x04, without=0xC4)


@mutation(
    "username-flag-without-username",
    "with the User Name Flag the payload has a User Name",
    v5="MQTT-3.1.2-17",
    v3_1_1="MQTT-3.1.2-19",
    packets=[_P.CONNECT],
)
def username_flag_without_username(_source: Source, anatomy: Anatomy) -> Breach | None:
    """The User Name Flag in a CONNECT that ends before the User Name."""
    return _set_flags(anatomy, 0x80, without=0xC0)


@mutation(
    "password-flag-without-password",
    "with the Password Flag the payload has a Password",
    v5="MQTT-3.1.2-19",
    v3_1_1="MQTT-3.1.2-21",
    packets=[_P.CONNECT],
)
def password_flag_without_password(_source: Source, anatomy: Anatomy) -> Breach | None:
    """The Password Flag in a CONNECT that ends before the Password."""
    return _set_flags(anatomy, 0x40, without=0x40, needs=0x80 if anatomy.version == 4 else 0)


@mutation(
    "password-without-username",
    "there is no Password without a User Name",
    v3_1_1="MQTT-3.1.2-22",
    versions=[4],
    packets=[_P.CONNECT],
)
def password_without_username(_source: Source, anatomy: Anatomy) -> Breach | None:
    """The Password Flag without the User Name Flag; 5.0 allows it."""
    if _flags(anatomy).data[0] & 0xC0:
        return None
    anatomy.parts.append(Part("password", None, b"\0\1p"))
    return _set_flags(anatomy, 0x40)


@mutation(
    "protocol-name",
    "the protocol name is MQTT",
    codes=EITHER | {0x84},
    v5="MQTT-3.1.2-1",
    v3_1_1="MQTT-3.1.2-1",
    packets=[_P.CONNECT],
)
def protocol_name(source: Source, anatomy: Anatomy) -> Breach:
    """Another protocol name."""
    part = anatomy.part("protocol_name")
    assert part is not None
    part.data = source.choice((b"HTTP", b"", b"mqtt", b"MQT", b"MQTTT", b"MQTT\0", b"MQTX"))
    return BROKEN


@mutation(
    "protocol-level",
    "the protocol level is one that the Server knows",
    codes=frozenset({0x84}),
    v5="MQTT-3.1.2-2",
    v3_1_1="MQTT-3.1.2-2",
    packets=[_P.CONNECT],
)
def protocol_level(source: Source, anatomy: Anatomy) -> Breach:
    """Another protocol level."""
    part = anatomy.part("version")
    assert part is not None
    part.data = source.choice((b"\x06", b"\0", b"\x01", b"\x02", b"\x07", b"\x7f", b"\xff"))
    return BROKEN


@mutation(
    "client-id-missing",
    "the payload begins with the Client Identifier",
    v5="MQTT-3.1.3-3",
    v3_1_1="MQTT-3.1.3-3",
    packets=[_P.CONNECT],
)
def client_id_missing(_source: Source, anatomy: Anatomy) -> Breach:
    """A CONNECT that ends before the Client Identifier."""
    index = next(index for index, part in enumerate(anatomy.parts) if part.name == "client_id")
    del anatomy.parts[index:]
    return BROKEN


@mutation(
    "client-id-empty",
    "an empty Client Identifier needs CleanSession 1",
    v3_1_1="MQTT-3.1.3-8",
    versions=[4],
    packets=[_P.CONNECT],
)
def client_id_empty(_source: Source, anatomy: Anatomy) -> Breach:
    """An empty Client Identifier with CleanSession 0; 5.0 allows it."""
    part, flags = anatomy.part("client_id"), _flags(anatomy)
    assert part is not None
    part.data = b""
    flags.data = bytes((flags.data[0] & ~0x02,))
    return BROKEN


@mutation("acknowledge-flags", "the reserved Connect Acknowledge Flags are 0", v5="MQTT-3.2.2-1", packets=[_P.CONNACK])
def acknowledge_flags(source: Source, anatomy: Anatomy) -> Breach:
    """A reserved bit beside Session Present."""
    part = anatomy.part("acknowledge_flags")
    assert part is not None
    part.data = bytes((part.data[0] | source.choice((0x02, 0x80, 0xFE)),))
    return BROKEN


@mutation(
    "session-present-with-refusal",
    "Session Present is 0 in a CONNACK that refuses",
    v5="MQTT-3.2.2-6",
    v3_1_1="MQTT-3.2.2-4",
    packets=[_P.CONNACK],
)
def session_present_with_refusal(source: Source, anatomy: Anatomy) -> Breach:
    """Session Present 1 beside a code that is not 0."""
    flags, code = anatomy.part("acknowledge_flags"), anatomy.part("reason_code")
    assert flags is not None
    assert code is not None
    flags.data = b"\x01"
    codes = [1, 2, 3, 4, 5] if anatomy.version == 4 else [*REASON_CODES[_P.CONNACK][Role.SERVER]][1:]
    code.data = bytes((source.choice(codes),))
    return BROKEN


#: The statement of 5.0 that asks for a Reason Code of the packet's table.
_CODES: Final = {
    _P.CONNACK: "MQTT-3.2.2-8",
    _P.PUBACK: "MQTT-3.4.2-1",
    _P.PUBREC: "MQTT-3.5.2-1",
    _P.PUBREL: "MQTT-3.6.2-1",
    _P.PUBCOMP: "MQTT-3.7.2-1",
    _P.SUBACK: "MQTT-3.9.3-2",
    _P.UNSUBACK: "MQTT-3.11.3-2",
    _P.DISCONNECT: "MQTT-3.14.2-1",
    _P.AUTH: "MQTT-3.15.2-1",
}


@mutation("reason-code-not-listed", "a Reason Code is one that its packet may carry", packets=_CODES)
def reason_code_not_listed(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Reason Code that neither end may send in this packet."""
    full_form(anatomy)
    codes = [part for part in anatomy.parts if isinstance(part, Part) and part.name in ("reason_code", "reason_codes")]
    if not codes:
        return None
    allowed = {code for by_code in REASON_CODES[anatomy.packet_type].values() for code in by_code}
    if anatomy.version == 4:
        allowed = {0, 1, 2, 3, 4, 5} if anatomy.packet_type is _P.CONNACK else {0x00, 0x01, 0x02, 0x80}
    source.choice(codes).data = bytes((source.choice([code for code in range(256) if code not in allowed]),))
    return Breach(numbered(_CODES[anatomy.packet_type], anatomy.version))


@mutation("reason-codes-missing", "SUBACK and UNSUBACK have a Reason Code for each Topic Filter", packets=_ANSWERS)
def reason_codes_missing(_source: Source, anatomy: Anatomy) -> Breach | None:
    """No Reason Code at all."""
    if not anatomy.parts[-1].repeats:
        return None  # UNSUBACK of 3.1.1 has none
    anatomy.parts = [part for part in anatomy.parts if not part.repeats]
    statement = "MQTT-3.8.4-6" if anatomy.packet_type is _P.SUBACK else "MQTT-3.11.3-2"
    return Breach(numbered(statement, anatomy.version))


def full_form(anatomy: Anatomy) -> None:
    """Say what a short packet of 5.0 leaves out at its end: a Reason Code of 0, and that there are no properties."""
    packet_type = anatomy.packet_type
    if anatomy.version == 5 and packet_type in (*_ACKNOWLEDGEMENTS, _P.DISCONNECT, _P.AUTH):
        if anatomy.part("reason_code") is None:
            anatomy.parts.append(Part("reason_code", None, b"\0"))
        if not anatomy.lists():
            anatomy.parts.append(PropertyList("properties", packet_type, []))
