"""What there is to see at a packet, by name: so that a rule about Wills counts as kept only where a Will was sent."""

from __future__ import annotations

from collections.abc import Iterator

from mqttws.codec import ConnAck, Connect, Packet, Publish, Subscribe, Unsubscribe

__all__ = ["traits_of"]

#: Properties that are text; User Properties are pairs of it.
_TEXT = ("assigned_client_identifier", "authentication_method", "content_type", "reason_string", "response_information",
         "response_topic", "server_reference")  # fmt: skip


def traits_of(packet: Packet) -> Iterator[str]:
    """The kind of the packet (``PUBLISH``), what is special about it (``PUBLISH qos 1``), and its properties.

    A property stands by its name and by that behind its packet; ``text`` is any property that holds text.
    """
    kind = packet.packet_type.name
    yield kind
    properties = getattr(packet, "properties", {})
    for name in properties:
        yield name
        yield f"{kind} {name}"
    if any(name in properties for name in _TEXT):
        yield "text"
    match packet:
        case Connect():
            for name in ("will", "username", "password"):
                yield f"CONNECT {'no ' if getattr(packet, name) is None else ''}{name}"
            if not packet.client_id:
                yield "CONNECT empty client_id"
        case ConnAck() if packet.reason_code:
            yield "CONNACK refusal"
        case Publish():
            yield f"PUBLISH qos {packet.qos:d}"
            if packet.qos:
                yield "PUBLISH packet_id"
        case Subscribe():
            for one in packet.subscriptions:
                yield from _filter_traits(one.topic_filter)
        case Unsubscribe():
            for topic_filter in packet.topic_filters:
                yield from _filter_traits(topic_filter)


def _filter_traits(topic_filter: str) -> Iterator[str]:
    if topic_filter.startswith("$share/"):
        yield "filter shared"
    for sign in "#+":
        if sign in topic_filter:
            yield f"filter {sign}"
