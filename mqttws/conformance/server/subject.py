"""A Server under test: where it is, how one gets in, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.target import Target
from mqttws.vocabulary import ProtocolVersion

__all__ = ["CAPABILITIES", "CLIENT_IDS", "Account", "ServerSubject"]

#: What Client Identifiers begin with, unless the Server wants something else.
CLIENT_IDS = "c"

#: What a Server may offer or not, as checks name it in ``needs``.
CAPABILITIES = frozenset(
    (
        "qos1", "qos2", "retain", "wildcard", "shared", "will", "session_expiry", "topic_alias", "receive_maximum",
        "subscription_identifier", "empty_client_id", "second_credentials",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """Who is let in: what its CONNECT says, and the URL it goes to."""

    target: Target
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class ServerSubject:
    """A Server, and what was found out about it before the checks.

    ``second`` is another account, of which Sessions and messages are to be kept apart. ``topics`` stands in front of
    every topic, ``client_ids`` in front of every Client Identifier, and ``properties`` are in every 5.0 CONNECT.
    ``capabilities`` and ``offers`` (the properties of CONNACK) are by version; a version that is not there is not
    spoken. ``patience`` are the seconds that something owed may take.
    """

    account: Account
    second: Account | None = None
    topics: str = "mqttws/conform"
    client_ids: str = CLIENT_IDS
    properties: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    patience: float = 2.0
    capabilities: dict[ProtocolVersion, frozenset[str]] = field(default_factory=dict)
    offers: dict[ProtocolVersion, Mapping[str, Any]] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
