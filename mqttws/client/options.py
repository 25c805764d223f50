"""What :func:`~mqttws.client.client.open_client` is told, checked before anything is dialled."""

from __future__ import annotations

import secrets
import ssl
import string
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Protocol, TypeAlias

import trio

from mqttws.client.profiles import Profile
from mqttws.codec import Connect, Will, encode
from mqttws.codec.properties import ConnectProperties
from mqttws.session import Session, Store
from mqttws.vocabulary import ProtocolVersion

__all__ = ["MIB", "Access", "Deadlines", "Dial", "Options", "UrlSource", "new_client_id"]

MIB: Final = 1_048_576

#: How long a Server is asked to keep the Session of a Client with a store; Web PubSub keeps one for no longer.
KEPT_FOR: Final = 30

_ALPHANUMERIC: Final = string.ascii_letters + string.digits

#: CONNECT properties that have an argument of their own, or that need more than a value.
_NOT_IN_PROPERTIES: Final = {
    "session_expiry_interval": "pass it as session_expiry_interval",
    "receive_maximum": "pass it as receive_maximum",
    "maximum_packet_size": "pass it as maximum_packet_size",
    "authentication_method": "the client takes no part in enhanced authentication",
    "authentication_data": "the client takes no part in enhanced authentication",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Where to connect, and with which headers: what a URL provider may return instead of a plain URL.

    ``headers`` are added to those of ``open_client``. Neither shows in ``repr``, since both may hold an access token.
    """

    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)


#: A ``ws://`` or ``wss://`` URL, or a function that is awaited for one at each connection.
UrlSource: TypeAlias = str | Callable[[], Awaitable[str | Access]]


class Dial(Protocol):
    """How a stream to a Server is opened; :func:`mqttws.transport.dial` unless the caller knows another way."""

    async def __call__(
        self, host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None
    ) -> trio.abc.Stream:
        """A stream, with TLS if ``secure``; or :class:`~mqttws.errors.ConnectionLost`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Bounds for what happens behind the caller's back, in seconds.

    ``dial``: DNS, TCP and TLS. ``handshake``: the WebSocket handshake. ``connack``: the Server's answer to CONNECT.
    ``ping``: PINGRESP after PINGREQ (None: half the Keep Alive). ``linger``: when the block is left, for the exchanges
    under way, and once more for the farewell.
    """

    dial: float = 10.0
    handshake: float = 10.0
    connack: float = 10.0
    ping: float | None = None
    linger: float = 2.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None and not value > 0:
                raise ValueError(f"Deadlines: {item.name} is a number of seconds above 0, not {value!r}")


def new_client_id() -> str:
    """20 random letters and digits: every Server has to take them [MQTT-3.1.3-5], Web PubSub included."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(20))


@dataclass(slots=True, kw_only=True)
class Options:
    """The arguments of ``open_client``, with their defaults settled; see there for what they mean."""

    version: ProtocolVersion
    client_id: str | None
    clean_start: bool | None
    session_expiry_interval: int | None
    keep_alive: int
    username: str | None
    password: bytes | str | None = field(repr=False)
    will: Will | None
    properties: ConnectProperties | None
    headers: Sequence[tuple[str, str]] = field(repr=False)
    ssl_context: ssl.SSLContext | None
    dial: Dial
    deadlines: Deadlines
    store: Store | None
    receive_maximum: int
    maximum_packet_size: int

    def __post_init__(self) -> None:
        if not 1 <= self.receive_maximum <= 65_535:
            raise ValueError(f"receive_maximum is 1 to 65535, not {self.receive_maximum}")
        for name, advice in _NOT_IN_PROPERTIES.items():
            if name in (self.properties or {}):
                raise ValueError(f"{name} does not belong into properties: {advice}")
        if self.client_id is None:
            self.client_id = new_client_id()
        self._settle_session()

    def _settle_session(self) -> None:
        if self.session_expiry_interval is None:
            self.session_expiry_interval = KEPT_FOR if self.store is not None else 0
        elif not 0 <= self.session_expiry_interval <= 0xFFFF_FFFF:
            raise ValueError("session_expiry_interval is 0 to 4294967295 seconds")
        elif self.session_expiry_interval == 0 and self.store is not None:
            raise ValueError(
                "session_expiry_interval=0 ends the Session with the connection: a store has nothing to keep"
            )
        if self.clean_start is None:
            self.clean_start = self.store is None
        if not self.clean_start and not self.client_id:
            raise ValueError("clean_start=False needs a client_id: only the Server knows one that it assigns")

    @property
    def keeps_session(self) -> bool:
        """Whether the Session is to outlive the connection.

        3.1.1 has no expiry: a Session that is resumed there is also kept [3.1.1: MQTT-3.1.2-4, MQTT-3.1.2-6].
        """
        if self.version == ProtocolVersion.V3_1_1 and not self.clean_start:
            return True
        return bool(self.session_expiry_interval)

    @property
    def needs_wiping(self) -> bool:
        """Whether a connection with CleanSession 1 has to go first: 3.1.1 cannot start clean and keep the Session."""
        return self.version == ProtocolVersion.V3_1_1 and bool(self.clean_start) and self.keeps_session

    def connect_packet(self, profile: Profile, *, wiping: bool = False) -> Connect:
        """The CONNECT, checked as far as it can be checked here.

        With ``wiping`` the short one that only ends an old 3.1.1 Session; no Will may come of it. Raises
        :class:`~mqttws.errors.LocalProtocolError` for what MQTT or the profile forbids.
        """
        properties: ConnectProperties = {}
        if self.version == ProtocolVersion.V5:
            properties |= {
                "session_expiry_interval": self.session_expiry_interval or 0,
                "receive_maximum": self.receive_maximum,
                "maximum_packet_size": self.maximum_packet_size,
            }
        properties |= self.properties or {}
        assert self.client_id is not None  # settled above
        # 3.1.1 says both with one flag, CleanSession: where to start, and whether to keep it.
        new = self.version == ProtocolVersion.V5
        clean_start = bool(self.clean_start) if new else wiping or not self.keeps_session
        password = self.password.encode() if isinstance(self.password, str) else self.password
        packet = Connect(
            version=self.version,
            client_id=self.client_id,
            clean_start=clean_start,
            keep_alive=self.keep_alive,
            username=self.username,
            password=password,
            will=None if wiping else self.will,
            properties=properties,
        )
        profile.check_connect(packet)
        encode(packet)
        return packet

    def held_session(self) -> Session | None:
        """The Session that the Client holds when it connects, None if none.

        ``clean_start=False`` without a store says that an empty one is held: the Server may resume, and nothing of ours
        is under way. A clean start with a store writes over what the store had.
        """
        if self.store is not None:
            return Session(self.store.load(), durable=True)
        return None if self.clean_start else Session()
