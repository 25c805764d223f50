"""What a Server is, found out before the checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from mqttws.codec import ConnAck, Connect
from mqttws.conformance.server.discovery import Unreachable, discover
from mqttws.conformance.server.subject import CAPABILITIES, Account, ServerSubject
from mqttws.vocabulary import ProtocolVersion
from tests.conformance.server.scripted import answering, in_time, reference, scripted

V5, V311 = ProtocolVersion.V5, ProtocolVersion.V3_1_1
#: What only 5.0 has.
NEW = {"shared", "subscription_identifier", "topic_alias", "receive_maximum"}


def discovered(make: Callable[[trio.Nursery], ServerSubject], **options: Any) -> ServerSubject:
    async def main(nursery: trio.Nursery) -> ServerSubject:
        subject = make(nursery)
        await discover(subject, **options)
        return subject

    return in_time(main)


def test_a_server_that_has_everything_offers_everything() -> None:
    subject = discovered(reference)
    assert subject.capabilities == {
        V5: CAPABILITIES - {"second_credentials"},
        V311: CAPABILITIES - {"second_credentials"} - NEW,
    }
    assert subject.offers[V5]["topic_alias_maximum"] == 10
    assert not subject.watch.traits
    assert subject.patience == 3.0


def test_what_connack_rules_out_is_not_offered_in_the_older_version_either() -> None:
    subject = discovered(lambda nursery: reference(nursery, "limited"))
    assert subject.capabilities[V5] == {"qos1", "will", "empty_client_id", "receive_maximum"}
    assert not {"retain", "wildcard", "qos2"} & subject.capabilities[V311]


def test_a_second_account_and_what_a_user_says() -> None:
    def make(nursery: trio.Nursery) -> ServerSubject:
        subject = reference(nursery)
        subject.second = Account(subject.account.target, "somebody else")
        return subject

    subject = discovered(make, without=("retain", "topic_alias"), patience=7.0)
    assert "second_credentials" in subject.capabilities[V5]
    assert not {"retain", "topic_alias"} & subject.capabilities[V5]
    assert subject.patience == 7.0


def test_a_slow_server_is_given_time() -> None:
    slow = answering(lambda _: ConnAck(), slowly=0.4)
    subject = discovered(lambda nursery: scripted(nursery, slow), versions=[V5])
    assert subject.patience == pytest.approx(10.0)
    slower = answering(lambda _: ConnAck(), slowly=2.0)
    assert discovered(lambda nursery: scripted(nursery, slower), versions=[V5]).patience == 15.0


def test_a_server_that_forgets_what_it_is_sent_offers_little() -> None:
    forgetful = answering(lambda _: ConnAck())
    assert discovered(lambda nursery: scripted(nursery, forgetful), versions=[V311]).capabilities[V311] == {
        "retain",  # a PUBLISH at QoS 0 was not refused
        "will",
        "empty_client_id",
        "session_expiry",
    }


def test_a_version_that_is_refused_is_not_spoken() -> None:
    def old(connect: Connect) -> ConnAck:
        return ConnAck(reason_code=0x84) if connect.version == V5 else ConnAck()

    subject = discovered(lambda nursery: scripted(nursery, answering(old)))
    assert list(subject.capabilities) == [V311]


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (None, "no connection: nobody listens there"),
        (answering(lambda connect: ConnAck(reason_code=5 if connect.version == 4 else 0x87)), "CONNACK 0x87"),
        (answering(lambda connect: ConnAck(reason_code=1 if connect.version == 4 else 0x84)), "does not speak"),
    ],
)
def test_a_server_that_nobody_gets_into_is_said_to_be_so(serve: Any, why: str) -> None:
    with pytest.raises(Unreachable, match=why):
        discovered(lambda nursery: scripted(nursery, serve), patience=2.0)


def test_a_server_that_is_no_websocket_is_said_to_be_so() -> None:
    async def forbid(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(Unreachable, match="HTTP 403"):
        discovered(lambda nursery: scripted(nursery, forbid))
