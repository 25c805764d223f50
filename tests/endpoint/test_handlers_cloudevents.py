"""Headers and bodies of events, made from a hub's calls without any wire; rows 32, 35, 66 and 79."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import Disconnect, Publish
from mqttws.endpoint import Admission, Hub
from mqttws.endpoint.handlers_cloudevents import (
    Notice,
    event_name,
    header_text,
    preflight_headers,
    signature,
    user_properties,
)
from mqttws.endpoint.members import Ending, Member, Visitor
from mqttws.endpoint.messages import Message
from mqttws.endpoint.subscriber import Subscriber
from mqttws.endpoint.upstream import (
    Call,
    ConnectRequest,
    EventAnswer,
    Granted,
    MemberConnected,
    MemberDisconnected,
    UserEvent,
)
from mqttws.http import HttpClient as Writer
from mqttws.http import HttpServer, Request, header
from mqttws.vocabulary import ReasonCode
from mqttws.webpubsub import Grants
from tests.endpoint.bench import Q1, Bench

KEYS = ("primary", "secondary")
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789, UTC)
EVENTS = "$webpubsub/server/events/"


def notice_of(call: Call, number: int = 7) -> Notice:
    return Notice.of(
        call, origin="host:8080", keys=KEYS, number=number, moment=MOMENT, content_type="application/octet-stream"
    )


class Everything:
    """Wants every call."""

    def wants_system(self, hub: str, name: str) -> bool:
        return True

    def wants_event(self, hub: str, name: str) -> bool:
        return True


def life(client_id: str = "c1", **options: Any) -> list[Call]:
    """The four calls of one client's life: connect, connected, one event, disconnected."""
    event = options.pop("event", Publish(f"{EVENTS}echo", b"\0", Q1))
    disconnect = options.pop("disconnect", Disconnect())
    bench = Bench()
    bench.hub = Hub("chat", bench.service, counters=bench.counters, log=bench.log, wants=Everything())
    client = bench.client(client_id, **options)
    calls: list[Call] = list(bench.hub.calls())
    (connect,) = calls
    assert isinstance(connect, ConnectRequest)
    connect.answer(Granted(state="e30="), bench.now)
    bench.settle()
    calls += bench.hub.calls()
    client.send(event)
    calls += bench.hub.calls()
    asked = calls[-1]
    assert isinstance(asked, UserEvent)
    asked.answer(EventAnswer(204), bench.now)
    bench.hub.answered(asked.visitor, bench.now)
    if disconnect is None:
        client.vanish()
    else:
        client.send(disconnect)
    calls += bench.hub.calls()
    return calls


def test_every_header_of_every_event_is_as_documented() -> None:
    connect, connected, event, disconnected = life(user_id="ann")
    assert isinstance(event, UserEvent)
    shared = {
        "WebHook-Request-Origin": "host:8080",
        "ce-specversion": "1.0",
        "ce-awpsversion": "1.0",
        "ce-source": f"/hubs/chat/client/c1/{event.visitor.connection_id}",
        "ce-id": "7",
        "ce-time": "2026-02-03T04:05:06Z",
        "ce-signature": signature(KEYS, "c1"),
        "ce-connectionId": "c1",
        "ce-hub": "chat",
        "ce-userId": "ann",
        "ce-subprotocol": "mqtt",
        "ce-physicalConnectionId": event.visitor.connection_id,
    }
    of_session = {"ce-sessionId": event.member.session_id, "ce-connectionState": "e30="}
    as_json = {"Content-Type": "application/json; charset=utf-8"}
    for call, name, kind, own in [
        (connect, "connect", "sys", as_json),
        (connected, "connected", "sys", as_json | of_session),
        (event, "echo", "user", {"Content-Type": "application/octet-stream"} | of_session),
        (disconnected, "disconnected", "sys", as_json | of_session),
    ]:
        named = {"ce-type": f"azure.webpubsub.{kind}.{name}", "ce-eventName": name}
        headers = notice_of(call).headers
        assert dict(headers) == shared | named | own
        assert len(headers) == len(dict(headers))
        assert event_name(call) == name


def test_row_79_the_signature_has_one_hmac_for_each_key() -> None:
    # printf %s 0f9c97a2f0bf4706afe87a14e0797b11 | openssl dgst -sha256 -hmac primary
    ours = signature(KEYS, "0f9c97a2f0bf4706afe87a14e0797b11")
    assert re.fullmatch("sha256=[0-9a-f]{64},sha256=[0-9a-f]{64}", ours)
    assert ours.split(",")[0] == PRIMARY
    assert signature(KEYS[:1], "0f9c97a2f0bf4706afe87a14e0797b11") == PRIMARY
    assert dict(notice_of(life()[2]).headers)["ce-signature"] == signature(KEYS, "c1")


PRIMARY = "sha256=32231f3a12c8ad3b9986728c0f6fcbe4fbaf3b23e07b75dfded0ab3a6415cf57"


def test_row_35_connected_has_an_empty_object_as_its_body() -> None:
    call = life()[1]
    assert isinstance(call, MemberConnected)
    assert notice_of(call).body == b"{}"


@pytest.mark.parametrize(
    ("claim", "listed"),
    [("a", ["a"]), (5, ["5"]), (True, ["true"]), (["a", 1, None], ["a", "1", "null"]), ({"a": [1]}, ['{"a": [1]}'])],
)
def test_row_32_claims_are_lists_of_texts(claim: object, listed: list[str]) -> None:
    call = life()[0]
    assert isinstance(call, ConnectRequest)
    call.visitor.admission = Admission("chat", claims={"x": claim}, headers=(("Host", "h"), ("A", "1"), ("A", "2")))
    body = json.loads(notice_of(call).body)
    assert body["claims"] == {"x": listed}
    assert body["headers"] == {"Host": ["h"], "A": ["1", "2"]}
    assert body["mqtt"]["username"] is body["mqtt"]["password"] is body["mqtt"]["userProperties"] is None


def test_row_66_an_end_that_nobody_sent_has_no_packet() -> None:
    call = life(disconnect=None, version=4)[-1]
    assert isinstance(call, MemberDisconnected)
    body = json.loads(notice_of(call).body)
    assert body["mqtt"] == {"initiatedByClient": False, "disconnectPacket": None}


# -- other protocols --------------------------------------------------------------------------------------------------


class NativeVisitor(Visitor):
    """A connection of another protocol."""

    def dismiss(self, now: float, code: ReasonCode, text: str = "") -> None:
        self.dismissed = True


class NativeMember(Member):
    """A client of another protocol."""

    def offer(self, message: Message, subscriber: Subscriber, now: float) -> bool:
        return True

    def forget(self, topic: str) -> None:
        pass


def test_a_client_of_another_protocol_has_nothing_of_mqtt() -> None:
    bench = Bench()
    visitor = NativeVisitor(Admission("chat", subprotocols=("json.webpubsub.azure.v1",)))
    visitor.subprotocol = "json.webpubsub.azure.v1"
    member = NativeMember("n1", None, Grants.from_roles(()), bench.service, bench.counters)
    event = Publish(f"{EVENTS}echo", b"{}", properties={"content_type": "application/json"})

    def ignore(given: object, now: float) -> None:
        raise AssertionError(given)

    calls: list[Call] = [
        ConnectRequest("chat", "n1", visitor, ignore, None, "json.webpubsub.azure.v1"),
        MemberConnected("chat", member, visitor),
        UserEvent("chat", "echo", member, visitor, event, ignore),
        MemberDisconnected("chat", member, visitor, Ending("gone")),
    ]
    for call in calls:
        headers = dict(notice_of(call).headers)
        assert headers["ce-source"] == "/hubs/chat/client/n1"
        assert headers["ce-subprotocol"] == "json.webpubsub.azure.v1"
        assert headers.keys() & {"ce-physicalConnectionId", "ce-sessionId", "ce-userId", "ce-connectionState"} == set()
    assert "mqtt" not in json.loads(notice_of(calls[0]).body)
    assert json.loads(notice_of(calls[3]).body) == {"reason": "gone"}


# -- any text in a header ---------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_is_a_header_and_comes_back(text: str) -> None:
    (pair,) = user_properties([("mqtt-x", header_text(text))])
    assert pair == ("x", text)
    server = HttpServer()
    server.receive_data(Writer().send(Request("POST", "/", (("Host", "h"), ("X", header_text(text))))))
    request = server.next_request()
    assert request is not None
    assert header(request.headers, "x") == header_text(text)


@pytest.mark.parametrize(("text", "shown"), [("John Doe", "John Doe"), ('"a"', '"a"'), ("50%", "50%25"), (" ", "%20")])
def test_plain_text_stays_readable(text: str, shown: str) -> None:
    assert header_text(text) == shown


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), st.just("v"))))
def test_any_user_property_is_a_header(pairs: list[tuple[str, str]]) -> None:
    call = life()[2]
    assert isinstance(call, UserEvent)
    call.publish = Publish(f"{EVENTS}echo", properties={"user_property": pairs, "content_type": "a/b; c=\r\n\x7f50%"})
    headers = notice_of(call).headers
    named = [pair for pair in headers if pair[0].startswith("mqtt-")]
    assert user_properties(named) == pairs
    assert ("Content-Type", "a/b; c=%0D%0A%7F50%") in headers
    assert Writer().send(Request("POST", "/", (("Host", "h"), *headers)))


def test_validation_and_events_begin_alike() -> None:
    assert preflight_headers("host") == (("WebHook-Request-Origin", "host"), ("ce-awpsversion", "1.0"))
    assert notice_of(life()[1]).headers[:2] == preflight_headers("host:8080")
