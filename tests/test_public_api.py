"""The public names: which there are, where they come from, and what asking for them loads."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import mqttws

PUBLIC = [
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

#: Every module whose ``__all__`` is a promise, and names that other people's code may rely on.
ROOMS = {
    "mqttws.client": {
        "open_client",
        "Client",
        "Message",
        "Messages",
        "Receipt",
        "PublishResult",
        "Deadlines",
        "Access",
    },
    "mqttws.transport": {"Pump", "dial", "dial_through", "Proxy", "open_http_pool"},
    "mqttws.session": {"Connection", "Session", "Store", "MemoryStore", "Closed", "Delivered"},
    "mqttws.codec": {"encode", "decode", "Framer", "RawPacket", "Publish", "Connect"},
    "mqttws.trace": {"Recorder", "read_trace", "pcapng"},
    "mqttws.link": {"Link", "LinkEvent", "Upgrade", "Opened"},
    "mqttws.errors": {"MqttError", "LocalProtocolError", "RemoteProtocolError", "MalformedPacket"},
}


def test_the_public_names_are_these() -> None:
    assert sorted(mqttws.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_is_listed(name: str) -> None:
    assert getattr(mqttws, name) is not None
    assert name in dir(mqttws)


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mqttws' has no attribute 'open_clinet'"):
        mqttws.open_clinet  # noqa: B018 - asking is the test


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_offers_what_others_rely_on(room: str) -> None:
    module = import_module(room)
    assert ROOMS[room] <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that are loaded after a statement, in a fresh interpreter."""
    code = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import mqttws", {"trio", "wsproto", "h11", "jwt", "ssl", "hypothesis", "rich", "logging"}),
        ("import mqttws.codec, mqttws.session", {"trio", "wsproto", "h11", "jwt", "ssl", "hypothesis"}),
        ("from mqttws import MqttError, Will, MemoryStore", {"trio", "wsproto", "h11", "jwt"}),
        ("import mqttws.link", {"trio", "jwt", "hypothesis"}),
        ("from mqttws import open_client", {"jwt", "hypothesis", "rich", "pytest"}),
    ],
)
def test_what_is_not_needed_is_not_loaded(statement: str, absent: set[str]) -> None:
    assert loaded_by(statement) & absent == set()
