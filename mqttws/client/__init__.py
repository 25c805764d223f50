"""The trio client: :func:`open_client` and what it hands out."""

from mqttws.client.client import Client
from mqttws.client.dispatch import Counters
from mqttws.client.inbox import Message, Messages
from mqttws.client.lifetime import ClientState
from mqttws.client.opening import open_client
from mqttws.client.options import Access, Deadlines
from mqttws.client.outgoing import PublishResult, Receipt
from mqttws.client.sqlite_store import SQLiteStore

__all__ = [
    "Access",
    "Client",
    "ClientState",
    "Counters",
    "Deadlines",
    "Message",
    "Messages",
    "PublishResult",
    "Receipt",
    "SQLiteStore",
    "open_client",
]
