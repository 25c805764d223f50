"""What :func:`~mqttws.client.opening.open_client` is told, checked before anything is dialled."""

from __future__ import annotations

import secrets
import ssl
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final, cast

from mqttws.client.authentication import Authenticator, Conversation
from mqttws.client.policy import Verdict, verdict
from mqttws.client.profiles import Profile
from mqttws.client.reconnect import Reconnect
from mqttws.codec import Connect, Will, encode
from mqttws.codec.properties import AuthProperties, ConnectProperties
from mqttws.session import DurableStore, Session, Store
from mqttws.trace import Recorder
from mqttws.transport import Dial
from mqttws.vocabulary import ProtocolVersion

__all__ = ["MIB", "Deadlines", "Options", "new_client_id"]

MIB: Final = 1_048_576

#: How long a Server is asked to keep the Session of a Client that comes back; Web PubSub keeps one for no longer.
KEPT_FOR: Final = 30

_ALPHANUMERIC: Final = string.ascii_letters + string.digits

#: CONNECT properties that have an argument of their own, or that need more than a value.
_NOT_IN_PROPERTIES: Final = {
    "session_expiry_interval": "pass it as session_expiry_interval",
    "receive_maximum": "pass it as receive_maximum",
    "maximum_packet_size": "pass it as maximum_packet_size",
    "topic_alias_maximum": "pass it as topic_alias_maximum",
    "authentication_method": "pass an authenticator",
    "authentication_data": "pass an authenticator",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Bounds for what happens behind the caller's back, in seconds.

    ``access``: the function that says where to connect. ``dial``: DNS, TCP, the proxy's answer and TLS.
    ``handshake``: the WebSocket handshake. ``connack``: the Server's answer to CONNECT. ``ping``: PINGRESP after
    PINGREQ (None: half the Keep Alive). ``linger``: when the block is left, for the exchanges under way, and once more
    for the farewell.
    """

    access: float = 30.0
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
    topic_aliases: bool = False
    topic_alias_maximum: int = 0
    authenticator: Authenticator | None = field(default=None, repr=False)
    reconnect: Reconnect | None = None
    renew_before: float | None = None
    follow_redirects: bool = False
    #: Gets to know every byte of every connection.
    recorder: Recorder | None = field(default=None, init=False, repr=False)
    #: Whether the client id was made here: nobody else can have a Session under it.
    unique: bool = field(default=False, init=False)
    #: Whether the Session ends when the block is left: nobody can ask for it again.
    forgets_session: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.receive_maximum <= 65_535:
            raise ValueError(f"receive_maximum is 1 to 65535, not {self.receive_maximum}")
        if not 0 <= self.topic_alias_maximum <= 65_535:
            raise ValueError(f"topic_alias_maximum is 0 to 65535, not {self.topic_alias_maximum}")
        if self.authenticator is not None and self.version != ProtocolVersion.V5:
            raise ValueError("an authenticator needs version 5: 3.1.1 knows no enhanced authentication")
        for name, advice in _NOT_IN_PROPERTIES.items():
            if name in (self.properties or {}):
                raise ValueError(f"{name} does not belong into properties: {advice}")
        durable = self.store if isinstance(self.store, DurableStore) else None
        if self.client_id is None and durable is not None:
            self.client_id = durable.client_id
        if self.client_id is None:
            self.client_id = new_client_id()
            self.unique = True
        self._settle_session()
        if durable is not None:
            if self.clean_start:
                raise ValueError("clean_start=True would throw away what the store has kept: take a new one for that")
            durable.claim(self.client_id)

    def _settle_session(self) -> None:
        if self.session_expiry_interval is None:
            self.session_expiry_interval = KEPT_FOR if self.comes_back else 0
            new = self.version == ProtocolVersion.V5
            self.forgets_session = new and self.unique and self.store is None and bool(self.session_expiry_interval)
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
        if self.renew_before is not None and not (self.renew_before > 0 and self.keeps_session):
            raise ValueError(
                "renew_before is seconds above 0, and needs a session_expiry_interval: else it loses messages"
            )

    @property
    def comes_back(self) -> bool:
        """Whether there is anything to keep a Session for: a store, or a client that reconnects.

        In 3.1.1 a Server that assigns the identifier does not tell it, so nobody can ask for that Session again.
        """
        if self.version == ProtocolVersion.V3_1_1 and not self.client_id:
            return False
        return self.store is not None or self.reconnect is not None

    def verdict(self, error: Exception) -> Verdict:
        """What the policy says about a failure; where redirects are not followed, they are one."""
        found = verdict(error)
        return Verdict.GIVE_UP if found is Verdict.REDIRECT and not self.follow_redirects else found

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
        """Whether a connection with CleanSession 1 has to go first: 3.1.1 cannot start clean and keep the Session.

        Not for an identifier that was made here: there is no Session of before.
        """
        old = self.version == ProtocolVersion.V3_1_1
        return old and bool(self.clean_start) and self.keeps_session and not self.unique

    def connect_packet(
        self,
        profile: Profile,
        *,
        wiping: bool = False,
        resuming: bool = False,
        authentication: AuthProperties | None = None,
    ) -> Connect:
        """The CONNECT, checked as far as it can be checked here.

        With ``wiping`` the short one that only ends an old 3.1.1 Session; no Will may come of it. With ``resuming`` one
        that goes on with the Session of the connection before, whatever was asked of the first. ``authentication`` is
        what the :meth:`conversation` begins with. Raises
        :class:`~mqttws.errors.LocalProtocolError` for what MQTT or the profile forbids.
        """
        properties: ConnectProperties = {}
        if self.version == ProtocolVersion.V5:
            properties |= {
                "session_expiry_interval": self.session_expiry_interval or 0,
                "receive_maximum": self.receive_maximum,
                "maximum_packet_size": self.maximum_packet_size,
            }
            if self.topic_alias_maximum:
                properties["topic_alias_maximum"] = self.topic_alias_maximum
        properties |= self.properties or {}
        if authentication:
            users = [*properties.get("user_property", ()), *authentication.get("user_property", ())]
            properties |= cast("ConnectProperties", authentication)  # a Reason String is refused by the encoder
            if users:
                properties["user_property"] = users
        assert self.client_id is not None  # settled above
        # 3.1.1 says both with one flag, CleanSession: where to start, and whether to keep it.
        new = self.version == ProtocolVersion.V5
        clean_start = bool(self.clean_start) and not resuming if new else wiping or not self.keeps_session
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

    def conversation(self) -> Conversation | None:
        """The exchange of AUTH on a new connection; None without an authenticator."""
        if self.authenticator is None:
            return None
        return Conversation(self.authenticator, self.deadlines.connack)

    def held_session(self) -> Session:
        """The Session that lives as long as the client: empty, or what the store has of one.

        A clean start with a store writes over what the store had.
        """
        return Session() if self.store is None else Session(self.store.load(), durable=True)
