"""The codec against the byte vectors of both standards: verdict, fields, reason code, statement, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Framer, MalformedPacket, RawPacket, RemoteProtocolError, decode, encode
from mqttws.conformance import Vector, statements, vectors
from mqttws.conformance.fields import fields_of
from mqttws.vocabulary import ProtocolVersion, Role

_SENDERS = {"client": [Role.CLIENT], "server": [Role.SERVER], "either": [Role.CLIENT, Role.SERVER]}

#: What this codec makes of the vectors that the standard leaves open: taken (True) or refused.
_CHOICES = {
    # 3.1.1 forbids no longer form; small devices write four bytes always
    "v4_connect_nonminimal_length_4_bytes": True,
    "v5_connect_nonminimal_length_4_bytes": False,
    "v5_subscription_identifier_nonminimal": False,
    # we speak 3.1.1 and 5.0, nothing beside them
    "v4_connect_level_132_bridge_bit": False,
    "v4_connect_mqisdp_level_3": False,
    # like all other one-byte properties
    "v5_publish_payload_format_2": False,
    "v5_publish_payload_format_255": False,
    "v5_publish_duplicate_payload_format_indicator": False,
    "v5_publish_duplicate_message_expiry_interval": False,
    # looking would cost every PUBLISH a pass over its payload; the application may
    "v5_publish_payload_format_1_payload_not_utf8": True,
    # only "$share/" begins a shared subscription
    "v5_subscribe_share_without_slash": True,
    # the table of reason codes gives both to the Server
    "v5_disconnect_8d_from_client": False,
    "v5_disconnect_9b_from_client": False,
    # 3.15.2.1 describes success without properties
    "v5_auth_success_without_method": True,
}

#: Where more than one statement fits and ours is another one than the vector's.
_AS_GOOD = {
    # reserved flags: that they are as listed, and that the receiver closes otherwise
    "MQTT-2.2.2-2": {"MQTT-2.2.2-1"},
    # two fields behind the last one of CONNECT: that they were meant as a will is a guess
    "MQTT-3.1.2-11": {"MQTT-3.1.4-1"},
    # the Client's duty and the Server's answer
    "MQTT-3.1.3-7": {"MQTT-3.1.3-8"},
    "MQTT-4.3.1-1": {"MQTT-3.3.1-2"},
    # "+#" breaks both rules of wildcards
    "MQTT-4.7.1-3": {"MQTT-4.7.1-2"},
    "MQTT-4.7.1-2": {"MQTT-4.7.1-1"},
    # U+0000 in any text, and in topics
    "MQTT-1.5.3-2": {"MQTT-4.7.3-2"},
    "MQTT-1.5.4-2": {"MQTT-4.7.3-2"},
}


def _cases(*kinds: str, ambiguous: bool = False) -> list[Any]:
    """One case for each vector, version and sender."""
    return [
        pytest.param(vector, version, sender, id=f"{vector['name']}-{version}-{sender.value}")
        for vector in vectors()
        if vector["kind"] in kinds and vector.get("ambiguous", False) == ambiguous
        for version in ([4, 5] if vector["version"] == "both" else [vector["version"]])
        for sender in _SENDERS[vector["direction"]]
    ]


@pytest.mark.parametrize(("vector", "version", "sender"), _cases("packet"))
def test_a_packet_gets_the_verdict_of_the_standard(vector: Vector, version: int, sender: Role) -> None:
    data = bytes.fromhex(vector["hex"])
    if vector["valid"]:
        packet = decode(data, version, sender=sender)
        assert fields_of(packet, version) == vector["fields"]
        assert decode(data, version) == packet
        written = encode(packet, version)
        if vector["reencode"] == "shorter":
            assert len(written) < len(data)
            assert decode(written, version) == packet
        else:
            assert written == data
        return
    with pytest.raises(RemoteProtocolError) as caught:
        decode(data, version, sender=sender)
    error = caught.value
    assert isinstance(error, MalformedPacket) == (vector["error"] == "malformed")
    if version == 5:
        assert error.reason_code in vector["accept_codes"]
    assert error.field
    assert error.offset is not None
    assert 0 <= error.offset <= len(data)
    statement = vector["statement"]
    if statement is not None:
        assert error.statement in {statement} | _AS_GOOD.get(statement, set())


@pytest.mark.parametrize(("vector", "version", "sender"), _cases("packet", ambiguous=True))
def test_what_the_standard_leaves_open_is_decided(vector: Vector, version: int, sender: Role) -> None:
    data = bytes.fromhex(vector["hex"])
    if _CHOICES.get(vector["name"], vector["name"].startswith(("v4_utf8_", "v5_utf8_"))):
        assert decode(encode(decode(data, version, sender=sender), version), version) == decode(data, version)
    else:
        with pytest.raises(RemoteProtocolError):
            decode(data, version, sender=sender)


#: Codec statements that no vector's error can cite, and why.
_UNCITED = {
    5: {
        "MQTT-1.5.4-3": "a BOM is a character like others: there is nothing to refuse",
        "MQTT-1.5.5-1": "about the sender; what a receiver does with a longer form the standard leaves open",
        "MQTT-2.2.1-2": "at QoS 0 an identifier would just be payload",
        "MQTT-3.1.3-1": "the order of the CONNECT payload: fields carry no names",
        "MQTT-4.3.1-1": "DUP with QoS 0, cited as MQTT-3.3.1-2",
        "MQTT-4.7.3-3": "no longer topic can be written",
    },
    4: {
        "MQTT-1.5.3-3": "a BOM is a character like others: there is nothing to refuse",
        "MQTT-2.2.2-2": "what the receiver does; the flags are cited as MQTT-2.2.2-1",
        "MQTT-2.3.1-5": "at QoS 0 an identifier would just be payload",
        "MQTT-3.1.2-11": "a will without its flag, cited as MQTT-3.1.4-1: user name and password would look alike",
        "MQTT-3.1.3-1": "the order of the CONNECT payload: fields carry no names",
        "MQTT-3.1.3-7": "the Client's duty, cited by the Server's answer MQTT-3.1.3-8",
        "MQTT-4.3.1-1": "DUP with QoS 0, cited as MQTT-3.3.1-2",
        "MQTT-4.7.3-3": "no longer topic can be written",
    },
}


@pytest.mark.parametrize("version", [4, 5])
def test_every_codec_statement_that_a_packet_can_break_is_cited(version: int) -> None:
    cited = set()
    for vector in vectors():
        if vector["valid"] or vector.get("ambiguous") or vector["version"] not in (version, "both"):
            continue
        sender = {"client": Role.CLIENT, "server": Role.SERVER}.get(vector["direction"])
        framer = Framer(version, sender=sender)
        framer.receive_data(bytes.fromhex(vector["hex"]))
        try:
            list(framer.packets())
        except RemoteProtocolError as error:
            cited.add(error.statement)
    numbered = {item["id"] for item in statements(ProtocolVersion(version)) if item["layer"] == "codec"}
    assert numbered - cited == set(_UNCITED[version])


def test_every_choice_is_about_a_vector() -> None:
    open_questions = {vector["name"] for vector in vectors() if vector.get("ambiguous")}
    assert set(_CHOICES) | {name for name in open_questions if "_utf8_topic_" in name} == open_questions


@pytest.mark.parametrize(("vector", "version", "sender"), _cases("fixed_header"))
def test_a_fixed_header_is_judged_before_its_body_comes(vector: Vector, version: int, sender: Role) -> None:
    framer = Framer(version, sender=sender)
    framer.receive_data(bytes.fromhex(vector["hex"]))
    if vector["valid"] and vector["fields"] is not None and vector["fields"]["remaining_length"] > 0:
        assert list(framer.packets()) == []
        assert framer.pending == vector["fields"]["header_length"]
    elif vector["valid"]:  # the length is right, but no PUBLISH has an empty body
        with pytest.raises(MalformedPacket) as caught:
            list(framer.packets())
        assert caught.value.field == "topic"
    else:
        with pytest.raises(MalformedPacket) as caught:
            list(framer.packets())
        assert caught.value.field == "remaining_length"


@pytest.mark.parametrize(("vector", "version", "sender"), _cases("stream"))
def test_a_stream_gives_its_packets_and_keeps_the_rest(vector: Vector, version: int, sender: Role) -> None:
    framer = Framer(version, sender=sender)
    framer.receive_data(bytes.fromhex(vector["hex"]))
    assert vector["fields"] is not None
    assert [fields_of(packet, version) for packet in framer.packets()] == vector["fields"]["packets"]
    assert framer.pending == len(bytes.fromhex(vector["fields"]["pending"]))


@pytest.mark.parametrize(("vector", "version", "sender"), _cases("partial"))
def test_the_beginning_of_a_packet_waits_for_more(vector: Vector, version: int, sender: Role) -> None:
    data = bytes.fromhex(vector["hex"])
    framer = Framer(version, sender=sender)
    framer.receive_data(data)
    assert list(framer.packets()) == []
    assert framer.pending == len(data)
    with pytest.raises(MalformedPacket):
        framer.receive_eof()
    with pytest.raises(MalformedPacket):
        decode(data, version, sender=sender)


def verdict(data: bytes, version: int, sender: Role | None) -> Any:
    """What ``decode`` gives, or what it says."""
    try:
        return decode(data, version, sender=sender)
    except RemoteProtocolError as error:
        return about(error)


def about(error: RemoteProtocolError) -> Any:
    return type(error), error.message, error.reason_code, error.statement, error.version, error.offset, error.field


def framed(data: bytes, behind: bytes, version: int, sender: Role | None) -> Any:
    """The same of the first packet of a stream."""
    framer = Framer(version, sender=sender)
    framer.receive_data(data + behind)
    try:
        return next(framer.packets())
    except RemoteProtocolError as error:
        return about(error)


@pytest.mark.parametrize("behind", [b"", bytes(8), b"\xff" * 8])
def test_what_stands_behind_a_packet_changes_nothing(behind: bytes) -> None:
    for case in _cases("packet") + _cases("packet", ambiguous=True):
        vector, version, sender = case.values
        data = bytes.fromhex(vector["hex"])
        if RawPacket.parse(data).remaining_length is None:  # else it ends elsewhere
            assert framed(data, behind, version, sender) == verdict(data, version, sender), case.id


def test_what_is_missing_in_a_packet_is_not_taken_from_behind_it() -> None:
    for case in _cases("packet"):
        vector, version, _ = case.values
        whole = RawPacket.parse(bytes.fromhex(vector["hex"]))
        for size in range(min(len(whole.body), 60)):
            data = encode(RawPacket(whole.first_byte, whole.body[:size]))
            assert framed(data, whole.body[size:] + bytes(2), version, None) == verdict(data, version, None), case.id
