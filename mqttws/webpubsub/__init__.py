"""Azure Web PubSub's words, without I/O: connection string, Client Access URL, access tokens, roles, limits, topics.

PyJWT is loaded when the first token is made or read, not before.
"""

from mqttws.webpubsub.access import Grants, Pattern, Permission, Roles, check_group
from mqttws.webpubsub.address import MQTT_PATH, ClientAccessUrl, ConnectionString, check_hub, redact
from mqttws.webpubsub.server_topics import SERVER_MESSAGES
from mqttws.webpubsub.tokens import (
    Claims,
    TokenFault,
    TokenRefused,
    claimed_expiry,
    client_access_url,
    key_warning,
    make_token,
    new_access_key,
    read_token,
)

__all__ = [
    "MQTT_PATH",
    "SERVER_MESSAGES",
    "Claims",
    "ClientAccessUrl",
    "ConnectionString",
    "Grants",
    "Pattern",
    "Permission",
    "Roles",
    "TokenFault",
    "TokenRefused",
    "check_group",
    "check_hub",
    "claimed_expiry",
    "client_access_url",
    "key_warning",
    "make_token",
    "new_access_key",
    "read_token",
    "redact",
]
