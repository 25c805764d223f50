"""What clients of Web PubSub's own protocols get: frames of ``json.webpubsub.azure.v1`` and its reliable variant, and
bare messages for those who speak none of them.
"""

from __future__ import annotations

import base64
import json
from typing import Final

from mqttws.endpoint.messages import Message
from mqttws.endpoint.native_frames import CONTENT_TYPES, is_json
from mqttws.webpubsub import SERVER_MESSAGES

__all__ = [
    "ack_frame",
    "bare_message",
    "connected_frame",
    "disconnected_frame",
    "message_frame",
    "pong_frame",
]

_DATA_TYPES: Final = {content_type: data_type for data_type, content_type in CONTENT_TYPES.items()}


def _written(**members: object) -> str:
    return json.dumps({name: value for name, value in members.items() if value is not None}, separators=(",", ":"))


def connected_frame(connection_id: str, user_id: str | None, reconnection_token: str | None) -> str:
    """The first frame to a client, **with the token** that takes the connection up again if it has one."""
    return _written(
        type="system", event="connected", userId=user_id, connectionId=connection_id,
        reconnectionToken=reconnection_token,
    )  # fmt: skip


def disconnected_frame(reason: str) -> str:
    """The last frame to a client, before our Close frame."""
    return _written(type="system", event="disconnected", message=reason)


def pong_frame() -> str:
    """The answer to a ping."""
    return _written(type="pong")


def ack_frame(ack_id: int, error: tuple[str, str] | None = None) -> str:
    """The answer to a request; ``error`` is name and text of why it failed."""
    told = None if error is None else {"name": error[0], "message": error[1]}
    return _written(type="ack", ackId=ack_id, success=error is None, error=told)


def message_frame(message: Message, sequence_id: int | None = None) -> str:
    """A message to a client. ``sequence_id`` is for reliable ones.

    Text and JSON are passed on as such where the payload is what its content type says, and else as binary (inferred).
    """
    data_type, data = _data(message)
    is_from_server = message.topic == SERVER_MESSAGES
    head = _written(
        type="message", sequenceId=sequence_id, **{"from": "server" if is_from_server else "group"},
        group=None if is_from_server else message.topic, fromUserId=message.user_id, dataType=data_type,
    )  # fmt: skip
    return f'{head[:-1]},"data":{data}}}'


def _data(message: Message) -> tuple[str, str]:
    """Data type of a message, and its data as JSON spells it."""
    data_type = _data_type(message)
    if data_type == "json" and is_json(message.payload):
        return data_type, message.payload.decode()
    if data_type == "text" and isinstance(text := bare_message(message), str):
        return data_type, json.dumps(text)
    encoded = base64.b64encode(message.payload).decode()
    return "protobuf" if data_type == "protobuf" else "binary", f'"{encoded}"'


def _data_type(message: Message) -> str:
    """By the content type without its parameters; without one it is binary (documented)."""
    content_type = message.properties.get("content_type", "").partition(";")[0].strip().lower()
    return _DATA_TYPES.get(content_type, "binary")


def bare_message(message: Message) -> str | bytes:
    """A message to a client without a protocol: text and JSON in a text frame, others in a binary one (documented)."""
    if _data_type(message) in ("json", "text"):
        try:
            return message.payload.decode()
        except UnicodeDecodeError:
            pass
    return message.payload
