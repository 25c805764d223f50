"""What a Client says in CONNECT: wrong ones are told."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Connect, PingReq, RawPacket, Will
from mqttws.conformance.client.convention import Task
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import dropping, each, editing
from mqttws.vocabulary import QoS
from tests.conformance.client.trying import is_told

FAILED, NOT_STRICT = Verdict.FAILED, Verdict.NOT_STRICT


def named(task: Task) -> Task:
    """A User Name is given with every Password, to be taken out again on the way."""
    if "password" in task.values:
        return Task(task.name, {"username": "x", **task.values})
    return task


def alone(packet: Connect) -> RawPacket:
    body = b"\0\4MQTT\4\x42\0\x3c\0\1a\0\1b"
    return RawPacket(0x10, body)


def unclean(task: Task) -> Task:
    """A name is given, to be taken out again on the way."""
    return Task(task.name, {**task.values, "client_id": "named"}) if task.name == "connect" else task


def nameless(packet: Connect) -> RawPacket:
    return RawPacket(0x10, b"\0\4MQTT\4\0\0\x3c\0\0")


def flagged(packet: Connect) -> RawPacket:
    """A Will QoS without a Will."""
    return RawPacket(0x10, b"\0\4MQTT\4\x0a\0\x3c\0\1a")


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    (
        "connect_is_not_first",
        "5.0",
        {"from_subject": each(Connect, lambda said: (PingReq(), said))},
        FAILED,
        "PINGREQ comes first",
    ),
    (
        "changes_the_client_id",
        "3.1.1",
        {"from_subject": editing(Connect, client_id="other")},
        FAILED,
        "Client Identifier is .other.",
    ),
    ("changes_the_will", "5.0", {"from_subject": editing(Connect, will=None)}, FAILED, "there is no Will"),
    (
        "changes_the_will",
        "5.0",
        {"from_subject": editing(Connect, will=lambda said: Will(said.topic, b"other", QoS.EXACTLY_ONCE, True))},
        FAILED,
        "Will.s payload",
    ),
    ("changes_the_credentials", "5.0", {"from_subject": editing(Connect, username="x")}, FAILED, "User Name is .x."),
    (
        "changes_the_credentials",
        "3.1.1",
        {"from_subject": editing(Connect, password=b"x")},
        FAILED,
        "Password is another one",
    ),
    (
        "says_more_than_it_was_asked",
        "5.0",
        {"from_subject": editing(Connect, username="x")},
        NOT_STRICT,
        "has a username that nobody asked for",
    ),
    (
        "says_more_than_it_was_asked",
        "3.1.1",
        {"from_subject": each(Connect, flagged)},
        FAILED,
        "it sent CONNECT that breaks a rule by itself",
    ),
    (
        "waits_for_pingresp_for_ever",
        "3.1.1",
        {"from_subject": dropping(PingReq)},
        Verdict.NOT_TESTED,
        "came where PINGREQ was owed",
    ),
    (
        "password_without_user_name",
        "3.1.1",
        {"from_subject": each(Connect, alone), "task": named},
        FAILED,
        "a Password and no User Name",
    ),
    (
        "no_name_and_a_session",
        "3.1.1",
        {"from_subject": each(Connect, nameless), "task": unclean},
        FAILED,
        "an empty Client Identifier and CleanSession 0",
    ),
    (
        "falls_silent",
        "3.1.1",
        {"from_subject": dropping(PingReq)},
        FAILED,
        "came where PINGREQ was owed",
    ),
    (
        "keeps_its_own_keep_alive",
        "5.0",
        {"from_subject": dropping(PingReq)},
        FAILED,
        "came where PINGREQ was owed",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    is_told(name, version, wire, verdict, why)
