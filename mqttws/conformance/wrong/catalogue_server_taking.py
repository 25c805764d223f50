"""Wrong Servers that go on where they have to end the connection, and a few that send what nobody looks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from mqttws.codec import Connect, Publish, PubRec, RawPacket, encode
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.proxy import Item, Tamper
from mqttws.conformance.wrong.tampers import swallower
from mqttws.conformance.wrong.wire_faults import editing
from mqttws.vocabulary import PacketType

__all__ = ["entries"]

#: Statements on well-formed text, by what the core holds against ill-formed text.
_TEXT_V5: Final = ("MQTT-1.5.4-1", "MQTT-1.5.7-1", "MQTT-3.1.3-4", "MQTT-3.1.3-11", "MQTT-3.1.3-12", "MQTT-3.3.2-13",
                   "MQTT-3.3.2-19", "MQTT-3.8.3-1", "MQTT-3.10.3-1")  # fmt: skip
_TEXT_V3_1_1: Final = (
    "MQTT-1.5.3-1",
    "MQTT-3.1.3-4",
    "MQTT-3.1.3-10",
    "MQTT-3.1.3-11",
    "MQTT-3.8.3-1",
    "MQTT-3.10.3-1",
)


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _formats()
    yield from _states()
    yield from _limited()
    yield from _sending()


def _passing_over(name: str, sentence: str, v5: tuple[str, ...], v311: tuple[str, ...]) -> Wrong:
    """Packets that break these statements by themselves count for nothing."""
    tamper = swallower(frozenset(v5 + v311))
    return wrong_server(
        name, sentence, v5=v5, v311=v311, also="*", wire={"from_tester": tamper.from_tester}, shows=False
    )


def _formats() -> Iterator[Wrong]:
    yield _passing_over("passes_over_ill_formed_text", "It passes over packets with ill-formed text.", _TEXT_V5,
                        _TEXT_V3_1_1)  # fmt: skip
    yield _passing_over("passes_over_will_flags", "It passes over Will QoS and Will Retain where there is no Will.",
                        ("MQTT-3.1.2-11", "MQTT-3.1.2-13"),
                        ("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15"))  # fmt: skip
    yield _passing_over("passes_over_bad_filters", "It passes over filters with wildcards in the wrong place.",
                        ("MQTT-4.7.1-1", "MQTT-4.7.1-2"), ("MQTT-4.7.1-2", "MQTT-4.7.1-3"))  # fmt: skip
    yield _passing_over("passes_over_bad_shares", "It passes over shared subscriptions of a wrong form.",
                        ("MQTT-4.8.2-1", "MQTT-4.8.2-2"), ())  # fmt: skip


def _states() -> Iterator[Wrong]:
    yield wrong_server(
        "passes_over_what_precedes_connect", "It passes over what a Client sends before CONNECT.",
        v5=("MQTT-3.1.0-1", "MQTT-4.13.1-1"), v311="MQTT-3.1.0-1", also=("*",), wire={"from_tester": _from_connect_on},
        shows=False,
    )  # fmt: skip
    yield wrong_server(
        "prolongs_sessions_by_disconnect", "It takes a DISCONNECT that prolongs a Session which was to end.",
        v5=("MQTT-4.13.1-1", "MQTT 5.0, 3.14.2.2.2"), also=("*",), shows=False,
        wire={"from_tester": _as_if_wanted},
    )  # fmt: skip
    yield wrong_server(
        "answers_less_than_its_receive_maximum", "It answers one message at QoS 2 at a time only.",
        v5=("MQTT-4.9.0-3", "MQTT-3.3.4-10"), also=("*",), wire={"from_subject": _one_pubrec_at_a_time},
    )  # fmt: skip


def _from_connect_on(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect) or (isinstance(packet, RawPacket) and packet.packet_type is PacketType.CONNECT):
        tamper.has_begun = True
    return (packet,) if getattr(tamper, "has_begun", False) else ()


def _as_if_wanted(tamper: Any, packet: Item) -> Iterable[Item]:
    del tamper
    if isinstance(packet, Connect) and not packet.properties.get("session_expiry_interval"):
        return (replace(packet, properties={**packet.properties, "session_expiry_interval": 60}),)
    return (packet,)


def _one_pubrec_at_a_time(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubRec):
        if getattr(tamper, "waits", False):
            return ()
        tamper.waits = True
    return (packet,)


def _limited() -> Iterator[Wrong]:
    yield wrong_server(
        "takes_more_than_maximum_qos", "It takes messages above its Maximum QoS.",
        v5=("MQTT-3.2.2-11", "MQTT-4.13.1-1"), offer="limited", also=("*",), wire={"from_tester": _answer_qos_2},
    )  # fmt: skip
    yield wrong_server(
        "takes_retain_it_does_not_have", "It takes messages to be retained although it retains nothing.",
        v5=("MQTT-3.2.2-14", "MQTT-4.13.1-1"), offer="limited", also=("*",),
        wire={"from_tester": editing(Publish, retain=False)},
    )  # fmt: skip


def _answer_qos_2(tamper: Tamper, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id is not None:
        tamper.replies.append(PubRec(packet.packet_id))
        return ()
    return (packet,)


def _sending() -> Iterator[Wrong]:
    for name, sentence, data, v5, v311 in (
        ("empty_topics", "a PUBLISH without a Topic Name", b"\x30\x02\x00\x00", (), "MQTT-4.7.3-1"),
        ("auth_with_flags", "an AUTH with reserved flags", b"\xf2\x00", "MQTT-3.15.1-1", ()),
        ("auth_with_unknown_code", "an AUTH with a code that does not exist", b"\xf0\x02\x33\x00", "MQTT-3.15.2-1", ()),
    ):  # fmt: skip
        yield wrong_server(
            f"sends_{name}", f"It sends {sentence}.", v5=v5, v311=v311, also=("*",),
            wire={"from_subject": _behind_connack(data)},
        )  # fmt: skip
    yield wrong_server(
        "numbers_messages_at_qos_0", "It gives messages at QoS 0 a Packet Identifier.",
        v5="MQTT-2.2.1-2", v311="MQTT-2.3.1-5", also=("*",), wire={"from_subject": _numbered},
    )  # fmt: skip


def _behind_connack(data: bytes) -> Any:
    def method(tamper: Any, packet: Item) -> Iterable[Item]:
        if getattr(tamper, "has_sent", False):
            return (packet,)
        tamper.has_sent = True
        return (packet, data)

    return method


def _numbered(tamper: Any, packet: Item) -> Iterable[Item]:
    """A Packet Identifier behind the topic of a message at QoS 0."""
    if isinstance(packet, Publish) and not packet.qos:
        raw = RawPacket.parse(encode(packet, tamper.version))
        end = 2 + int.from_bytes(raw.body[:2], "big")
        return (RawPacket(raw.first_byte, raw.body[:end] + b"\0\1" + raw.body[end:]),)
    return (packet,)
