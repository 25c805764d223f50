"""Our tokens and Client Access URLs against those of the official Python SDK, claim by claim. Nothing goes out."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest

from mqttws.webpubsub import ClientAccessUrl, ConnectionString, Roles, client_access_url, read_token

KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"


def sdk_client(connection_string: str, hub: str) -> Any:
    """The SDK's client; without the package the test ends here: skipped for a user, failed in CI."""
    try:
        from azure.messaging.webpubsubservice import WebPubSubServiceClient
    except ImportError:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end("azure-messaging-webpubsubservice is not installed (pip install --group interop)")
    return WebPubSubServiceClient.from_connection_string(connection_string, hub=hub)


def parts_of(token: str) -> tuple[bytes, bytes]:
    """Header and payload as they were signed."""
    header, payload, _ = token.split(".")
    return base64.urlsafe_b64decode(header + "=="), base64.urlsafe_b64decode(payload + "==")


CONNECTION_STRINGS = [
    f"Endpoint=https://demo.webpubsub.azure.com;AccessKey={KEY};Version=1.0;",
    f"accesskey={KEY};endpoint=https://Demo.webpubsub.azure.com/;",
    f"Endpoint=http://localhost;Port=8080;AccessKey={KEY};Version=1.0;",
    f"Endpoint=http://127.0.0.1:8080;AccessKey={KEY};Version=1.0;",
]


@pytest.mark.parametrize("connection_string", CONNECTION_STRINGS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"user_id": "u1"}, {"user_id": "u1"}),
        ({"user_id": "", "roles": (), "groups": ()}, {"user_id": "", "roles": [], "groups": []}),
        (
            {"user_id": "jürgen", "roles": Roles.everything(), "groups": ["g0", "räume/1"], "lifetime": 300},
            {
                "user_id": "jürgen",
                "roles": list(Roles.everything()),
                "groups": ["g0", "räume/1"],
                "minutes_to_expire": 5,
            },
        ),
    ],
    ids=["bare", "user", "empty", "everything"],
)
def test_the_token_is_the_sdks_byte_for_byte(
    connection_string: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    made = sdk_client(connection_string, "chat").get_client_access_token(client_protocol="MQTT", **theirs)
    header, payload = parts_of(made["token"])
    issued = json.loads(payload)["iat"]
    # The SDK asks the clock twice; if a second passed in between, its token lives a second longer than it was told to.
    lifetime = json.loads(payload)["exp"] - issued
    assert lifetime - ours.get("lifetime", 3600) in (0, 1)

    url = client_access_url(connection_string, "chat", **(ours | {"lifetime": lifetime, "now": issued}))
    assert url == made["url"]
    assert parts_of(url.split("?access_token=")[1]) == (header, payload)
    assert ClientAccessUrl.parse(url).token == made["token"]


def test_the_sdks_token_opens_our_door() -> None:
    parsed = ConnectionString.parse(CONNECTION_STRINGS[2])
    made = sdk_client(CONNECTION_STRINGS[2], "chat").get_client_access_token(
        client_protocol="mqtt", user_id="u1", roles=list(Roles.publish("a")), groups=["g"], jwt_headers={"kid": "k1"}
    )
    issued = json.loads(parts_of(made["token"])[1])["iat"]
    claims = read_token(made["token"], ["other", KEY], [parsed.audience("chat")], now=issued)
    assert (claims.user_id, claims.roles, claims.groups) == ("u1", Roles.publish("a"), ("g",))


@pytest.mark.parametrize("text", ["", f"AccessKey={KEY}", "Endpoint=https://demo.example", f"{KEY};Endpoint=https://x"])
def test_what_the_sdk_refuses_as_a_connection_string_we_refuse_too(text: str) -> None:
    with pytest.raises(ValueError, match=r"missing|Malformed"):
        sdk_client(text, "chat")
    with pytest.raises(ValueError, match="connection string"):
        ConnectionString.parse(text)
