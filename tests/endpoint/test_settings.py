"""Other values of the settings that stand for inferred and unknown rows: each changes what its row says."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from trio.testing import trio_test

from mqttws.codec import Connect, Publish, UnsubAck, Unsubscribe, Will, encode
from mqttws.endpoint import Admission, Service, open_endpoint, settings_of
from mqttws.endpoint.admission import Accepted, Refused, judge_connect
from mqttws.endpoint.settings import PROFILES, check, read_value
from mqttws.errors import ServerDisconnected
from mqttws.session import Closed, Delivered
from mqttws.vocabulary import ProtocolVersion, ReasonCode
from mqttws.webpubsub import Grants, Roles
from tests.endpoint.bench import Q0, Q1, Bench, Client
from tests.endpoint.wires import open_stream, read_all, request, target_of


def judged(version: int = 5, client_id: str = "c1", /, **given: Any) -> Accepted | Refused:
    """The verdict about a CONNECT; keywords in capitals are its fields, the others settings."""
    told = {name.lower(): value for name, value in given.items() if name.isupper()}
    settings = {name: value for name, value in given.items() if not name.isupper()}
    told.setdefault("keep_alive", 60)
    return judge_connect(Connect(ProtocolVersion(version), client_id, **told), Service(**settings), "assigned1")


def code_of(verdict: Accepted | Refused) -> int:
    return verdict.reason_code if isinstance(verdict, Refused) else 0


def properties_of(verdict: Accepted | Refused) -> dict[str, Any]:
    assert isinstance(verdict, Accepted)
    return verdict.properties


def ended_with(client: Client) -> int | None:
    """The code of the DISCONNECT that ended a connection."""
    error = client.last(Closed).error
    return int(error.reason_code) if isinstance(error, ServerDisconnected) else None


# -- handshake --------------------------------------------------------------------------------------------------------


@trio_test
@pytest.mark.parametrize("echo", [True, False])
async def test_row_1_the_subprotocol_is_named_unless_the_setting_says_otherwise(echo: bool) -> None:
    async with open_endpoint(subprotocol_echo=echo) as endpoint, await open_stream(endpoint) as stream:
        await stream.send_all(request(target_of(endpoint)))
        answer = await stream.receive_some()
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert (b"sec-websocket-protocol: mqtt" in answer.lower()) is echo


@trio_test
async def test_row_13_the_status_is_a_setting() -> None:
    async with open_endpoint(no_upgrade_status=426) as endpoint:
        stream = await open_stream(endpoint)
        await stream.send_all(b"GET /clients/mqtt/hubs/chat HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_all(stream)).startswith(b"HTTP/1.1 426 ")


# -- CONNECT ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        encode(Publish("t", b"x")),
        bytes.fromhex("c000"),
        bytes.fromhex("0000"),
        bytes.fromhex("10 0d 0004 4d515454 05 01 003c 00 0000"),
    ],
    ids=["PUBLISH", "PINGREQ", "type 0", "reserved connect flag"],
)
def test_row_19_a_first_packet_that_is_no_good_connect_ends_the_connection(first: bytes) -> None:
    bench = Bench()
    client = Client(bench, Admission("chat"), None, True)
    client.reads = False
    client.send_raw(first)
    assert client.server.closed
    assert bench.hub.is_empty
    assert client.server.data_to_send(bench.now)[:1] in (b"", b"\x20")


@pytest.mark.parametrize("version", [4, 5])
def test_row_20_levels_4_and_5_go_on(version: int) -> None:
    assert Bench().client(version=version).connack.reason_code == 0


def test_row_22_and_24_the_codes_are_settings() -> None:
    assert code_of(judged(5, "a-b", client_id_code=0x80)) == 0x80
    assert code_of(judged(4, "a-b", v3_client_id_code=5)) == 5
    assert code_of(judged(4, "", v3_client_id_code=4)) == 4


def test_row_24_a_3_1_1_client_may_get_an_id_that_it_is_not_told() -> None:
    verdict = judged(4, "", v3_assigned_id=True)
    assert isinstance(verdict, Accepted)
    assert (verdict.client_id, verdict.properties) == ("assigned1", {})


@pytest.mark.parametrize("version", [4, 5])
def test_row_22_any_id_may_pass(version: int) -> None:
    for client_id in ("a-b", "ä\n", "x" * 128):
        assert code_of(judged(version, client_id, any_client_id=True)) == 0
    assert code_of(judged(version, "x" * 129, any_client_id=True)) != 0


def test_row_26_another_keep_alive_may_be_refused() -> None:
    assert code_of(judged(KEEP_ALIVE=181, v5_keep_alive="refuse")) == ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
    assert code_of(judged(KEEP_ALIVE=180, v5_keep_alive="refuse")) == 0


@pytest.mark.parametrize("version", [4, 5])
def test_row_26_a_keep_alive_of_0_may_be_taken(version: int) -> None:
    assert "server_keep_alive" not in properties_of(judged(version, KEEP_ALIVE=0, keep_alive_off=True))


def test_row_27_29_and_31_the_codes_are_settings() -> None:
    assert code_of(judged(WILL=Will(" ", b""), will_topic_code=0x80)) == 0x80
    assert code_of(judged(WILL=Will("t", b"", retain=True), will_retain_code=0x83)) == 0x83
    method = {"authentication_method": "M"}
    assert code_of(judged(PROPERTIES=method, authentication_code=0x87)) == 0x87


def test_row_27_a_will_topic_may_be_blank_but_not_too_long() -> None:
    assert code_of(judged(WILL=Will(" ", b""), blank_topics=True)) == 0
    assert code_of(judged(WILL=Will(" " * 1025, b""), blank_topics=True)) == 0x90


def test_row_37_the_cap_need_not_be_told() -> None:
    verdict = judged(PROPERTIES={"session_expiry_interval": 99}, announce_expiry=False)
    assert isinstance(verdict, Accepted)
    assert (verdict.expiry, "session_expiry_interval" in verdict.properties) == (30, False)


def test_row_38_what_is_missing_need_not_be_told() -> None:
    assert properties_of(judged(announce_missing=False)) == {
        "receive_maximum": 100,
        "maximum_packet_size": 1_048_576,
    }


def test_row_39_the_code_is_a_setting() -> None:
    bench = Bench(takeover_code=0x80)
    first = bench.client()
    bench.client()
    assert ended_with(first) == 0x80


# -- traffic ----------------------------------------------------------------------------------------------------------


def test_row_43_48_50_and_51_have_one_code() -> None:
    bench = Bench(denied_code=0x83)
    client = bench.client(roles=())
    assert client.subscribe("a") == [0x83]
    client.send(Unsubscribe(0, ["a"]))
    assert client.last(UnsubAck).reason_codes == [0x83]
    client.send(Publish("a", b"x", Q1))
    assert client.last(Delivered).reason_code == 0x83
    client.send(Publish("a", b"x", Q0))
    assert ended_with(client) == 0x83


def test_row_46_the_code_is_a_setting() -> None:
    assert Bench(filter_code=0x80).client().subscribe(" ") == [0x80]


def test_row_48_unsubscribe_may_need_no_role() -> None:
    client = Bench(unsubscribe_role=False).client(roles=(), groups=("a",))
    client.send(Unsubscribe(0, ["a"]))
    assert client.last(UnsubAck).reason_codes == [0]


def test_row_51_a_3_1_1_client_may_lose_its_connection() -> None:
    client = Bench(v3_denied="close").client(version=4, roles=())
    client.send(Publish("a", b"x", Q1))
    assert client.ended


def test_row_52_retain_may_be_delivered_all_the_same() -> None:
    bench = Bench(retain_answer="deliver")
    client = bench.client()
    assert "retain_available" not in client.connack.properties
    client.subscribe("a")
    client.send(Publish("a", b"x", Q1, True))
    assert client.received == [("a", b"x", 1)]


def test_row_52_retain_ends_the_connection_also_where_nobody_was_told() -> None:
    client = Bench(announce_missing=False).client()
    client.send(Publish("a", b"x", Q1, True))
    assert ended_with(client) == ReasonCode.RETAIN_NOT_SUPPORTED


def test_row_53_aliases_may_be_used_within_the_setting() -> None:
    bench = Bench(topic_alias_maximum=2)
    client = bench.client()
    client.subscribe("a")
    client.send(Publish("a", b"1", properties={"topic_alias": 2}), Publish("", b"2", properties={"topic_alias": 2}))
    assert client.received == [("a", b"1", 0), ("a", b"2", 0)]
    client.send_raw(encode(Publish("a", b"3", properties={"topic_alias": 3})))
    assert ended_with(client) == ReasonCode.TOPIC_ALIAS_INVALID


def test_row_55_own_messages_may_stay_away() -> None:
    bench = Bench(own_messages=False)
    client = bench.client()
    client.subscribe("a")
    client.send(Publish("a", b"mine"))
    bench.client("other").send(Publish("a", b"theirs"))
    assert client.received == [("a", b"theirs", 0)]


def test_row_63_other_topics_of_the_service_may_be_ordinary() -> None:
    bench = Bench(other_service_topics="deliver")
    client = bench.client()
    client.subscribe("$webpubsub/x", "$webpubsub/server/events/e")
    client.send(Publish("$webpubsub/x", b"1", Q1), Publish("$webpubsub/server/events/e", b"2", Q1))
    assert ("$webpubsub/x", b"1", 1) in client.received
    assert ("$webpubsub/server/events/e", b"2", 1) not in client.received


def test_row_68_the_code_is_a_setting() -> None:
    bench = Bench(queue_messages=1, patience=0.0, overflow_code=0x93)
    client = bench.client(properties={"receive_maximum": 1}, acknowledges=False)
    client.subscribe("a")
    bench.client("other").send(*(Publish("a", b"x", Q1) for _ in range(3)))
    assert ended_with(client) == 0x93


def expiring(bench: Bench, lifetime: float) -> Client:
    """A client whose token expires."""
    admission = Admission("chat", grants=Grants.from_roles(Roles.everything()), lifetime=lifetime)
    client = Client(bench, admission, None, True)
    properties: Any = {"session_expiry_interval": 30}
    client.connection.send(Connect(ProtocolVersion.V5, "c1", False, 180, properties=properties), bench.now)
    bench.settle()
    return client


def test_row_69_nothing_happens_when_a_token_expires() -> None:
    bench = Bench()
    client = expiring(bench, 10)
    bench.pass_time(20)
    assert not client.ended


def test_row_69_or_the_connection_ends_if_the_setting_says_so_and_the_session_lives_on() -> None:
    bench = Bench(expired_access="close")
    client = expiring(bench, 10)
    bench.pass_time(9)
    assert not client.ended
    bench.pass_time(2)
    assert ended_with(client) == ReasonCode.NOT_AUTHORIZED
    assert bench.hub.session("c1") is not None
    offline = expiring(bench, 5)
    offline.vanish()
    bench.pass_time(29)
    assert bench.hub.session("c1") is not None
    again = expiring(bench, -1)
    bench.pass_time(0)
    assert again.ended


# -- the table itself -------------------------------------------------------------------------------------------------


def test_each_profile_is_a_column_of_valid_values() -> None:
    for profile in PROFILES:
        service = Service.of(profile)
        for setting in settings_of(service):
            assert setting.value == (setting.generic if profile == "generic" else setting.default)
    assert Service.of() == Service()
    with pytest.raises(ValueError, match="no profile 'azure', only webpubsub and generic"):
        Service.of("azure")


def test_every_value_of_a_setting_with_choices_is_taken_and_no_other() -> None:
    for item in fields(Service):
        for choice in item.metadata["choices"]:
            check(item, choice)
        if item.metadata["choices"]:
            with pytest.raises(ValueError, match=item.name):
                check(item, "no such choice" if isinstance(item.default, str) else 0x7FFF)


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        (True, " No ", False),
        (1, "0x10", 16),
        (1.5, "2", 2.0),
        ("a", " b", "b"),
        (None, "a, b,", frozenset({"a", "b"})),
        (None, "", None),
    ],
)
def test_values_are_read_as_people_write_them(default: Any, text: str, value: Any) -> None:
    assert read_value(default, text) == value
