"""Wrong Clients: what they send again although it is done, what they hold back or explain, authenticating again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import Auth, ConnAck, Connect, Disconnect, PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.wrong.entry import Wrong, wrong_client
from mqttws.conformance.wrong.proxy import Item, Tamper
from mqttws.conformance.wrong.wire_faults import adding, dropping, each

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield wrong_client(
        "publishes_what_it_has_released", "With a PUBREL that it sends again it publishes its message again.",
        v5="MQTT-4.3.3-6", v311="MQTT-4.3.3-1", also=("*",), shows=False,
        from_tester=_notes_pubrec, from_subject=_publishes_released,
    )  # fmt: skip
    yield wrong_client(
        "sends_again_what_is_done", "It sends a message again that was acknowledged.",
        v5="MQTT-4.4.0-2", v311="MQTT-4.3.2-1", also=("*",), shows=False,
        from_tester=_notes_puback, from_subject=_sends_done_again,
    )  # fmt: skip
    yield wrong_client(
        "answers_nothing_with_its_quota_used_up", "It acknowledges nothing while it may publish nothing.",
        v5=("MQTT-3.3.4-8", "MQTT-4.9.0-3"), also=("*",), shows=False,
        from_subject=_silent_if_full, from_tester=_counts_down,
    )  # fmt: skip
    yield wrong_client(
        "explains_too_much_in_disconnect", "It puts a long Reason String into DISCONNECT.",
        v5="MQTT-3.14.2-3", also=("*",), from_subject=adding(Disconnect, reason_string="long " * 200),
    )  # fmt: skip
    yield wrong_client(
        "adds_too_much_to_disconnect", "It puts a long User Property into DISCONNECT.",
        v5="MQTT-3.14.2-4", also=("*",), from_subject=adding(Disconnect, user_property=[("long", "word " * 200)]),
    )  # fmt: skip
    yield wrong_client(
        "reauthenticates_by_another_method", "It authenticates again by another method than that of its CONNECT.",
        v5="MQTT-4.12.1-1", also=("*",), shows=False, from_subject=each(Auth, _by_another_method),
    )  # fmt: skip
    yield wrong_client(
        "ignores_a_failed_reauthentication", "It passes over an AUTH with another method while it authenticates again.",
        v5="MQTT-4.12.1-2", also=("*",), shows=False, unwise=True, from_tester=dropping(Auth, _has_another_method),
    )  # fmt: skip


def _by_another_method(said: Auth) -> Auth:
    if said.reason_code != 0x19:
        return said
    return replace(said, properties={**said.properties, "authentication_method": "another"})


def _has_another_method(said: Auth) -> bool:
    return "other" in said.properties.get("authentication_method", "")


def _kept(tamper: Tamper, packet: Item) -> dict[Any, Any]:
    """What is known of this Client by its name, on all its connections."""
    if isinstance(packet, Connect):
        tamper.__dict__["kept"] = tamper.shared.setdefault(packet.client_id, {})
    kept: dict[Any, Any] = tamper.__dict__.setdefault("kept", {})
    return kept


def _notes_pubrec(tamper: Tamper, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubRec):
        tamper.__dict__.setdefault("received", set()).add(packet.packet_id)
    return (packet,)


def _publishes_released(tamper: Tamper, packet: Item) -> Iterable[Item]:
    kept = _kept(tamper, packet)
    if isinstance(packet, Publish) and packet.qos == 2:
        kept[packet.packet_id] = packet
    if isinstance(packet, PubRel) and packet.packet_id not in tamper.__dict__.get("received", ()):
        return replace(kept[packet.packet_id], dup=True), packet
    return (packet,)


def _notes_puback(tamper: Tamper, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubAck):
        _kept(tamper, packet)["done"] = packet.packet_id
    return (packet,)


def _sends_done_again(tamper: Tamper, packet: Item) -> Iterable[Item]:
    kept = _kept(tamper, packet)
    if isinstance(packet, Publish) and packet.qos == 1:
        done = kept.pop(kept.get("done"), None) if packet.dup else None
        if done is not None:
            return replace(done, dup=True), packet
        kept[packet.packet_id] = packet
    return (packet,)


def _silent_if_full(tamper: Tamper, packet: Item) -> Iterable[Item]:
    notes = tamper.__dict__
    if isinstance(packet, Publish) and packet.qos:
        notes["open"] = notes.get("open", 0) + 1
    is_full = notes.get("open", 0) >= notes.get("quota", 65_535)
    return () if is_full and isinstance(packet, PubAck | PubRec) else (packet,)


def _counts_down(tamper: Tamper, packet: Item) -> Iterable[Item]:
    notes = tamper.__dict__
    if isinstance(packet, ConnAck):
        notes["quota"] = packet.properties.get("receive_maximum", 65_535)
    if isinstance(packet, PubAck | PubComp):
        notes["open"] = notes.get("open", 0) - 1
    return (packet,)
