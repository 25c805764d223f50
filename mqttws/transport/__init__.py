"""The first rooms that wait: from an address to a stream, and between a stream and a link (trio)."""

from mqttws.transport.committer import Committer
from mqttws.transport.dial import dial
from mqttws.transport.http_client import HttpPool, open_http_pool
from mqttws.transport.http_url import HttpUrl
from mqttws.transport.proxy import Dial, Proxy, ProxySetting, dial_through
from mqttws.transport.pump import Pump

__all__ = [
    "Committer",
    "Dial",
    "HttpPool",
    "HttpUrl",
    "Proxy",
    "ProxySetting",
    "Pump",
    "dial",
    "dial_through",
    "open_http_pool",
]
