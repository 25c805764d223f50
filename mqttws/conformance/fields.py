"""Packets in the words of the vectors: plain values that JSON can hold, for comparing decoders of any language.

Binary values are hexadecimal, User Properties lists of pairs, Subscription Identifiers lists; names are those of the
standard. 3.1.1 packets lack what 3.1.1 does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mqttws.codec import Connect, Disconnect, Packet, SubAck, Subscribe, UnsubAck, Unsubscribe

__all__ = ["differences", "fields_of"]


def fields_of(packet: Packet, version: int) -> dict[str, Any]:
    """The fields of a decoded packet. A CONNECT is shown as the version it says."""
    shown: dict[str, Any] = {name: _plain(getattr(packet, name)) for name in packet.__slots__}
    properties = _properties(shown.pop("properties", {}))
    if isinstance(packet, Connect):
        version = shown["protocol_level"] = int(shown.pop("version"))
        shown["protocol_name"] = "MQTT"
        shown["will"] = _will(packet, version)
    elif isinstance(packet, Subscribe):
        names = ("qos", "no_local", "retain_as_published", "retain_handling")[: 1 if version == 4 else 4]
        shown["subscriptions"] = [
            {"filter": one.topic_filter, **{name: _plain(getattr(one, name)) for name in names}}
            for one in packet.subscriptions
        ]
    elif isinstance(packet, Unsubscribe):
        shown["filters"] = shown.pop("topic_filters")
    elif version == 4:
        for name in _absent_in_3_1_1(packet):
            shown.pop(name, None)
    if version == 5 and "properties" in packet.__slots__:
        shown["properties"] = properties
    return {"type": packet.packet_type.name, **shown}


def _absent_in_3_1_1(packet: Packet) -> tuple[str, ...]:
    if isinstance(packet, UnsubAck):
        return ("reason_codes",)
    acknowledges = hasattr(packet, "packet_id") and not isinstance(packet, SubAck)
    return ("reason_code",) if acknowledges or isinstance(packet, Disconnect) else ()


def _will(packet: Connect, version: int) -> dict[str, Any] | None:
    will = packet.will
    if will is None:
        return None
    shown = {name: _plain(getattr(will, name)) for name in ("topic", "payload", "qos", "retain")}
    return {**shown, "properties": _properties(will.properties)} if version == 5 else shown


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _plain(value) for name, value in properties.items()}
    if "user_property" in shown:
        shown["user_property"] = [list(pair) for pair in shown["user_property"]]
    if isinstance(shown.get("subscription_identifier"), int):
        shown["subscription_identifier"] = [shown["subscription_identifier"]]
    return shown


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where ``found`` says something else than ``wanted``; what it does not speak of is no difference.

    1 is as good as true, and nothing as good as null.
    """
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return [
            line
            for name in wanted
            if name in found
            for line in differences(wanted[name], found[name], f"{path}.{name}" if path else name)
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            line
            for index, (one, other) in enumerate(zip(wanted, found, strict=True))
            for line in differences(one, other, f"{path}[{index}]")
        ]
    if wanted == found or (path == "type" and str(found).upper() == wanted):
        return []
    return [f"{path}: {found!r}, not {wanted!r}"]
