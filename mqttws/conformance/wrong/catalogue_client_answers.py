"""Wrong Clients: how they acknowledge messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mqttws.codec import PubAck, PubComp, Publish, PubRec, PubRel, Subscribe
from mqttws.conformance.wrong.entry import Wrong, wrong_client
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.wire_faults import adding, dropping, editing
from mqttws.topics import matches

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _answers()
    yield from _wordy()


def _answers() -> Iterator[Wrong]:
    for kind, v5, v311 in (
        (PubAck, ("MQTT-3.3.4-1", "MQTT-4.3.2-4"), ("MQTT-3.3.4-1", "MQTT-4.3.2-2")),
        (PubRec, ("MQTT-3.3.4-1", "MQTT-4.3.3-8"), ("MQTT-3.3.4-1", "MQTT-4.3.3-2")),
        (PubComp, ("MQTT-4.3.3-11",), ("MQTT-4.3.3-2",)),
        (PubRel, ("MQTT-4.3.3-4",), ("MQTT-4.3.3-1",)),
    ):
        name = kind.packet_type.name
        yield wrong_client(
            f"sends_no_{name.lower()}", f"It sends no {name}.", v5=v5, v311=v311, also=("*",),
            from_subject=dropping(kind),
        )  # fmt: skip
        yield wrong_client(
            f"numbers_{name.lower()}_wrongly", f"The identifier in its {name} is another one.",
            v5=(*v5, "MQTT-2.2.1-5"), v311=(*v311, "MQTT-2.3.1-6"), also=("*",),
            from_subject=editing(kind, packet_id=lambda said: said % 65_535 + 1),
        )  # fmt: skip
    yield wrong_client(
        "acknowledges_wanted_messages_only", "It does not acknowledge what it has not subscribed to.",
        v5="MQTT-4.5.0-2", v311="MQTT-4.5.0-2", from_subject=_wanted_only, from_tester=_note_message,
    )  # fmt: skip


def _note_message(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish):
        tamper.__dict__.setdefault("topics", {})[packet.packet_id] = packet.topic
    return (packet,)


def _wanted_only(tamper: Any, packet: Item) -> Iterable[Item]:
    filters: list[str] = tamper.__dict__.setdefault("filters", [])
    if isinstance(packet, Subscribe):
        filters.extend(one.topic_filter for one in packet.subscriptions)
    if isinstance(packet, PubAck | PubRec):
        topic = tamper.__dict__.get("topics", {}).get(packet.packet_id, "")
        if not any(matches(one, topic) for one in filters):
            return ()
    return (packet,)


def _wordy() -> Iterator[Wrong]:
    """Acknowledgements that get too large for the Server by what should be left out then."""
    for kind, reason, pair in (
        (PubAck, "MQTT-3.4.2-2", "MQTT-3.4.2-3"), (PubRec, "MQTT-3.5.2-2", "MQTT-3.5.2-3"),
        (PubRel, "MQTT-3.6.2-2", "MQTT-3.6.2-3"), (PubComp, "MQTT-3.7.2-2", "MQTT-3.7.2-3"),
    ):  # fmt: skip
        name = kind.packet_type.name
        yield wrong_client(
            f"explains_too_much_in_{name.lower()}", f"It puts a long Reason String into each {name}.", v5=reason,
            also=("*",), from_subject=adding(kind, reason_string="long " * 200),
        )  # fmt: skip
        yield wrong_client(
            f"adds_too_much_to_{name.lower()}", f"It puts a long User Property into each {name}.", v5=pair,
            also=("*",), from_subject=adding(kind, user_property=[("long", "word " * 200)]),
        )  # fmt: skip
