"""What native clients ask for at a running endpoint (row 81), and what MQTT clients hear of it."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.codec import Publish, SubAck, Subscribe, Subscription
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.endpoint.upstream import EventAnswer, UserEvent
from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import QOS
from mqttws.webpubsub import Roles
from tests.endpoint.natives import JSON, RELIABLE_JSON, Native, open_native, target_of
from tests.endpoint.test_calls import equip
from tests.endpoint.wires import Wire, connected, open_wire, until_empty

BOTH = pytest.mark.parametrize("subprotocol", [JSON, RELIABLE_JSON])


async def greeted(native: Native) -> Native:
    """A client that has read its first frame."""
    assert (await native.next())["event"] == "connected"
    return native


async def subscribe(wire: Wire, topic: str, qos: int) -> None:
    await connected(wire)
    wire.send(Subscribe(0, [Subscription(topic, QOS[qos])]))
    assert (await wire.next(SubAck)).reason_codes == [qos]


async def heard(wire: Wire) -> Publish:
    publish = await wire.next(Publish)
    if publish.qos:
        wire.link.acknowledge(publish)
        wire.pump.flush()
    return publish


@trio_test
@BOTH
async def test_row_81_messages_go_both_ways_between_mqtt_and_json(subprotocol: str) -> None:
    async with (
        open_endpoint() as endpoint,
        open_native(endpoint, subprotocol, user_id="ann") as native,
        open_wire(endpoint) as wire,
    ):
        await greeted(native)
        await subscribe(wire, "g", 2)
        assert await native.ask(type="joinGroup", group="g", ackId=1) == {"type": "ack", "ackId": 1, "success": True}
        for data_type, data, content_type, payload in [
            ("json", {"a": 1}, "application/json", b'{"a": 1}'),
            ("text", "hällo", "text/plain", "hällo".encode()),
            ("binary", "/wA=", "application/octet-stream", b"\xff\0"),
            ("protobuf", "CAE=", "application/x-protobuf", b"\x08\x01"),
        ]:
            await native.send(type="sendToGroup", group="g", dataType=data_type, data=data, noEcho=True)
            publish = await heard(wire)
            assert (publish.topic, publish.payload, publish.qos) == ("g", payload, 1)
            assert publish.properties == {"content_type": content_type}
            properties: Any = {"content_type": content_type, "user_property": [("k", "v")], "response_topic": "r"}
            wire.send(Publish("g", payload, QOS[2], properties=properties))
            await heard(wire)
            message = await native.next()
            assert message.pop("sequenceId", None) == (None if subprotocol == JSON else message_number(data_type))
            assert message == {
                "type": "message", "from": "group", "group": "g", "dataType": data_type, "data": data,
            }  # fmt: skip


def message_number(data_type: str) -> int:
    return ["json", "text", "binary", "protobuf"].index(data_type) + 1


@trio_test
async def test_row_81_qos_0_subscribers_get_qos_0_and_3_1_1_is_binary() -> None:
    async with (
        open_endpoint() as endpoint,
        open_native(endpoint, JSON, user_id="ann") as native,
        open_wire(endpoint, version=4) as wire,
    ):
        await greeted(native)
        await subscribe(wire, "g", 0)
        await native.ask(type="joinGroup", group="g", ackId=1)
        await native.send(type="sendToGroup", group="g", dataType="text", data="x", ackId=2)
        assert (await heard(wire)).qos == 0
        message = await native.next()
        assert (message["fromUserId"], message["data"]) == ("ann", "x")
        assert (await native.next())["ackId"] == 2
        wire.send(Publish("g", b"x", QOS[1]))
        message = await native.next()
        assert (message["dataType"], message["data"]) == ("binary", "eA==")


@trio_test
async def test_row_81_only_the_message_expiry_crosses() -> None:
    async with (
        open_endpoint() as endpoint,
        open_native(endpoint, JSON) as native,
        open_wire(endpoint) as wire,
    ):
        await greeted(native)
        await subscribe(wire, "g", 1)
        await native.send(type="sendToGroup", group="g", dataType="text", data="x", ttlSeconds=60)
        publish = await heard(wire)
        assert 58 <= publish.properties.pop("message_expiry_interval") <= 60
        assert publish.properties == {"content_type": "text/plain"}


@trio_test
async def test_row_81_roles_count_as_for_mqtt() -> None:
    roles = (*Roles.subscribe("in"), *Roles.publish("out"))
    async with open_endpoint() as endpoint, open_native(endpoint, JSON, roles=roles) as native:
        await greeted(native)
        for number, (kind, group, error) in enumerate(
            [
                ("joinGroup", "in", None),
                ("joinGroup", "out", "Forbidden"),
                ("leaveGroup", "out", "Forbidden"),
                ("sendToGroup", "out", None),
                ("sendToGroup", "in", "Forbidden"),
                ("sendToGroup", "$webpubsub/server/messages", "Forbidden"),
                ("leaveGroup", "in", None),
                ("joinGroup", " ", "BadRequest"),
                ("sendToGroup", "x" * 1025, "BadRequest"),
            ]
        ):
            answer = await native.ask(type=kind, group=group, ackId=number, data=1)
            assert answer["ackId"] == number
            assert answer["success"] is (error is None), (kind, group)
            assert answer.get("error", {}).get("name") == error
        await native.send(type="joinGroup", group="out")
        await native.nothing_more()


@trio_test
async def test_row_81_nobody_may_speak_for_the_server_unless_its_topics_are_ordinary_ones() -> None:
    async with open_endpoint(other_service_topics="deliver") as endpoint, open_native(endpoint, JSON) as native:
        await greeted(native)
        answer = await native.ask(type="sendToGroup", group="$webpubsub/x", ackId=1, data=1)
        assert answer["success"]


@trio_test
async def test_row_81_groups_have_the_limit_of_subscriptions_and_end_when_left_or_revoked() -> None:
    async with open_endpoint(subscription_limit=2) as endpoint, open_native(endpoint, JSON, groups=["a"]) as native:
        await greeted(native)
        assert (await native.ask(type="joinGroup", group="b", ackId=1))["success"]
        assert (await native.ask(type="joinGroup", group="c", ackId=2))["error"]["name"] == "BadRequest"
        hub = endpoint.hub("chat")
        assert hub is not None
        member = hub.member(native.connection_id)
        assert member is not None
        assert {name: each.given for name, each in member.subscriptions.items()} == {"a": True, "b": False}
        assert (await native.ask(type="leaveGroup", group="b", ackId=3))["success"]
        assert list(member.subscriptions) == ["a"]


@trio_test
@BOTH
async def test_row_81_a_request_is_carried_out_once_and_a_refused_one_may_be_tried_again(subprotocol: str) -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, subprotocol, roles=Roles.publish("g")) as native:
        await greeted(native)
        assert (await native.ask(type="sendToGroup", group="g", data=1, ackId=5))["success"]
        again = await native.ask(type="sendToGroup", group="g", data=1, ackId=5)
        assert (again["success"], again["error"]["name"]) == (False, "Duplicate")
        for _ in range(2):
            assert (await native.ask(type="joinGroup", group="g", ackId=6))["error"]["name"] == "Forbidden"


@trio_test
async def test_row_81_no_echo_is_for_the_sender_alone() -> None:
    async with (
        open_endpoint() as endpoint,
        open_native(endpoint, JSON, groups=["g"]) as sender,
        open_native(endpoint, JSON, groups=["g"]) as other,
    ):
        await greeted(sender)
        await greeted(other)
        await sender.send(type="sendToGroup", group="g", data="quiet", noEcho=True)
        await sender.nothing_more()
        await sender.send(type="sendToGroup", group="g", data="loud")
        assert (await sender.next())["data"] == "loud"
        assert [(await other.next())["data"] for _ in range(2)] == ["quiet", "loud"]


@trio_test
async def test_row_81_a_binary_frame_is_read_as_utf_8() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, JSON) as native:
        await greeted(native)
        await native.send_raw(b'{"type":"ping"}')
        assert await native.next() == {"type": "pong"}


@pytest.mark.parametrize(
    ("message", "code"),
    [("no json", 1008), ('{"type":"invoke"}', 1008), (b"\xff", 1008), ('{"type":"joinGroup"}', 1008)],
)
@trio_test
async def test_row_81_a_bad_frame_ends_that_connection_for_good(message: str | bytes, code: int) -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, JSON) as good:
        await greeted(good)
        async with open_native(endpoint, RELIABLE_JSON) as bad:
            await greeted(bad)
            await bad.send_raw(message, '{"type":"joinGroup","group":"g","ackId":1}')
            ended, reason = await bad.end()
            assert ended == code
            assert reason
            with trio.fail_after(10):
                while endpoint.connections.open > 1:  # noqa: ASYNC110 - the endpoint has no event for it
                    await trio.sleep(0.01)
            hub = endpoint.hub("chat")
            assert hub is not None
            assert len(hub.members()) == 1
        await good.nothing_more()


@trio_test
async def test_row_81_a_frame_that_is_too_large_ends_the_connection_with_1009() -> None:
    async with open_endpoint(maximum_packet_size=1000) as endpoint, open_native(endpoint, JSON) as native:
        await greeted(native)
        await native.send_raw("x" * 1001)
        assert (await native.end())[0] == 1009


# -- events -----------------------------------------------------------------------------------------------------------


@trio_test
@BOTH
async def test_row_81_an_event_is_answered_by_a_message_of_the_server_and_an_ack(subprotocol: str) -> None:
    asked: list[UserEvent] = []

    async def answer(event: UserEvent) -> EventAnswer:
        asked.append(event)
        await trio.lowlevel.checkpoint()
        return EventAnswer(200, b'{"ok":true}', "application/json", state="S")

    async with open_endpoint() as endpoint:
        equip(endpoint, "echo").on_event = answer
        async with open_native(endpoint, subprotocol, user_id="ann", roles=()) as native:
            await greeted(native)
            message = await native.ask(type="event", event="echo", dataType="text", data="hi", ackId=1)
            message.pop("sequenceId", None)
            assert message == {"type": "message", "from": "server", "dataType": "json", "data": {"ok": True}}
            assert (await native.next()) == {"type": "ack", "ackId": 1, "success": True}
            assert (await native.ask(type="event", event="echo", data=1, ackId=1))["error"]["name"] == "Duplicate"
        (event,) = asked
        assert (event.name, event.publish.payload, event.member.user_id) == ("echo", b"hi", "ann")
        assert event.publish.properties == {"content_type": "text/plain"}
        assert event.visitor.subprotocol == subprotocol
        assert event.member.state == "S"


@trio_test
async def test_row_81_an_event_that_fails_is_told_to_who_has_asked_and_may_be_tried_again() -> None:
    async def fail(event: UserEvent) -> EventAnswer:
        await trio.lowlevel.checkpoint()
        return EventAnswer(404)

    async with open_endpoint() as endpoint:
        equip(endpoint, "echo").on_event = fail
        async with open_native(endpoint, JSON) as native:
            await greeted(native)
            for name in ("echo", "echo", "nobody"):
                answer = await native.ask(type="event", event=name, data=1, ackId=1)
                assert answer["error"]["name"] == "InternalServerError"
            await native.send(type="event", event="echo", data=1)
            assert (await native.end())[0] == 1011


@trio_test
async def test_row_81_an_event_that_fails_when_its_connection_is_lost_leaves_the_client_its_time() -> None:
    release = trio.Event()

    async def fail(event: UserEvent) -> EventAnswer:
        await release.wait()
        return EventAnswer(500)

    async with open_endpoint() as endpoint:
        handlers = equip(endpoint, "echo")
        handlers.on_event = fail
        async with open_native(endpoint, RELIABLE_JSON) as native:
            await native.send(type="event", event="echo", data=1)
            with trio.fail_after(10):
                while not handlers.told:  # noqa: ASYNC110 - there is no event for it
                    await trio.sleep(0.01)
        await until_empty(endpoint)
        release.set()
        await trio.testing.wait_all_tasks_blocked()
        hub = endpoint.hub("chat")
        assert hub is not None
        assert hub.member(native.connection_id) is not None


@trio_test
async def test_row_81_an_event_that_fails_without_an_ack_id_may_be_dropped_instead() -> None:
    async with open_endpoint(native_failed_event="drop") as endpoint, open_native(endpoint, JSON) as native:
        await greeted(native)
        await native.send(type="event", event="nobody", data=1)
        await native.nothing_more()
        assert endpoint.connections.open == 1


@trio_test
async def test_events_beyond_the_limit_of_calls_are_refused_one_after_the_other_however_many_came_at_once() -> None:
    async def never(event: UserEvent) -> EventAnswer:
        await trio.sleep_forever()

    lines: list[str] = []
    async with open_endpoint(log=lines.append, call_limit=1) as endpoint:
        equip(endpoint, "echo").on_event = never
        async with open_native(endpoint, JSON) as busy, open_native(endpoint, JSON) as native:
            await greeted(busy)
            await greeted(native)
            await busy.send(type="event", event="echo", data=1, ackId=1)
            events = [
                json.dumps({"type": "event", "event": "echo", "data": 1, "ackId": number}) for number in range(400)
            ]
            await native.send_raw(*events)
            answers = [await native.next() for _ in events]
    assert [answer["ackId"] for answer in answers] == list(range(400))
    assert not any(answer["success"] for answer in answers)
    assert not any("internal error" in line for line in lines)


@trio_test
async def test_row_81_what_comes_behind_an_event_waits_for_its_answer_and_is_bounded() -> None:
    release = trio.Event()

    async def slow(event: UserEvent) -> EventAnswer:
        await release.wait()
        return EventAnswer(204)

    async with open_endpoint() as endpoint:
        equip(endpoint, "echo").on_event = slow
        async with open_native(endpoint, JSON) as native:
            await greeted(native)
            event = json.dumps({"type": "event", "event": "echo", "data": 1, "ackId": 1})
            big = [json.dumps({"type": "ping", "more": "x" * 200_000})] * 10
            more = [event.replace('"ackId": 1', f'"ackId": {number}') for number in range(2, 400)]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(native.send_raw, *(event, *big, *more))
                with trio.fail_after(10):
                    while not any(visit.pump._paused for visit in endpoint._visits.values()):  # noqa: ASYNC110
                        await trio.sleep(0.01)
                release.set()
            answers = [await native.next() for _ in range(409)]
            assert answers[0]["ackId"] == 1
            assert answers[1:11] == [{"type": "pong"}] * 10
            assert [answer["ackId"] for answer in answers[11:]] == list(range(2, 400))


@trio_test
async def test_row_81_what_a_client_has_sent_before_its_end_counts() -> None:
    release = trio.Event()

    async def slow(event: UserEvent) -> EventAnswer:
        await release.wait()
        return EventAnswer(200, b"late")

    async with open_endpoint() as endpoint, open_wire(endpoint) as wire:
        handlers = equip(endpoint, "echo")
        handlers.on_event = slow
        await subscribe(wire, "g", 1)
        async with open_native(endpoint, JSON) as native:
            await native.send_raw(
                '{"type":"event","event":"echo","data":1}',
                '{"type":"sendToGroup","group":"g","data":1}',
                '{"type":"event","event":"echo","data":2}',
            )
            native.websocket.close()
            await native.flush()
            assert (await heard(wire)).payload == b"1"
        release.set()
        wire.send(Publish("g", b"fence", QOS[1]))
        assert (await heard(wire)).payload == b"fence"
        assert handlers.told == ["event echo", "event echo"]


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "message", "ended"),
    [
        ("native_bad_frame_code", 1003, "x", 1003),
        ("native_event_code", 1000, '{"type":"event","event":"nobody","data":1}', 1000),
        ("native_close_code", 1008, None, 1008),
    ],
)
@trio_test
async def test_row_81_close_codes_are_settings(setting: str, value: int, message: str | None, ended: int) -> None:
    options: Any = {setting: value}
    async with open_endpoint(**options) as endpoint, open_native(endpoint, JSON) as native:
        await greeted(native)
        if message is not None:
            await native.send_raw(message)
        else:
            hub = endpoint.open_hub("chat")
            hub.close(hub.members()[0], trio.current_time())
            endpoint.flush(hub)
        assert (await native.end())[0] == ended


@trio_test
async def test_row_81_the_name_of_an_error_and_the_memory_for_ack_ids_are_settings() -> None:
    async with (
        open_endpoint(native_error_name="Strange", native_ack_memory=1) as endpoint,
        open_native(endpoint, JSON) as native,
    ):
        await greeted(native)
        assert (await native.ask(type="joinGroup", group=" ", ackId=1))["error"]["name"] == "Strange"
        for ack_id in (1, 2, 1):
            assert (await native.ask(type="joinGroup", group="g", ackId=ack_id))["success"]


# -- anything ---------------------------------------------------------------------------------------------------------


def conversation(dice: random.Random) -> Iterator[str | bytes]:
    """What a careless client might send, in any order."""
    kinds = ("joinGroup", "leaveGroup", "sendToGroup", "event", "sequenceAck", "ping", "ping", "invoke", 5)
    values: tuple[Any, ...] = (
        "a",
        "b",
        "",
        " ",
        "x" * 2000,
        "#",
        "a\0",
        1,
        -1,
        None,
        True,
        [[]],
        {"x": 1},
        2**64,
        "AA==",
    )
    for _ in range(dice.randrange(12)):
        names = ("group", "event", "ackId", "dataType", "data", "noEcho", "ttlSeconds", "sequenceId")
        members: dict[str, Any] = {"group": "a", "event": "echo", "sequenceId": 1, "data": "AA=="}
        members |= {dice.choice(names): dice.choice(values) for _ in range(dice.randrange(3))}
        members["type"] = dice.choice(kinds)
        if dice.random() < 0.5:
            members["dataType"] = dice.choice(("json", "text", "binary", "protobuf"))
        text = json.dumps(members)
        yield dice.choice((text, text, text, text.encode(), text[:-1], text.encode("utf-16")))


@trio_test
async def test_whatever_native_clients_send_the_good_client_beside_them_notices_nothing() -> None:
    dice = random.Random(81)
    lines: list[str] = []
    async with open_endpoint(log=lines.append, native_failed_event="drop") as endpoint, open_wire(endpoint) as wire:
        equip(endpoint, "echo")
        await subscribe(wire, "good", 1)
        for number in range(60):
            subprotocols = dice.choice(((JSON,), (RELIABLE_JSON,), ()))
            async with open_native(endpoint, *subprotocols, groups=["a"]) as native:
                for message in conversation(dice):
                    with contextlib.suppress(LocalProtocolError, trio.BrokenResourceError):
                        await native.send_raw(message)
            wire.send(Publish("good", str(number).encode(), QOS[1]))
            assert (await heard(wire)).payload == str(number).encode()
    assert not [line for line in lines if "internal error" in line]
    assert endpoint.connections.open == 0


# -- simple clients ---------------------------------------------------------------------------------------------------


@trio_test
async def test_row_81_each_frame_of_a_simple_client_is_an_event_called_message() -> None:
    asked: list[tuple[str, bytes, Any]] = []

    async def answer(event: UserEvent) -> EventAnswer:
        asked.append((event.name, event.publish.payload, event.publish.properties.get("content_type")))
        await trio.lowlevel.checkpoint()
        return EventAnswer(200, event.publish.payload, event.publish.properties.get("content_type"))

    async with open_endpoint() as endpoint:
        equip(endpoint, "message").on_event = answer
        async with open_native(endpoint, groups=["g"]) as native:
            await native.send_raw("hällo", b"\xff")
            assert [await native.next(), await native.next()] == ["hällo", b"\xff"]
    assert asked == [("message", "hällo".encode(), "text/plain"), ("message", b"\xff", "application/octet-stream")]


@trio_test
async def test_row_81_a_simple_client_may_name_one_group_for_all_it_sends() -> None:
    async with open_endpoint() as endpoint, open_wire(endpoint) as wire:
        await subscribe(wire, "g", 1)
        for group, roles in (("no", ()), ("g", Roles.publish("g"))):
            target = f"{target_of(endpoint, roles=roles)}&webpubsub_mode=sendToGroup&group={group}"
            async with open_native(endpoint, target=target) as native:
                await native.send_raw("hi", b"\0")
                if group == "g":
                    for payload, content_type in ((b"hi", "text/plain"), (b"\0", "application/octet-stream")):
                        publish = await heard(wire)
                        assert (publish.payload, publish.properties["content_type"]) == (payload, content_type)


@trio_test
async def test_row_81_a_simple_client_that_is_closed_gets_no_frame_of_json() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint) as native:
        hub = endpoint.hub("chat")
        assert hub is not None
        (member,) = hub.members()
        hub.close(member, trio.current_time(), "enough")
        endpoint.flush(hub)
        assert await native.end() == (1000, None)
        await until_empty(endpoint)
        assert endpoint.hub("chat") is None


@trio_test
async def test_a_client_that_goes_silent_is_dropped(autojump_clock: object) -> None:
    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        async with open_native(endpoint, JSON, memory=nursery) as native:
            await greeted(native)
            await trio.sleep(130)
            assert (await native.end())[0] == 1001
        nursery.cancel_scope.cancel()


@trio_test
async def test_leaving_the_endpoint_says_goodbye_to_native_clients() -> None:
    async def stay(endpoint: Endpoint, ready: trio.Event) -> None:
        async with open_native(endpoint, JSON) as native:
            await greeted(native)
            ready.set()
            assert (await native.end())[0] == 1001

    async with trio.open_nursery() as nursery, open_endpoint() as endpoint:
        ready = trio.Event()
        nursery.start_soon(stay, endpoint, ready)
        with trio.fail_after(10):
            await ready.wait()
    assert endpoint.connections.open == 0
