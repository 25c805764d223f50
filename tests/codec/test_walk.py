"""The rows of packets against the packets themselves: for whatever ``decode`` takes, and for whatever it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqttws.codec import Auth, Connect, Packet, PacketNotes, Publish, RemoteProtocolError, Will, decode, dissect, encode
from mqttws.conformance import vectors
from mqttws.notes import Note
from mqttws.redaction import REDACTED
from mqttws.vocabulary import QoS
from tests.strategies import packets

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2ln"

#: Rows that are no attribute of a packet: the bytes that hold flags, lengths, and what is the same in every packet.
FRAME = {
    "first_byte", "packet_type", "flags", "remaining_length", "protocol_name", "connect_flags", "user_name_flag",
    "password_flag", "will_flag", "reserved", "acknowledge_flags", "properties", "will.properties", "options",
    "requested_qos",
}  # fmt: skip
#: What a 3.1.1 packet does not say.
FOR_5_0 = ("no_local", "retain_as_published", "retain_handling")


def rows(notes: Sequence[Note]) -> Iterator[Note]:
    """The rows of whole bytes."""
    return (note for note in notes if not note.mask)


def cover(section: PacketNotes) -> None:
    """Each byte has one row, and each bit of a byte that is divided one part."""
    position = section.offset
    divided: dict[int, list[int]] = {}
    for note in section.notes:
        if note.mask:
            assert (note.size, len(note.data)) == (1, 1)
            divided.setdefault(note.offset, []).append(note.mask)
        else:
            assert note.offset == position
            assert note.secret or len(note.data) == note.size
            position += note.size
    assert position == section.offset + section.size
    for masks in divided.values():
        assert sum(masks) == 0xFF
        assert not any(one & other for one in masks for other in masks if one is not other)


def attribute(packet: Packet, path: str) -> Any:
    """What a path leads to."""
    value: Any = packet
    for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
        if index:
            value = value[int(index)]
    return value


def leaves(packet: Any, prefix: str = "") -> Iterator[str]:
    """The paths of everything that a packet holds."""
    for name in packet if isinstance(packet, dict) else [one.name for one in fields(packet)]:
        value = packet[name] if isinstance(packet, dict) else getattr(packet, name)
        path = f"{prefix}{name}"
        if isinstance(value, dict | Will):
            yield from leaves(value, f"{path}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, int | str | tuple):
                    yield f"{path}[{index}]"
                else:
                    yield from leaves(item, f"{path}[{index}].")
        elif value is not None:
            yield path


def verdict_of(data: bytes, version: int) -> tuple[Packet | None, RemoteProtocolError | None]:
    """What ``decode`` says."""
    try:
        return decode(data, version), None
    except RemoteProtocolError as error:
        return None, error


any_packets = st.sampled_from([4, 5]).flatmap(lambda version: st.tuples(st.just(version), packets(version)))


@given(any_packets)
@settings(max_examples=60)
@example((5, Connect(client_id="c", will=Will("a", b"x", QoS.EXACTLY_ONCE, retain=True), username="u", password=b"p")))
@example((5, Publish("a", properties={"subscription_identifier": [1, 300, 268_435_455]})))
@example((5, Publish("a", properties={"content_type": "x" * 300})))
def test_the_rows_have_the_values_that_decode_gives(case: tuple[int, Packet]) -> None:
    version, packet = case
    (section,) = dissect(encode(packet, version), version, show_secrets=True)
    cover(section)
    assert (section.verdict, section.packet, section.error) == ("valid", packet, None)
    named = set()
    for note in section.notes:
        if isinstance(packet, Connect) and packet.will is None and note.field in ("will.qos", "will.retain"):
            assert note.value == 0
        elif note.field not in FRAME and not note.is_called("options") and not note.is_called("requested_qos"):
            assert note.value == attribute(packet, note.field), note.field
            named.add(note.field)
    left_out = {path.rpartition(".")[2] for path in leaves(packet) if path not in named}
    assert left_out <= ({"reason_code"} if version == 5 else {"reason_code", *FOR_5_0})
    for prefix in ("properties", "will.properties"):
        size = sum(note.size for note in rows(section.notes) if note.field.startswith(f"{prefix}."))
        assert [note.value for note in section.notes if note.field == prefix] in ([size], [])


@given(any_packets, st.integers(0, 10_000), st.data())
@settings(max_examples=60)
def test_a_spoiled_packet_is_covered_too_and_judged_by_decode(
    case: tuple[int, Packet], place: int, data: st.DataObject
) -> None:
    version, packet = case
    spoiled = bytearray(encode(packet, version))
    spoiled[place % len(spoiled)] = data.draw(st.integers(0, 255))
    position = 0
    for section in dissect(bytes(spoiled), version):
        cover(section)
        assert section.offset == position
        position += section.size
        judged = bytes(spoiled[section.offset : position])
        packet_or_none, error = verdict_of(judged, section.version)
        assert section.packet == packet_or_none
        assert (section.verdict == "valid") == (error is None)
        if section.fault is not None and error is not None and len(judged) > 1:
            assert section.fault.message == error.message
            assert section.fault.offset == section.offset + (error.offset or 0)
    assert position == len(spoiled)


@given(st.binary(max_size=64), st.sampled_from([4, 5]))
@example(b"", 5)
@example(b"\x30", 5)
@example(b"\x30\xff\xff\xff\xff\x01", 5)
@example(b"\x00\x01\x00", 4)
def test_any_bytes_are_covered(data: bytes, version: int) -> None:
    position = 0
    for section in dissect(data, version):
        assert section.offset == position
        cover(section)
        position += section.size
    assert position == len(data)


@given(any_packets, st.integers(0, 10_000))
@settings(max_examples=40)
def test_what_is_here_of_a_packet_is_read_as_in_the_whole_one(case: tuple[int, Packet], cut: int) -> None:
    version, packet = case
    data = encode(packet, version)
    (whole,) = dissect(data, version)
    for section in dissect(data[: cut % len(data)], version):
        cover(section)
        assert section.verdict == "unfinished"
        assert section.bytes_missing
        assert section.packet is None
        assert section.error is not None
        for note in section.notes:
            # a payload tells nowhere how long it is, and a secret may be cut
            assert note in whole.notes or note.meaning == "cut off" or note.field == "payload" or note.secret


def test_every_vector_gets_its_verdict() -> None:
    for vector in vectors():
        version = 5 if vector["version"] == "both" else vector["version"]
        data = bytes.fromhex(vector["hex"])
        sections = list(dissect(data, version))
        for section in sections:
            cover(section)
        if vector["kind"] == "packet":
            _, error = verdict_of(data, version)
            if error is None:
                assert [section.verdict for section in sections] == ["valid"]
            elif "behind the packet" not in error.message and not sections[0].missing:
                assert sections[0].fault is not None
                assert (sections[0].fault.rule, sections[0].fault.message) == (error.statement, error.message)


def note_of(section: PacketNotes, path: str) -> Note:
    (note,) = [note for note in section.notes if note.field == path]
    return note


def test_passwords_authentication_data_and_tokens_are_masked() -> None:
    packet = Connect(
        client_id="c",
        username=f"token-{JWT}",
        password=b"hunter2",
        will=Will("t", f"\xff {JWT}".encode("latin-1")),
        properties={
            "authentication_method": "m",
            "authentication_data": b"hunter2",
            "user_property": [("api-key", "hunter2"), ("note", f"Bearer {JWT}"), ("plain", "text")],
        },
    )
    data = encode(packet)
    (section,) = dissect(data)
    cover(section)
    for note in section.notes:
        for secret in (b"hunter2", JWT.encode()):
            assert secret not in note.data
            assert secret.decode() not in f"{note.value} {note.text} {note.meaning}"
    assert "hunter2" not in repr(section)
    assert JWT not in repr(section)
    masked = {note.field: note.value for note in section.notes if note.secret}
    assert masked == {
        "password": REDACTED,
        "username": f"token-{REDACTED}",
        "will.payload": f"\xff {REDACTED}",
        "properties.authentication_data": REDACTED,
        "properties.user_property[0]": ("api-key", REDACTED),
        "properties.user_property[1]": ("note", f"Bearer {REDACTED}"),
    }
    password = note_of(section, "password")
    assert (password.data, password.size, password.meaning) == (b"\0\7", 9, "masked")
    (section,) = dissect(data, show_secrets=True)
    assert not any(note.secret for note in section.notes)
    assert note_of(section, "password").value == b"hunter2"


@pytest.mark.parametrize("show", [False, True])
@pytest.mark.parametrize(
    ("data", "field", "visible", "meaning"),
    [
        (encode(Connect(password=b"hunter2"))[:-1], "password", b"\0\7", "cut off"),
        (encode(Connect(password=b"hunter2"))[:-8], "password", b"\0", "cut off"),
        (encode(Connect(password=b"hunter2")).replace(b"\7h", b"\x08h"), "password", b"\0\x08", "runs past the end"),
        (
            encode(Auth(properties={"authentication_method": "m", "authentication_data": b"hunter2"}))[:-1],
            "properties.authentication_data",
            b"\x16\0\7",
            "cut off",
        ),
    ],
)
def test_a_secret_that_does_not_fit_is_masked_too(
    data: bytes, field: str, visible: bytes, meaning: str, show: bool
) -> None:
    (section,) = dissect(data, show_secrets=show)
    cover(section)
    note = note_of(section, field)
    if show:
        assert (note.data, note.meaning, note.secret) == (data[note.offset :], meaning, False)
    else:
        assert (note.data, note.meaning, note.secret) == (visible, f"masked, {meaning}", True)
        assert b"unter" not in b"".join(row.data for row in section.notes)


def test_a_payload_is_shown_up_to_the_token_in_it() -> None:
    (section,) = dissect(encode(Publish("a", f'{{"token": "{JWT}"}}'.encode())))
    payload = note_of(section, "payload")
    assert payload.data == b'{"token": "'
    assert payload.value == f'{{"token": "{REDACTED}"}}'


@pytest.mark.parametrize(
    ("wire", "version", "path", "meaning"),
    [
        ("82 06 0001 02 7f00 00", 5, "properties.unknown", "no property has the identifier 0x7F"),
        ("30 05 0001 61 02 23", 5, "properties.topic_alias", "runs past the end"),
        ("30 04 0005 6161", 5, "topic", "runs past the end"),
        ("30 07 0001 61 80 80 80 80", 5, "properties", "more than four bytes"),
        ("30 04 0001 61 80", 5, "properties", "runs past the end"),
        ("30 06 0001 61 80 80 80", 5, "properties", "runs past the end"),
        ("82 0a 0001 05 0b 80808080 00", 5, "properties.subscription_identifier", "more than four bytes"),
        ("82 09 0001 06 0b 80808080 01", 5, "properties.subscription_identifier", "more than four bytes"),
        ("30 05 0002 c0af 00", 5, "topic", "not UTF-8"),
        ("40 02 0001", 5, "reason_code", "left out: Success"),
        ("e0 00", 5, "reason_code", "left out: Normal disconnection"),
        ("40 03 0001 00", 4, "unread", "behind the last field"),
        ("82 02 0001", 4, "subscriptions[0].topic_filter", "missing"),
        ("f0 02 00 00", 4, "unread", "of a packet type that is reserved"),
        ("30 ffffffff 7f", 5, "unread", "where this packet ends cannot be told"),
        ("32 09 0001 61 00", 5, "packet_id", "cut off"),
        ("30 0a 0001 61 03 23 00", 5, "properties.topic_alias", "cut off"),
    ],
)
def test_what_cannot_be_read_is_named_as_that(wire: str, version: int, path: str, meaning: str) -> None:
    section = next(iter(dissect(bytes.fromhex(wire), version)))
    cover(section)
    assert note_of(section, path).meaning == meaning


@pytest.mark.parametrize(
    ("wire", "version", "to_come"),
    [
        ("30", 5, "the fixed header is cut off; still to come: remaining_length and what it announces"),
        ("30 80", 5, "the fixed header is cut off; still to come: remaining_length and what it announces"),
        ("30 05", 5, "2 of 7 bytes are here; still to come: topic, properties, payload"),
        (
            "32 09 0005 61",
            5,
            "5 of 11 bytes are here; still to come: the rest of topic, packet_id, properties, payload",
        ),
        ("30 0a 0001 61 03 23", 5, "7 of 12 bytes are here; still to come: the rest of properties, payload"),
        ("30 0a 0001 61 03", 5, "6 of 12 bytes are here; still to come: the rest of properties, payload"),
        ("30 0a 0001 61 80", 5, "6 of 12 bytes are here; still to come: the rest of properties, payload"),
        ("30 0a 0001 61 00 68", 5, "7 of 12 bytes are here; still to come: the rest of payload"),
        ("82 0a 0001 0001 61 00", 4, "8 of 12 bytes are here; still to come: more subscriptions"),
        ("82 0a 0001 0001 61", 4, "7 of 12 bytes are here; still to come: subscriptions[0].requested_qos"),
        ("90 04 0001", 4, "4 of 6 bytes are here; still to come: reason_codes[0]"),
        ("c0 01", 4, "2 of 3 bytes are here; still to come: the rest"),
        ("00 05 01", 5, "3 of 7 bytes are here; still to come: the rest"),
    ],
)
def test_what_has_not_come_is_told(wire: str, version: int, to_come: str) -> None:
    (section,) = dissect(bytes.fromhex(wire), version)
    cover(section)
    assert section.missing == to_come
