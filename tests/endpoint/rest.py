"""REST requests to an endpoint, signed as the SDKs do it."""

from __future__ import annotations

import json
import time
from typing import Any

from mqttws.endpoint import Endpoint
from mqttws.http import Request, Response
from mqttws.webpubsub import make_token

__all__ = ["call", "error_of", "signed"]


def signed(endpoint: Endpoint, target: str, key: str | None = None, lifetime: float = 60) -> str:
    """The token for a request to ``target``."""
    return make_token(key or endpoint.keys[0], endpoint.address + target, now=time.time(), lifetime=lifetime)


async def call(
    endpoint: Endpoint,
    method: str,
    target: str,
    body: bytes = b"",
    *headers: tuple[str, str],
    token: str | None = None,
) -> Response:
    """The answer to a request below ``/api/hubs/chat/``, or to one with a whole path."""
    if not target.startswith("/"):
        target = f"/api/hubs/chat/{target}"
    token = signed(endpoint, target) if token is None else token
    given = (("authorization", f"Bearer {token}"), *headers)
    return await endpoint.http(Request(method, target, given, body), "test")


def error_of(response: Response) -> tuple[int, str, str]:
    """Status, code and message of a refusal; the code stands in a header as well."""
    body: dict[str, Any] = json.loads(response.body)
    assert dict(response.headers)["x-ms-error-code"] == body["code"]
    return response.status, body["code"], body["message"]
