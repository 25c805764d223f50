"""What Azure Web PubSub's MQTT endpoint takes and what not, as its documentation says; measured by nobody here.

The client's profile checks against these before it sends, and the local endpoint enforces them; the endpoint's settings
change its own limits only. Lengths count characters, sizes bytes, times seconds.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "CLIENT_ID_LENGTH",
    "KEEP_ALIVE_MAXIMUM",
    "MAXIMUM_PACKET_SIZE",
    "MESSAGE_LIFETIME_MAXIMUM",
    "SESSION_EXPIRY_MAXIMUM",
    "TOPIC_LENGTH",
    "WILL_PAYLOAD_LIMIT",
    "client_id_rule",
    "content_type_fault",
    "topic_fault",
]

# "MQTT connection parameters": breaking one of these gets the connection rejected.
CLIENT_ID_LENGTH: Final = 128
#: In 3.1.1, where 0 is refused too; in 5.0 Server Keep Alive can say it.
KEEP_ALIVE_MAXIMUM: Final = 180
#: Of a Will Topic; names of groups, which topics are, have the same in the REST API.
TOPIC_LENGTH: Final = 1_024
WILL_PAYLOAD_LIMIT: Final = 2_000

#: "Support status": how long a Session outlives its connection.
SESSION_EXPIRY_MAXIMUM: Final = 30
#: "Service internals": one WebSocket message.
MAXIMUM_PACKET_SIZE: Final = 1_048_576
#: REST, ``messageTtlSeconds``: how long a message may wait for a client.
MESSAGE_LIFETIME_MAXIMUM: Final = 300

_MIME_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}(?:\s*;.*)?", re.ASCII | re.DOTALL)


def client_id_rule(*, underscore: bool = False, length: int = CLIENT_ID_LENGTH) -> str:
    """The rule for client ids, as people and regular expressions read it.

    The documentation knows letters and digits only; maintainers announced later that ``_`` would be taken.
    """
    return f"[0-9A-Za-z{'_' if underscore else ''}]{{1,{length}}}"


def topic_fault(topic: str, length: int = TOPIC_LENGTH) -> str | None:
    """What is wrong with a topic as the name of a group: blank, or too long. None if nothing is."""
    if not topic.strip():
        return "a topic has at least one character that is not white space"
    if len(topic) > length:
        return f"a topic has at most {length} characters, this one has {len(topic)}"
    return None


def content_type_fault(content_type: str | None) -> str | None:
    """What is wrong with the content type of an event: set, and no MIME type. None if nothing is."""
    if content_type is None or _MIME_TYPE.fullmatch(content_type):
        return None
    return "the content type of an event is a MIME type"
