"""Wrong Clients that send whatever they are told, be it forbidden.

The correct Client would refuse it. So what is forbidden is masked in its tasks, and shown again on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from mqttws.codec import Packet, RawPacket, encode
from mqttws.conformance.client.convention import Task
from mqttws.conformance.wrong.entry import Wrong, wrong_client
from mqttws.conformance.wrong.proxy import Item

__all__ = ["entries"]

#: What no good Client sends, and what stands for it on the way through the correct one.
_MASKS: Final = {"+": "\ue001", "#": "\ue002", "\0": "\ue003", "": "\ue004", "$share": "\ue005"}
_TEXTS: Final = ("topic", "topic_filter", "response_topic", "client_id")


def entries() -> Iterator[Wrong]:
    """All of them."""
    for name, what, characters, v5, v311 in (
        ("wildcards", "wildcards where none may be", "+#",
         ("MQTT-3.3.2-2", "MQTT-4.7.0-1", "MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-3.3.2-14"),
         ("MQTT-3.3.2-2", "MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-4.7.1-3")),
        ("nul", "U+0000", "\0", ("MQTT-4.7.3-2", "MQTT-3.8.3-1", "MQTT-3.3.2-1", "MQTT-1.5.4-2"),
         ("MQTT-4.7.3-2", "MQTT-3.8.3-1", "MQTT-3.3.2-1", "MQTT-1.5.3-2")),
        ("nothing", "empty topics and filters", ("",), "MQTT-4.7.3-1", ("MQTT-4.7.3-1", "MQTT-3.1.3-7")),
        ("shares", "shared subscriptions that are none", ("$share",),
         ("MQTT-4.8.2-1", "MQTT-4.8.2-2", "MQTT-3.8.3-4"), ()),
    ):  # fmt: skip
        yield wrong_client(
            f"sends_{name}_it_is_told", f"It sends {what} when it is told to.", v5=v5, v311=v311, also=("*",),
            task=_masking(tuple(characters)), from_subject=_unmasked,
        )  # fmt: skip
    yield wrong_client(
        "cuts_long_topics", "It cuts topics and filters to 65,535 bytes.",
        v5="MQTT-4.7.3-3", v311="MQTT-4.7.3-3",
        task=_cut,
    )  # fmt: skip


def _masking(texts: tuple[str, ...]) -> Callable[[Task], Task]:
    def understand(task: Task) -> Task:
        values = dict(task.values)
        for name in _TEXTS:
            if name in values:
                values[name] = _masked(str(values[name]), texts)
        return Task(task.name, values)

    return understand


def _masked(text: str, texts: tuple[str, ...]) -> str:
    if not text:
        return _MASKS[""] if "" in texts else text
    for one in texts:
        text = text.replace(one, _MASKS[one]) if one else text
    return text


def _unmasked(tamper: Any, packet: Item) -> Iterable[Item]:
    """The packet with what it was to say; it can only be written as bytes."""
    if isinstance(packet, bytes | RawPacket):
        return (packet,)
    texts = [text for text in _texts_of(packet) if any(mask in text for mask in _MASKS.values())]
    if not texts:
        return (packet,)
    raw = RawPacket.parse(encode(packet, tamper.version))
    for text in texts:
        meant = text
        for wanted, mask in _MASKS.items():
            meant = meant.replace(mask, wanted)
        raw = replace(raw, body=raw.body.replace(_as_text(text), _as_text(meant), 1))
    return (raw,)


def _texts_of(packet: Packet) -> Iterator[str]:
    for name in ("topic", "client_id"):
        yield getattr(packet, name, "")
    yield from getattr(packet, "topic_filters", ())
    yield from (one.topic_filter for one in getattr(packet, "subscriptions", ()))


def _as_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _cut(task: Task) -> Task:
    values = {name: task[name][:65_535] for name in ("topic", "topic_filter") if name in task.values}
    return Task(task.name, {**task.values, **values})
