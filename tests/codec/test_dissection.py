"""Verdicts, titles and remarks of packets one after the other, and the same as text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import mqttws.codec
from mqttws.codec import Connect, Disconnect, PubAck, Publish, RawPacket, dissect, encode, explain
from mqttws.errors import MalformedPacket
from mqttws.vocabulary import PacketType, ProtocolVersion, QoS, Role


def verdicts(wire: str, version: int = 5, *, sender: Role | None = None) -> list[tuple[str, str]]:
    """Title and verdict of each packet of these bytes (in hex)."""
    return [(one.title, one.verdict) for one in dissect(bytes.fromhex(wire), version, sender=sender)]


def test_a_connect_sets_the_version_for_what_follows() -> None:
    data = encode(Connect(version=ProtocolVersion.V3_1_1, client_id="c")) + bytes.fromhex("30 04 0001 61 00")
    first, second = dissect(data, 5)
    assert (first.version, second.version) == (ProtocolVersion.V3_1_1, ProtocolVersion.V3_1_1)
    assert second.packet == Publish("a", b"\0")


@pytest.mark.parametrize(("level", "version"), [(3, "MQTT 3.1.1"), (4, "MQTT 3.1.1"), (5, "MQTT 5.0"), (6, "MQTT 5.0")])
def test_an_unknown_level_is_read_as_the_nearest(level: int, version: str) -> None:
    (first, _), (second, _) = verdicts(f"10 0c 0004 4d515454 {level:02x} 02 0000 0000 c000", 5)
    assert first == f"CONNECT, {version}"
    assert second.endswith(version)


def test_a_receiver_stops_at_a_fault_and_we_go_on() -> None:
    sections = list(dissect(bytes.fromhex("40 02 0000 c000 36 04 0001 6100 c000 c000")))
    assert [one.verdict for one in sections] == ["protocol error", "valid", "malformed packet", "valid", "valid"]
    assert [one.certain for one in sections] == [True, True, True, False, False]
    assert [one.remark[:21] for one in sections] == ["", "A receiver has closed", "", "Behind a malformed pa", ""]


def test_behind_a_length_that_cannot_be_read_nothing_is_a_packet() -> None:
    (section,) = dissect(bytes.fromhex("30 ffffffff 01 c000"))
    assert (section.size, section.verdict, section.bytes_missing) == (8, "malformed packet", 0)


def test_the_error_counts_from_its_packet_and_the_fault_from_the_start() -> None:
    _, section = dissect(bytes.fromhex("c000 40020000"))
    assert section.error is not None
    assert section.fault is not None
    assert section.packet is None
    assert (section.error.offset, section.fault.offset, section.offset) == (2, 4, 2)
    assert section.error.__traceback__ is None


def test_with_a_sender_the_rules_of_direction_hold() -> None:
    assert verdicts("c000") == [("PINGREQ, MQTT 5.0", "valid")]
    assert verdicts("c000", sender=Role.CLIENT) == [("PINGREQ, MQTT 5.0", "valid")]
    assert verdicts("c000", sender=Role.SERVER) == [("PINGREQ, MQTT 5.0", "protocol error")]


def test_a_first_byte_is_judged_before_the_second_comes() -> None:
    assert verdicts("30") == [("PUBLISH, MQTT 5.0", "unfinished")]
    assert verdicts("36") == [("PUBLISH, MQTT 5.0", "malformed packet")]
    assert verdicts("f0", 4) == [("Reserved packet type 15, MQTT 3.1.1", "malformed packet")]
    assert [one.packet_type for one in dissect(b"\xf0", 4)] == [None]
    assert verdicts("c0", sender=Role.SERVER) == [("PINGREQ, MQTT 5.0", "protocol error")]


def test_a_packet_that_is_cut_off_has_an_error_and_no_fault() -> None:
    (section,) = dissect(bytes.fromhex("40 02 00"))
    assert isinstance(section.error, MalformedPacket)
    assert (section.fault, section.bytes_missing, section.packet_type) == (None, 1, PacketType.PUBACK)
    (section,) = dissect(bytes.fromhex("42 02 00"))
    assert (section.verdict, section.bytes_missing) == ("malformed packet", 1)
    assert section.missing == "3 of 4 bytes are here; still to come: the rest of packet_id"


@pytest.mark.parametrize(
    ("wire", "version", "answer"),
    [
        ("36 00", 5, "DISCONNECT with 0x81 Malformed packet, then close the connection"),
        ("36 00", 4, "close the connection"),
        ("10 00", 5, "CONNACK with 0x81 Malformed packet, then close the connection"),
        ("10 07 0004 4d515454 03", 5, "CONNACK with 1 Unacceptable protocol version, then close the connection"),
        ("10 07 0004 4d515454 06", 5, "CONNACK with 0x84 Unsupported protocol version, then close the connection"),
        ("10 0c 0004 4d515454 04 00 0000 0000", 5, "CONNACK with 2 Identifier rejected, then close the connection"),
        ("10 0c 0004 4d515454 04 03 0000 0000", 5, "close the connection"),
    ],
)
def test_the_answer_is_one_that_the_version_has(wire: str, version: int, answer: str) -> None:
    (section,) = dissect(bytes.fromhex(wire), version)
    assert section.fault is not None
    assert section.fault.answer == answer


@pytest.mark.parametrize(
    ("wire", "version", "meanings"),
    [
        ("82 00", 5, ["SUBSCRIBE, from the Client", "as they must be"]),
        ("80 00", 5, ["SUBSCRIBE, from the Client", "must be 0010"]),
        ("d0 00", 5, ["PINGRESP, from the Server", "as they must be"]),
        ("e0 00", 5, ["DISCONNECT, from either end", "as they must be"]),
        ("e0 00", 4, ["DISCONNECT, from the Client", "as they must be"]),
        ("0f 00", 5, ["reserved", ""]),
        ("3d 00", 5, ["PUBLISH, from either end", "may have been sent before", "exactly once", "retained"]),
    ],
)
def test_the_first_byte_is_taken_apart(wire: str, version: int, meanings: list[str]) -> None:
    (section,) = dissect(bytes.fromhex(wire), version)
    assert [note.meaning for note in section.notes if note.offset == 0 and note.mask] == meanings


def test_another_version_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="3"):
        dissect(b"\xc0\0", 3)


def test_any_buffer_will_do() -> None:
    assert explain(bytearray(b"\xc0\0")) == explain(memoryview(b"\xc0\0")) == explain(b"\xc0\0")


def test_nothing_is_explained_by_nothing() -> None:
    assert explain(b"") == ""


EXPLAINED = """\
PUBLISH, MQTT 5.0, 17 bytes at offset 0: valid
    0  32                       first_byte                      0x32
       0011 ....                  packet_type                   3             PUBLISH, from either end
       .... 0...                  dup                           0             sent for the first time
       .... .01.                  qos                           1             at least once
       .... ...0                  retain                        0             not retained
    1  0f                       remaining_length                15            bytes follow
    2  00 03 61 2f 62           topic                           'a/b'
    7  00 07                    packet_id                       7
    9  05                       properties                      5             bytes of properties
   10  02 00 00 00 5a             message_expiry_interval       90            seconds (1.5 minutes)
   15  68 69                    payload                         'hi'          2 bytes of text

PUBACK, MQTT 5.0, 5 bytes at offset 17: protocol error
   17  40                       first_byte                      0x40
       0100 ....                  packet_type                   4             PUBACK, from either end
       .... 0000                  flags                         0000          as they must be
   18  03                       remaining_length                3             bytes follow
   19  00 07                    packet_id                       7
   21  92                       reason_code                     0x92          Packet identifier not found
       ^^                       PROTOCOL ERROR at offset 21: PUBACK with Reason Code 0x92, which is not in its table
                                  [MQTT-3.4.2-1]
                                the answer: DISCONNECT with 0x82 Protocol error, then close the connection

A receiver has closed the connection here. What follows is read as if it had not.
DISCONNECT, MQTT 5.0, 2 bytes at offset 22: valid
   22  e0                       first_byte                      0xE0
       1110 ....                  packet_type                   14            DISCONNECT, from either end
       .... 0000                  flags                         0000          as they must be
   23  00                       remaining_length                0             bytes follow
   24                           reason_code                     0x00          left out: Normal disconnection
"""


def test_a_stream_as_text() -> None:
    publish = Publish("a/b", b"hi", QoS.AT_LEAST_ONCE, packet_id=7, properties={"message_expiry_interval": 90})
    data = encode(publish) + encode(PubAck(7))[:1] + bytes.fromhex("03 0007 92") + encode(Disconnect())
    assert explain(data) == EXPLAINED


def work(data: bytes) -> int:
    """How many functions, those of C among them, are called to explain these bytes."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        explain(data)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize(
    "many",
    [
        pytest.param(lambda count: RawPacket(0x90, b"\0\1\0" + b"\x80" * count), id="Reason Codes"),
        pytest.param(lambda count: RawPacket(0x82, b"\0\1\0" + b"\0\1#\0" * count), id="subscriptions"),
        pytest.param(
            lambda count: RawPacket(0x40, b"\0\1\0\xff\xff\x7f" + b"\x26\0\1a\0\1b" * count), id="User Properties"
        ),
        pytest.param(
            lambda count: RawPacket(0x30, b"\0\1a\xff\xff\x7f" + b"\x0b\0" * count), id="Subscription Identifiers"
        ),
        pytest.param(lambda count: [RawPacket(0xC0, b"")] * count, id="packets"),
        pytest.param(lambda count: [RawPacket(0xC1, b"\0")] * count, id="packets with a fault"),
    ],
)
def test_the_work_grows_with_the_bytes(many: Callable[[int], RawPacket | list[RawPacket]]) -> None:
    def stream(count: int) -> bytes:
        packets = many(count)
        return b"".join(map(encode, packets)) if isinstance(packets, list) else encode(packets)

    few, more = work(stream(100)), work(stream(400))
    assert 3 * few < more < 5 * few  # four times the rows


def gallery() -> Iterator[Any]:
    """The packets in the files beside this one: a title, what they are taken for, the bytes in hex, and their map."""
    for path in sorted((Path(__file__).parent / "explained").glob("*.txt")):
        for text in re.split("^# ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            title, _, rest = text.partition("\n")
            said, *wire = re.findall("^> (.*)\n", rest, flags=re.MULTILINE)
            explained = re.sub("^> .*\n", "", rest, flags=re.MULTILINE).rstrip("\n") + "\n"
            yield pytest.param(said.split(", "), "".join(wire), explained, id=f"{path.stem}: {title}")


@pytest.mark.parametrize(("said", "wire", "explained"), list(gallery()))
def test_each_packet_of_the_gallery_has_its_map(said: list[str], wire: str, explained: str) -> None:
    senders = {"from the Client": Role.CLIENT, "from the Server": Role.SERVER}
    sender = next((role for words, role in senders.items() if words in said), None)
    version = 5 if said[0] == "MQTT 5.0" else 4
    assert explain(bytes.fromhex(wire), version, sender=sender, show_secrets="with secrets" in said) == explained


def test_it_is_loaded_when_it_is_asked_for() -> None:
    program = (
        "import sys; from mqttws import codec; assert 'mqttws.codec.dissection' not in sys.modules;"
        "assert codec.explain(b'') == ''"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_is_none_is_told() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'explanation'"):
        getattr(mqttws.codec, "explanation")  # noqa: B009 - mypy knows that it is not there
    assert mqttws.codec.dissect is dissect


def test_explain_covers_secrets_unless_told_otherwise() -> None:
    data = encode(Connect(ProtocolVersion.V5, "c", username="u", password=b"open sesame"))
    assert "sesame" not in explain(data)
    assert b"sesame".hex() not in explain(data).replace(" ", "")
    assert "sesame" in explain(data, show_secrets=True) or b"sesame".hex() in explain(data, show_secrets=True).replace(
        " ", ""
    )
