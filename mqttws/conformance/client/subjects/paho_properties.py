"""What the tasks say in 5.0, as paho-mqtt's Properties; for paho-mqtt and for aiomqtt, which is built on it."""

from __future__ import annotations

from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqttws.conformance.client.convention import Task

__all__ = ["properties_of", "refusal"]

#: Where each task's properties go, and what paho-mqtt calls them.
_NAMES: Final[dict[str, tuple[int, dict[str, str]]]] = {
    "connect": (
        PacketTypes.CONNECT,
        {
            "session_expiry": "SessionExpiryInterval",
            "receive_maximum": "ReceiveMaximum",
            "maximum_packet_size": "MaximumPacketSize",
        },
    ),
    "subscribe": (PacketTypes.SUBSCRIBE, {"subscription_identifier": "SubscriptionIdentifier"}),
    "publish": (
        PacketTypes.PUBLISH,
        {
            "topic_alias": "TopicAlias",
            "message_expiry": "MessageExpiryInterval",
            "content_type": "ContentType",
            "response_topic": "ResponseTopic",
            "correlation_data": "CorrelationData",
        },
    ),
}


def properties_of(task: Task) -> Properties | None:
    """The properties that a task asks for, None without one."""
    packet_type, names = _NAMES[task.name]
    make: Any = Properties  # not annotated by paho-mqtt
    properties = make(packet_type)
    for name, its_name in names.items():
        if name in task.values:
            setattr(properties, its_name, task[name])
    return None if properties.isEmpty() else properties


def refusal(task: Task) -> str:
    """Why paho-mqtt cannot do this, "" if it can."""
    if task.get("auth_method") is not None or task.name == "reauthenticate":
        return "it does not know AUTH"
    if task.get("topic_alias_maximum"):
        return "it leaves Topic Aliases of the Server to the application"
    if "password" in task.values and "username" not in task.values:
        return "it drops a Password without a User Name"
    return ""
