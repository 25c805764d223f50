"""Wrong Clients that pass over what they have to leave for, and some that say what nobody has asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from mqttws.codec import Auth, ConnAck, Connect, Publish, RawPacket, Subscribe, encode
from mqttws.conformance.client.convention import Task
from mqttws.conformance.wrong.entry import Wrong, wrong_client
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.wire_faults import each, without
from mqttws.vocabulary import PacketType

__all__ = ["entries"]

#: Stands for a User Name that is left out again on the wire.
_NOBODY: Final = "\ue006"
#: Where the Connect Flags stand in the body of a CONNECT, and the one of the User Name.
_FLAGS: Final = 7
_USER_NAME: Final = 0x80


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _connack()
    yield from _limits()
    yield from _methods()
    yield from _requests()


def _connack() -> Iterator[Wrong]:
    yield wrong_client(
        "passes_over_second_connack", "It passes over a second CONNACK.", v5="MQTT 5.0, 3.2", v311="MQTT 3.1.1, 3.2",
        unwise=True, also=("*",), shows=False, from_tester=_first_connack,
    )  # fmt: skip
    yield wrong_client(
        "passes_over_what_precedes_connack", "It passes over packets that come before CONNACK.", v311="MQTT-4.8.0-1",
        also=("*",), shows=False, from_tester=_from_connack_on,
    )  # fmt: skip
    yield wrong_client(
        "waits_for_connack", "It passes over packets that come before CONNACK.", v5="MQTT 5.0, 3.2",
        unwise=True, also=("*",), shows=False, from_tester=_from_connack_on,
    )  # fmt: skip
    yield wrong_client(
        "takes_broken_connack", "It takes a CONNACK that breaks a rule by itself for a good one.",
        v5="MQTT 5.0, 4.13.1", unwise=True, also=("*",), shows=False, from_tester=_good_connack,
    )  # fmt: skip


def _first_connack(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, ConnAck):
        if getattr(tamper, "is_in", False):
            return ()
        tamper.is_in = True
    return (packet,)


def _from_connack_on(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, ConnAck | Auth):
        tamper.is_in = True
    return (packet,) if getattr(tamper, "is_in", False) else ()


def _good_connack(tamper: Any, packet: Item) -> Iterable[Item]:
    del tamper
    is_broken = isinstance(packet, RawPacket) and packet.packet_type is PacketType.CONNACK
    return (ConnAck(),) if is_broken else (packet,)


def _limits() -> Iterator[Wrong]:
    yield wrong_client(
        "takes_any_alias", "It takes Topic Aliases above its maximum.", v5="MQTT 5.0, 3.3.2.3.4", unwise=True,
        also=("*",), shows=False, from_tester=without(Publish, "topic_alias"),
    )  # fmt: skip
    yield wrong_client(
        "takes_any_number_of_messages", "It takes more messages than its Receive Maximum.", v5="MQTT 5.0, 3.3.4",
        unwise=True, also=("*",), shows=False, task=_hundredfold, from_subject=each(Connect, _a_hundredth),
    )  # fmt: skip


def _hundredfold(task: Task) -> Task:
    if "receive_maximum" not in task.values:
        return task
    return Task(task.name, {**task.values, "receive_maximum": min(100 * task["receive_maximum"], 65_535)})


def _a_hundredth(packet: Connect) -> Connect:
    said = packet.properties
    if "receive_maximum" not in said:
        return packet
    return replace(packet, properties={**said, "receive_maximum": max(said["receive_maximum"] // 100, 1)})


def _methods() -> Iterator[Wrong]:
    yield wrong_client(
        "takes_any_method", "It takes AUTH and CONNACK whatever Authentication Method they name.",
        v5="MQTT 5.0, 4.12", unwise=True, also=("*",), shows=False, from_subject=_note_method,
        from_tester=_with_own_method,
    )  # fmt: skip


def _note_method(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect):
        tamper.method = packet.properties.get("authentication_method")
    return (packet,)


def _with_own_method(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Auth | ConnAck) and "authentication_method" in packet.properties and tamper.method:
        said: Any = {**packet.properties, "authentication_method": tamper.method}
        return (replace(packet, properties=said),)
    return (packet,)


def _requests() -> Iterator[Wrong]:
    yield wrong_client(
        "loses_content_type", "It publishes without the Content Type that it is told.", v5="MQTT-3.3.2-19",
        from_subject=without(Publish, "content_type"),
    )  # fmt: skip
    yield wrong_client(
        "loses_response_topic", "It publishes without the Response Topic that it is told.", v5="MQTT-3.3.2-13",
        from_subject=without(Publish, "response_topic"),
    )  # fmt: skip
    yield wrong_client(
        "asks_for_no_share", "It asks for the filter of a shared subscription only.",
        v5=("MQTT-4.8.2-1", "MQTT-4.8.2-2"), from_subject=each(Subscribe, _unshared),
    )  # fmt: skip
    yield wrong_client(
        "sends_password_alone", "It sends a Password without a User Name.", v311="MQTT-3.1.2-22", also=("*",),
        task=_with_nobody, from_subject=_without_nobody,
    )  # fmt: skip


def _unshared(packet: Subscribe) -> Subscribe:
    subscriptions = [
        replace(one, topic_filter=one.topic_filter.split("/", 2)[2])
        if one.topic_filter.startswith("$share/") and not one.no_local
        else one
        for one in packet.subscriptions
    ]
    return replace(packet, subscriptions=subscriptions)


def _with_nobody(task: Task) -> Task:
    if "password" in task.values and "username" not in task.values:
        return Task(task.name, {**task.values, "username": _NOBODY})
    return task


def _without_nobody(tamper: Any, packet: Item) -> Iterable[Item]:
    """A CONNECT with a Password alone can only be written as bytes."""
    if not isinstance(packet, Connect) or packet.username != _NOBODY:
        return (packet,)
    raw = RawPacket.parse(encode(packet, tamper.version))
    name = _NOBODY.encode()
    body = bytearray(raw.body.replace(len(name).to_bytes(2, "big") + name, b"", 1))
    body[_FLAGS] &= ~_USER_NAME
    return (replace(raw, body=bytes(body)),)
