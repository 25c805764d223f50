"""What a Client asks for before there is a WebSocket, and what it takes for an answer: wrong ones are told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from mqttws.conformance.verdict import Verdict
from tests.conformance.client.trying import is_told

FAILED = Verdict.FAILED


def asking(old: bytes, new: bytes) -> dict[str, Callable[[Any, bytes], bytes]]:
    """The Client's request has something else in the place of what fits, in any case of letters."""
    return {"head": lambda _, head: re.sub(old, new, head, flags=re.IGNORECASE)}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"^GET", b"PUT", "the request is 'PUT "),
        (b"\r\nHost:", b"\r\nGuest:", "0 headers Host"),
        (b"\r\nUpgrade: [^\r]*", b"", "no Upgrade: websocket"),
        (b"\r\nConnection: [^\r]*", b"", "no Connection: Upgrade"),
        (b"Version: 13", b"Version: 12", "no Sec-WebSocket-Version: 13"),
        (b"Key: [^\r]*", b"Key: c2hvcnQ=", "Sec-WebSocket-Key is not 16 bytes"),
        (b"Key: [^\r]*", b"Key: !", "Sec-WebSocket-Key is not 16 bytes"),
    ],
)
def test_a_bad_request_is_told(old: bytes, new: bytes, why: str) -> None:
    is_told("bad_websocket_request", "5.0", asking(old, new), FAILED, why)


def test_a_client_without_the_subprotocol_is_told() -> None:
    wire = asking(b"\r\nSec-WebSocket-Protocol: [^\r]*", b"")
    is_told("offers_no_mqtt_subprotocol", "3.1.1", wire, FAILED, "it offers no subprotocol")


def test_a_key_that_is_always_the_same_is_told() -> None:
    wire = asking(b"Key: [^\r]*", b"Key: YWx3YXlzIHRoZSBzYW1lIQ==")
    is_told("same_key_again", "5.0", wire, FAILED, "two requests have the same")


def good(_: Any, head: bytes) -> bytes:
    """Whatever the Server answers, the Client sees a good subprotocol, no extension and an Upgrade."""
    for old, new in (
        (rb"Protocol: soap", b"Protocol: mqtt"),
        (rb"\r\nSec-WebSocket-Extensions: [^\r]*", b""),
        (rb"(101 [^\r]*\r\n)(?!Upgrade)", rb"\1Upgrade: websocket\r\n"),
    ):
        head = re.sub(old, new, head)
    return head if b"Protocol: mqtt" in head else head.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("takes_another_subprotocol", FAILED),
        ("takes_no_subprotocol", Verdict.NOT_STRICT),
        ("takes_an_extension", FAILED),
        ("takes_no_upgrade", FAILED),
    ],
)
def test_a_client_that_takes_any_answer_is_told(name: str, verdict: Verdict) -> None:
    is_told(name, "5.0", {"head_from_tester": good}, verdict, "it sends CONNECT in answer to")


def test_who_asks_for_the_extension_may_get_it() -> None:
    wire = asking(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    is_told("takes_an_extension", "5.0", wire, Verdict.NOT_APPLICABLE, "has asked for the extension")
