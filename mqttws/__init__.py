"""MQTT 3.1.1 and 5.0 over WebSocket in pure Python.

``mqttws.codec`` and ``mqttws.session`` are the sans-IO core, ``mqttws.link`` is a whole wire without I/O,
``mqttws.open_client`` the trio client and ``mqttws.endpoint`` a local endpoint that behaves like Azure Web PubSub's.
Every name here is loaded when it is first asked for, so that the core stays as light as it looks: only the client and
the endpoint need trio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mqttws.client import (
        Access,
        Authenticator,
        Client,
        ClientEvent,
        ClientState,
        Connected,
        Deadlines,
        Disconnected,
        Ended,
        Message,
        Messages,
        Proxy,
        PublishResult,
        Receipt,
        Reconnect,
        RenewalFailed,
        SQLiteStore,
        from_callable,
        from_connection_string,
        from_negotiate,
        open_client,
    )
    from mqttws.codec import Subscription, Will
    from mqttws.endpoint import open_endpoint
    from mqttws.errors import (
        AccessExpired,
        AccessFailed,
        AuthenticationFailed,
        CertificateRefused,
        ConnectionLost,
        ConnectRefused,
        DialFailed,
        EventFailed,
        HandshakeRefused,
        HostNotFound,
        LocalProtocolError,
        MalformedPacket,
        MessageExpired,
        MqttError,
        NegotiateRefused,
        PeerSilent,
        ProtocolError,
        ProxyRefused,
        PublishRefused,
        QueueFull,
        RemoteProtocolError,
        ServerDisconnected,
        SessionLost,
        StoreFailed,
        StreamOverflow,
        SubscribeRefused,
        WebSocketClosed,
        WireEnded,
        WireReset,
        WireTruncated,
    )
    from mqttws.session import MemoryStore
    from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode, RetainHandling

__version__ = "0.1.0"

#: The public names, by the room that they live in.
_ROOMS = {
    "client": (
        "Access",
        "Authenticator",
        "Client",
        "ClientEvent",
        "ClientState",
        "Connected",
        "Deadlines",
        "Disconnected",
        "Ended",
        "Message",
        "Messages",
        "Proxy",
        "PublishResult",
        "Receipt",
        "Reconnect",
        "RenewalFailed",
        "SQLiteStore",
        "from_callable",
        "from_connection_string",
        "from_negotiate",
        "open_client",
    ),
    "codec": ("Subscription", "Will"),
    "endpoint": ("open_endpoint",),
    "errors": (
        "AccessExpired",
        "AccessFailed",
        "AuthenticationFailed",
        "CertificateRefused",
        "ConnectRefused",
        "ConnectionLost",
        "DialFailed",
        "EventFailed",
        "HandshakeRefused",
        "HostNotFound",
        "LocalProtocolError",
        "MalformedPacket",
        "MessageExpired",
        "MqttError",
        "NegotiateRefused",
        "PeerSilent",
        "ProtocolError",
        "ProxyRefused",
        "PublishRefused",
        "QueueFull",
        "RemoteProtocolError",
        "ServerDisconnected",
        "SessionLost",
        "StoreFailed",
        "StreamOverflow",
        "SubscribeRefused",
        "WebSocketClosed",
        "WireEnded",
        "WireReset",
        "WireTruncated",
    ),
    "session": ("MemoryStore",),
    "vocabulary": ("ProtocolVersion", "QoS", "ReasonCode", "RetainHandling"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Access",
    "AccessExpired",
    "AccessFailed",
    "AuthenticationFailed",
    "Authenticator",
    "CertificateRefused",
    "Client",
    "ClientEvent",
    "ClientState",
    "ConnectRefused",
    "Connected",
    "ConnectionLost",
    "Deadlines",
    "DialFailed",
    "Disconnected",
    "Ended",
    "EventFailed",
    "HandshakeRefused",
    "HostNotFound",
    "LocalProtocolError",
    "MalformedPacket",
    "MemoryStore",
    "Message",
    "MessageExpired",
    "Messages",
    "MqttError",
    "NegotiateRefused",
    "PeerSilent",
    "ProtocolError",
    "ProtocolVersion",
    "Proxy",
    "ProxyRefused",
    "PublishRefused",
    "PublishResult",
    "QoS",
    "QueueFull",
    "ReasonCode",
    "Receipt",
    "Reconnect",
    "RemoteProtocolError",
    "RenewalFailed",
    "RetainHandling",
    "SQLiteStore",
    "ServerDisconnected",
    "SessionLost",
    "StoreFailed",
    "StreamOverflow",
    "SubscribeRefused",
    "Subscription",
    "WebSocketClosed",
    "Will",
    "WireEnded",
    "WireReset",
    "WireTruncated",
    "__version__",
    "from_callable",
    "from_connection_string",
    "from_negotiate",
    "open_client",
    "open_endpoint",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its room (PEP 562); from then on it is a plain attribute."""
    try:
        room = _ROOM_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
