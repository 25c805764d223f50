"""The trio client: :func:`open_client` and what it hands out."""

from mqttws.client.access import Access
from mqttws.client.authentication import Authenticator
from mqttws.client.client import Client
from mqttws.client.dispatch import Counters
from mqttws.client.inbox import Message, Messages
from mqttws.client.opening import open_client
from mqttws.client.options import Deadlines
from mqttws.client.providers import from_callable, from_connection_string, from_negotiate
from mqttws.client.receipts import PublishResult, Receipt
from mqttws.client.reconnect import Reconnect
from mqttws.client.sqlite_store import SQLiteStore
from mqttws.client.state import ClientEvent, ClientState, Connected, Disconnected, Ended, RenewalFailed
from mqttws.client.window import Holder, Window
from mqttws.transport import Proxy

__all__ = [
    "Access",
    "Authenticator",
    "Client",
    "ClientEvent",
    "ClientState",
    "Connected",
    "Counters",
    "Deadlines",
    "Disconnected",
    "Ended",
    "Holder",
    "Message",
    "Messages",
    "Proxy",
    "PublishResult",
    "Receipt",
    "Reconnect",
    "RenewalFailed",
    "SQLiteStore",
    "Window",
    "from_callable",
    "from_connection_string",
    "from_negotiate",
    "open_client",
]
