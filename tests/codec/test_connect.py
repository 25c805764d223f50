"""CONNECT, both versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from mqttws.codec import Connect, MalformedPacket, RemoteProtocolError, Will, decode, encode
from mqttws.vocabulary import QOS, ProtocolVersion, ReasonCode
from tests.codec.checks import fault_of, own_fault
from tests.strategies import connects

V4, V5 = ProtocolVersion.V3_1_1, ProtocolVersion.V5

VECTORS = [
    pytest.param("10 0e 0004 4d515454 05 02 003c 00 0001 63", Connect(V5, "c", True, 60), id="minimal"),
    pytest.param("10 0d 0004 4d515454 04 02 003c 0001 63", Connect(V4, "c", True, 60), id="minimal-v3.1.1"),
    pytest.param(
        "10 1a 0004 4d515454 05 ee 0000 00 0000 00 0001 77 0001 78 0001 75 0001 70",
        Connect(V5, "", True, 0, "u", b"p", Will("w", b"x", QOS[1], True)),
        id="everything",
    ),
    pytest.param(
        "10 19 0004 4d515454 04 d4 0000 0001 63 0001 77 0001 78 0001 75 0001 70",
        Connect(V4, "c", False, 0, "u", b"p", Will("w", b"x", QOS[2])),
        id="everything-v3.1.1",
    ),
]


@pytest.mark.parametrize(("wire", "packet"), VECTORS)
def test_vectors_in_both_directions(wire: str, packet: Connect) -> None:
    assert decode(bytes.fromhex(wire)) == packet
    assert encode(packet) == bytes.fromhex(wire)


@pytest.mark.parametrize("version", [4, 5])
def test_a_connect_decodes_and_encodes_as_the_version_it_says(version: int) -> None:
    @settings(max_examples=50)
    @given(connects(version))
    def holds(packet: Connect) -> None:
        for asked in (4, 5):
            assert decode(encode(packet, asked), asked) == packet

    holds()


@pytest.mark.parametrize("version", [4, 5])
def test_no_prefix_is_a_packet(version: int) -> None:
    @settings(max_examples=50)
    @given(connects(version))
    def holds(packet: Connect) -> None:
        frame = encode(packet)
        for cut in range(len(frame)):
            with pytest.raises(MalformedPacket):
                decode(frame[:cut], version)

    holds()


@pytest.mark.parametrize("version", [4, 5])
def test_a_body_cut_short_is_malformed_and_nothing_else(version: int) -> None:
    @settings(max_examples=50)
    @given(connects(version))
    def holds(packet: Connect) -> None:
        frame = encode(packet)
        body = frame[len(frame) - _body_length(frame) :]
        for cut in range(min(len(body), 120)):
            with pytest.raises(MalformedPacket):
                decode(bytes([0x10, cut]) + body[:cut], version)

    holds()


def _body_length(frame: bytes) -> int:
    header = 2
    while frame[header - 1] >= 0x80:
        header += 1
    return len(frame) - header


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Connect(username="u", password=b"secret"))


@pytest.mark.parametrize(
    ("wire", "statement", "version"),
    [
        ("10 0e 0004 48545450 05 02 0000 00 0001 63", "MQTT-3.1.2-1", V5),
        ("10 0d 0004 48545450 04 02 0000 0001 63", "MQTT-3.1.2-1", V4),
        ("10 06 0004 48545450", "MQTT-3.1.2-1", V4),
        ("10 0f 0006 4d5149736470 03 02 0000 0001 63", "MQTT-3.1.2-1", V4),
        ("10 0e 0004 4d515454 06 02 0000 00 0001 63", "MQTT-3.1.2-2", V5),
        ("10 0d 0004 4d515454 03 02 0000 0001 63", "MQTT-3.1.2-2", V4),
        ("10 0d 0004 4d515454 84 02 0000 0001 63", "MQTT-3.1.2-2", V5),
    ],
)
def test_another_protocol_is_unsupported_and_answered_in_the_nearest_version(
    wire: str, statement: str, version: ProtocolVersion
) -> None:
    error = fault_of(wire)
    assert error.reason_code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION
    assert (error.statement, error.version) == (statement, version)
    assert error.field == ("protocol_name" if statement == "MQTT-3.1.2-1" else "version")
    assert not isinstance(error, MalformedPacket)


def _connect(version: int, flags: int, payload: str, properties: str = "00") -> str:
    body = f"0004 4d515454 {version:02x} {flags:02x} 0000 {properties if version == 5 else ''} {payload}"
    return f"10 {len(bytes.fromhex(body)):02x} {body}"


@pytest.mark.parametrize(
    ("version", "flags", "payload", "field", "statement"),
    [
        (5, 0x03, "0001 63", "connect_flags", "MQTT-3.1.2-3"),
        (4, 0x03, "0001 63", "connect_flags", "MQTT-3.1.2-3"),
        (5, 0x1E, "0001 63 00 0001 77 0000", "connect_flags", "MQTT-3.1.2-12"),
        (4, 0x1E, "0001 63 0001 77 0000", "connect_flags", "MQTT-3.1.2-14"),
        (5, 0x0A, "0001 63", "connect_flags", "MQTT-3.1.2-11"),
        (4, 0x0A, "0001 63", "connect_flags", "MQTT-3.1.2-13"),
        (5, 0x22, "0001 63", "connect_flags", "MQTT-3.1.2-13"),
        (4, 0x22, "0001 63", "connect_flags", "MQTT-3.1.2-15"),
        (4, 0x42, "0001 63 0001 70", "connect_flags", "MQTT-3.1.2-22"),
        (5, 0x02, "", "client_id", "MQTT-3.1.3-3"),
        (4, 0x02, "", "client_id", "MQTT-3.1.3-3"),
        (5, 0x02, "0002 63", "client_id", "MQTT-3.1.4-1"),
        (5, 0x06, "0001 63", "will", "MQTT-3.1.2-9"),
        (5, 0x06, "0001 63 00", "will.topic", "MQTT-3.1.2-9"),
        (5, 0x06, "0001 63 00 0001 77", "will.payload", "MQTT-3.1.2-9"),
        (4, 0x06, "0001 63", "will", "MQTT-3.1.2-9"),
        (4, 0x06, "0001 63 0001 77", "will.payload", "MQTT-3.1.2-9"),
        (5, 0x82, "0001 63", "username", "MQTT-3.1.2-17"),
        (4, 0x82, "0001 63", "username", "MQTT-3.1.2-19"),
        (5, 0xC2, "0001 63 0001 75", "password", "MQTT-3.1.2-19"),
        (4, 0xC2, "0001 63 0001 75", "password", "MQTT-3.1.2-21"),
        (5, 0x02, "0001 63 00", "remaining_length", "MQTT-3.1.4-1"),
        (5, 0x02, "0001 63 0001 75", "remaining_length", "MQTT-3.1.2-16"),
        (5, 0x82, "0001 63 0001 75 0001 70", "remaining_length", "MQTT-3.1.2-18"),
        (5, 0x02, "0001 63 0000", "remaining_length", "MQTT-3.1.2-16"),
        (4, 0x82, "0001 63 0001 75 0001 70", "remaining_length", "MQTT-3.1.2-20"),
        (5, 0xC2, "0001 63 0001 75 0001 70 0000", "remaining_length", "MQTT-3.1.4-1"),
        (5, 0x02, "0001 ff", "client_id", "MQTT-3.1.3-4"),
        (5, 0x82, "0001 63 0001 ff", "username", "MQTT-3.1.3-12"),
        (4, 0x82, "0001 63 0001 ff", "username", "MQTT-3.1.3-11"),
        (5, 0x06, "0001 63 00 0001 ff 0000", "will.topic", "MQTT-3.1.3-11"),
        (4, 0x06, "0001 63 0001 ff 0000", "will.topic", "MQTT-3.1.3-10"),
    ],
)
def test_a_connect_that_does_not_fit_the_format_is_malformed(
    version: int, flags: int, payload: str, field: str, statement: str
) -> None:
    error = fault_of(_connect(version, flags, payload))
    assert isinstance(error, MalformedPacket)
    assert (error.field, error.statement, error.version) == (field, statement, version)


def test_a_long_user_name_that_a_flag_denies_is_told_from_bytes_left_over() -> None:
    data = bytearray(encode(Connect(V5, "c", username="u" * 300)))
    flags = data.index(0x82)
    data[flags] &= 0x7F
    assert fault_of(data.hex()).statement == "MQTT-3.1.2-16"


@pytest.mark.parametrize("version", ProtocolVersion)
def test_a_new_session_is_begun_unless_the_client_says_otherwise(version: ProtocolVersion) -> None:
    plain = Connect(version, "c")
    assert plain == Connect(version, "c", True, 0, None, None, None, {})
    assert encode(plain) == bytes.fromhex(_connect(version, 0x02, "0001 63"))
    anonymous = Connect(version)
    assert anonymous == Connect(version, "", True, 0, None, None, None, {})
    assert decode(encode(anonymous)) == anonymous
    assert Will("w") == Will("w", b"", QOS[0], False, {})


@pytest.mark.parametrize(
    ("version", "topic", "statement"),
    [(5, "23", "MQTT-4.7.0-1"), (4, "2b", "MQTT-4.7.1-1"), (5, "", "MQTT-4.7.3-1"), (5, "00", "MQTT-4.7.3-2")],
)
def test_a_will_topic_is_a_topic_name(version: int, topic: str, statement: str) -> None:
    length = len(bytes.fromhex(topic))
    payload = f"0001 63 {'00' if version == 5 else ''} {length:04x} {topic} 0000"
    error = fault_of(_connect(version, 0x06, payload))
    assert (error.field, error.statement) == ("will.topic", statement)
    will = Will(bytes.fromhex(topic).decode())
    own = own_fault(Connect(ProtocolVersion(version), "c", will=will))
    assert (own.field, own.statement) == ("will.topic", statement)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "protocol_name"),
        ("00", "protocol_name"),
        ("0004 4d5154", "protocol_name"),
        ("0004 4d515454", "version"),
        ("0004 4d515454 05", "connect_flags"),
        ("0004 4d515454 05 02", "keep_alive"),
        ("0004 4d515454 05 02 003c", "properties"),
        ("0004 4d515454 05 06 003c 00 0001 63 00 0001 77 0002 78", "will.payload"),
    ],
)
def test_a_beginning_alone_is_malformed(body: str, field: str) -> None:
    error = fault_of(f"10 {len(bytes.fromhex(body)):02x} {body}")
    assert (error.field, error.reason_code) == (field, ReasonCode.MALFORMED_PACKET)
    assert error.statement == ("MQTT-2.2.2-1" if field == "properties" else "MQTT-3.1.4-1")


def test_an_empty_client_identifier_needs_a_clean_session_in_3_1_1() -> None:
    error = fault_of(_connect(4, 0x00, "0000"))
    assert (error.reason_code, error.statement) == (ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "MQTT-3.1.3-8")
    assert (error.field, error.offset) == ("client_id", 12)
    own = own_fault(Connect(V4, "", clean_start=False))
    assert (own.statement, own.field) == ("MQTT-3.1.3-7", "client_id")
    assert decode(bytes.fromhex(_connect(5, 0x00, "0000"))) == Connect(V5, "", clean_start=False)


def test_authentication_data_needs_a_method() -> None:
    error = fault_of(_connect(5, 0x02, "0001 63", "04 16 0001 78"))
    assert (error.reason_code, error.field) == (ReasonCode.PROTOCOL_ERROR, "authentication_data")
    assert own_fault(Connect(properties={"authentication_data": b"x"})).field == "authentication_data"


@pytest.mark.parametrize(
    ("packet", "field", "statement"),
    [
        (Connect(V4, "c", properties={"receive_maximum": 1}), "properties", None),
        (Connect(V4, "c", will=Will("w", properties={"will_delay_interval": 1})), "properties", None),
        (Connect(V4, "c", password=b"p"), "password", "MQTT-3.1.2-22"),
        (Connect(V5, "c", will=Will("w", b"", 3)), "will.qos", "MQTT-3.1.2-12"),  # type: ignore[arg-type] # on purpose
        (Connect(V4, "c", will=Will("w", b"", 3)), "will.qos", "MQTT-3.1.2-14"),  # type: ignore[arg-type] # on purpose
        (Connect(6, "c"), "version", "MQTT-3.1.2-2"),  # type: ignore[arg-type] # on purpose
        (Connect(V5, "c", will=Will("w", bytes(65_536))), "will.payload", None),
        (Connect(V5, "c", keep_alive=65_536), "keep_alive", None),
        (Connect(V4, "c", keep_alive=-1), "keep_alive", None),
        (Connect(V5, "\0"), "client_id", "MQTT-1.5.4-2"),
        (Connect(V4, "\0"), "client_id", "MQTT-1.5.3-2"),
        (Connect(V5, "c", username="\0"), "username", "MQTT-1.5.4-2"),
        (Connect(V5, "c", password=bytes(65_536)), "password", None),
    ],
)
def test_what_no_server_may_get_is_not_written(packet: Any, field: str, statement: str | None) -> None:
    error = own_fault(packet)
    assert (error.field, error.statement) == (field, statement)
    assert field != "properties" or error.message == "MQTT 3.1.1 has no properties"


def test_an_error_behind_the_level_carries_its_version() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(bytes.fromhex(_connect(4, 0x03, "0001 63")), 5)
    assert caught.value.version is V4


def test_a_protocol_name_that_runs_past_the_end_is_named() -> None:
    error = fault_of("10 05 00ff 4d5154")
    assert (error.field, error.offset) == ("protocol_name", 2)
