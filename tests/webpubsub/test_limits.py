"""The service's documented limits, and that client and endpoint have the same."""

from __future__ import annotations

import re

import pytest

from mqttws.client.profiles import WEB_PUBSUB
from mqttws.codec import Connect, Publish, Will
from mqttws.endpoint import Service
from mqttws.endpoint.admission import Refused, judge_connect
from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import ProtocolVersion
from mqttws.webpubsub.limits import client_id_rule, content_type_fault, topic_fault


@pytest.mark.parametrize(
    ("client_id", "underscore", "valid"),
    [
        ("a" * 128, False, True),
        ("a" * 129, False, False),
        ("", False, False),
        ("a_b", False, False),
        ("a_b", True, True),
        ("ä", True, False),
    ],
)
def test_a_client_id_is_letters_and_digits(client_id: str, underscore: bool, valid: bool) -> None:
    assert bool(re.fullmatch(client_id_rule(underscore=underscore), client_id)) is valid


@pytest.mark.parametrize("topic", ["a", " a", "a" * 1024, "$webpubsub/server/messages", "/", "äöü"])
def test_a_group_name_is_a_topic(topic: str) -> None:
    assert topic_fault(topic) is None


@pytest.mark.parametrize(
    ("topic", "fault"),
    [("", "at least one character"), (" \n\t", "at least one character"), ("a" * 1025, "at most 1024 .* has 1025")],
)
def test_a_topic_that_is_no_group_name_has_a_fault(topic: str, fault: str) -> None:
    assert re.search(fault, topic_fault(topic) or "")


@pytest.mark.parametrize(("content_type", "good"), [(None, True), ("text/plain; a=b", True), ("", False), ("x", False)])
def test_a_content_type_is_a_mime_type_or_absent(content_type: str | None, good: bool) -> None:
    assert (content_type_fault(content_type) is None) is good


@pytest.mark.parametrize("version", ProtocolVersion)
@pytest.mark.parametrize("client_id", ["a" * 128, "a" * 129, "a_b", ""])
@pytest.mark.parametrize("keep_alive", [0, 1, 180, 181])
@pytest.mark.parametrize(
    "will", [None, Will("w" * 1_024, bytes(2_000)), Will("w" * 1_025), Will(" "), Will("w", bytes(2_001))]
)
def test_the_client_refuses_what_the_endpoint_refuses(
    version: ProtocolVersion, client_id: str, keep_alive: int, will: Will | None
) -> None:
    connect = Connect(version=version, client_id=client_id, keep_alive=keep_alive, will=will)
    try:
        WEB_PUBSUB.check_connect(connect)
        taken = True
    except LocalProtocolError:
        taken = False
    assert taken is not isinstance(judge_connect(connect, Service(), "assigned"), Refused)


def test_the_largest_message_of_the_client_is_the_largest_packet_of_the_endpoint() -> None:
    room = Service().maximum_packet_size - len("a") - 7  # first byte, length, lengths of topic and properties
    WEB_PUBSUB.check_publish(Publish("a", bytes(room)), ProtocolVersion.V5)
    with pytest.raises(LocalProtocolError):
        WEB_PUBSUB.check_publish(Publish("a", bytes(room + 1)), ProtocolVersion.V5)
