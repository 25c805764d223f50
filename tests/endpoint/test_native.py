"""How native clients get in, come back, and what REST does with them (row 81)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.codec import ConnAck
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.endpoint.upstream import ConnectRequest, Denied, Granted
from mqttws.webpubsub import Roles
from mqttws.websocket import Opened, WebSocket
from tests.endpoint.natives import JSON, RELIABLE_JSON, Native, open_native, refusal_of, target_of
from tests.endpoint.rest import call
from tests.endpoint.test_calls import equip
from tests.endpoint.wires import connected, open_wire, until_empty
from tests.endpoint.wires import target_of as mqtt_target_of

BOTH = pytest.mark.parametrize("subprotocol", [JSON, RELIABLE_JSON])
TEXT = ("content-type", "text/plain")
PROTOBUF = "protobuf.webpubsub.azure.v1"


def recovery_of(native: Native, *, token: str | None = None, connection_id: str | None = None) -> str:
    """Where a reliable client comes back; no access token is needed (documented)."""
    connection_id = native.connection_id if connection_id is None else connection_id
    return (
        f"/client/hubs/chat?awps_connection_id={connection_id}"
        f"&awps_reconnection_token={native.token if token is None else token}"
    )


async def cut(endpoint: Endpoint, native: Native) -> None:
    """Break a client's connection; it is over for the endpoint then."""
    before = endpoint.connections.open
    await native.stream.aclose()
    with trio.fail_after(10):
        while endpoint.connections.open >= before:  # noqa: ASYNC110 - the endpoint has no event for it
            await trio.sleep(0.01)


async def greeting(native: Native) -> dict[str, Any]:
    said: dict[str, Any] = await native.next()
    assert (said["type"], said["event"]) == ("system", "connected")
    return said


# -- the door ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_row_81_the_hub_stands_in_the_path_or_in_the_query() -> None:
    async with open_endpoint(hubs=["chat"]) as endpoint:
        short = target_of(endpoint, user_id="ann").replace("/client/hubs/chat?", "/client/?hub=chat&")
        for target in (target_of(endpoint, user_id="ann"), short):
            async with open_native(endpoint, JSON, target=target) as native:
                said = await greeting(native)
                assert said["userId"] == "ann"
                assert "reconnectionToken" not in said
                assert endpoint.hub("chat") is not None
        await until_empty(endpoint)
        assert endpoint.connections.sessions_ended == 2


@trio_test
async def test_row_81_who_may_not_come_in_is_told_by_a_status() -> None:
    async with open_endpoint(hubs=["chat"], origins=frozenset({"https://good"})) as endpoint:
        good = target_of(endpoint)
        many = "&x=" * 101
        mqtt = mqtt_target_of(endpoint).replace("/clients/mqtt/", "/client/")
        for target, status in [
            ("/client/hubs/chat", 401),
            (mqtt, 401),
            (good.replace("hubs/chat", "hubs/other"), 404),
            (good.replace("hubs/chat", "hubs/1"), 400),
            ("/client/", 400),
            (good + many, 400),
        ]:
            assert (await refusal_of(endpoint, target, JSON)).status == status, target
        assert (await refusal_of(endpoint, good, PROTOBUF)).status == 400
        assert endpoint.connections.refused == 7
        assert endpoint.hub("chat") is None


@trio_test
async def test_row_81_connections_have_one_limit_for_all_protocols() -> None:
    async with open_endpoint(connection_limit=1) as endpoint, open_wire(endpoint) as wire:
        await connected(wire)
        assert (await refusal_of(endpoint, target_of(endpoint), JSON)).status == 429
    async with open_endpoint(session_limit=1) as endpoint, open_wire(endpoint) as wire:
        await connected(wire)
        assert (await refusal_of(endpoint, target_of(endpoint), JSON)).status == 429
        with trio.fail_after(10):
            while endpoint.connections.open > 1:  # noqa: ASYNC110 - the endpoint has no event for it
                await trio.sleep(0.01)


@trio_test
async def test_row_81_without_native_clients_their_path_leads_nowhere() -> None:
    async with open_endpoint(native_clients=False) as endpoint:
        assert (await refusal_of(endpoint, target_of(endpoint), JSON)).status == 404


@pytest.mark.parametrize(
    ("offered", "named"),
    [((JSON,), JSON), (("other", RELIABLE_JSON, JSON), RELIABLE_JSON), ((PROTOBUF, JSON), JSON), ((), None)],
)
@trio_test
async def test_row_81_the_first_subprotocol_that_is_known_is_spoken(
    offered: tuple[str, ...], named: str | None
) -> None:
    async with open_endpoint() as endpoint, await trio.open_tcp_stream("127.0.0.1", endpoint.port) as stream:
        client = WebSocket.client(host="x", target=target_of(endpoint), subprotocols=offered, text=True)
        native = Native(stream, client)
        await native.flush()
        opened = await native.event()
        assert isinstance(opened, Opened)
        assert opened.subprotocol == named


@trio_test
async def test_row_81_groups_of_a_token_are_joined_without_a_role() -> None:
    async with (
        open_endpoint(subscription_limit=2) as endpoint,
        open_native(endpoint, JSON, groups=["a", "b", "c"], roles=()) as native,
    ):
        await greeting(native)
        await call(endpoint, "POST", "groups/b/:send", b"hi", TEXT)
        assert (await native.next())["data"] == "hi"
        await call(endpoint, "POST", "groups/c/:send", b"hi", TEXT)
        await native.nothing_more()


# -- event handlers ---------------------------------------------------------------------------------------------------


@trio_test
async def test_row_81_the_connect_handler_decides_who_a_client_is() -> None:
    asked: list[ConnectRequest] = []

    async def grant(request: ConnectRequest) -> Granted:
        asked.append(request)
        await trio.lowlevel.checkpoint()
        return Granted("bob", [*Roles.subscribe("g"), "strange"], ["h", " "], state="S")

    lines: list[str] = []
    async with open_endpoint(log=lines.append) as endpoint:
        handlers = equip(endpoint, "connect", "connected", "disconnected")
        handlers.on_connect = grant
        async with open_native(endpoint, JSON, user_id="ann") as native:
            assert (await greeting(native))["userId"] == "bob"
            assert (await native.ask(type="joinGroup", group="g", ackId=1))["success"]
            assert not (await native.ask(type="sendToGroup", group="g", data=1, ackId=2))["success"]
            hub = endpoint.hub("chat")
            assert hub is not None
            (member,) = hub.members()
            assert (member.state, list(member.subscriptions)) == ("S", ["h", "g"])
        await until_empty(endpoint)
        with trio.fail_after(10):
            while len(handlers.told) < 3:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
        (request,) = asked
        assert (request.connect, request.subprotocol) == (None, JSON)
        assert request.visitor.admission.user_id == "ann"
        assert request.visitor.admission.subprotocols == (JSON,)
        names = [f"{name} {native.connection_id}" for name in ("connect", "connected", "disconnected")]
        assert handlers.told == names
    assert any("strange" in line for line in lines)
    assert any("group ignored" in line for line in lines)


@pytest.mark.parametrize(("denied", "status"), [(Denied(403, "not you"), 403), (Denied(), 500), (Denied(0x87), 500)])
@trio_test
async def test_row_81_the_connect_handler_refuses_by_a_status(denied: Denied, status: int) -> None:
    async def refuse(request: ConnectRequest) -> Denied:
        await trio.lowlevel.checkpoint()
        return denied

    async with open_endpoint() as endpoint:
        equip(endpoint, "connect").on_connect = refuse
        refused = await refusal_of(endpoint, target_of(endpoint), JSON)
        assert refused.status == status
        assert denied.reason.encode() in refused.body
        await until_empty(endpoint)
        assert endpoint.hub("chat") is None


@pytest.mark.parametrize(
    ("offered", "chosen", "named"),
    [
        (("a", "b"), "b", "b"),
        ((RELIABLE_JSON, JSON), JSON, JSON),
        (("a",), "c", None),
        ((PROTOBUF, "a"), PROTOBUF, None),
    ],
)
@trio_test
async def test_row_81_the_connect_handler_may_choose_the_subprotocol(
    offered: tuple[str, ...], chosen: str, named: str | None
) -> None:
    async def choose(request: ConnectRequest) -> Granted:
        await trio.lowlevel.checkpoint()
        return Granted(subprotocol=chosen)

    async with open_endpoint() as endpoint:
        equip(endpoint, "connect").on_connect = choose
        target = target_of(endpoint)
        if PROTOBUF in offered:
            assert (await refusal_of(endpoint, target, *offered)).status == 400
        elif named is None:
            assert (await refusal_of(endpoint, target, *offered)).status == 500
        else:
            async with open_native(endpoint, *offered, target=target) as native:
                assert native.reads_json is (named == JSON)
                (member,) = endpoint.open_hub("chat").members()
                assert member.last_peer is not None
                assert member.last_peer.subprotocol == named


@trio_test
async def test_row_81_a_client_that_leaves_before_the_answer_never_was_there() -> None:
    answered = trio.Event()
    release = trio.Event()

    async def late(request: ConnectRequest) -> Granted:
        answered.set()
        await release.wait()
        return Granted()

    async with open_endpoint(handshake_timeout=1.0) as endpoint:
        handlers = equip(endpoint, "connect", "connected")
        handlers.on_connect = late
        async with await trio.open_tcp_stream("127.0.0.1", endpoint.port) as stream:
            native = Native(stream, WebSocket.client(host="x", target=target_of(endpoint), subprotocols=(JSON,)))
            await native.flush()
            with trio.fail_after(10):
                await answered.wait()
        await until_empty(endpoint)
        release.set()
        async with open_wire(endpoint) as wire:
            await trio.testing.wait_all_tasks_blocked()
            await connected(wire)
            assert handlers.told[1:] == ["connect c1", "connected c1"]
            assert endpoint.connections.sessions_started == 1


# -- coming back ------------------------------------------------------------------------------------------------------


@trio_test
async def test_row_81_a_reliable_client_goes_on_where_it_was() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, JSON) as other:
        await greeting(other)
        async with open_native(endpoint, RELIABLE_JSON, user_id="ann") as first:
            await greeting(first)
            await first.ask(type="joinGroup", group="g", ackId=1)
            await other.send(type="sendToGroup", group="g", data=1)
            assert (await first.next())["data"] == 1
            await cut(endpoint, first)
        await other.send(type="sendToGroup", group="g", data=2)
        await other.nothing_more()
        assert (await call(endpoint, "HEAD", f"connections/{first.connection_id}")).status == 200
        async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first)) as second:
            said = await greeting(second)
            assert (said["connectionId"], said["reconnectionToken"]) == (first.connection_id, first.token)
            for number in (1, 2):
                message = await second.next()
                assert (message["sequenceId"], message["data"]) == (number, number)
            await second.send(type="sequenceAck", sequenceId=2)
            again = await second.ask(type="joinGroup", group="g", ackId=1)
            assert again["error"]["name"] == "Duplicate"
            assert endpoint.connections.sessions_resumed == 1


@trio_test
async def test_row_81_event_handlers_hear_nothing_of_a_connection_that_is_taken_up_again() -> None:
    async with open_endpoint() as endpoint:
        handlers = equip(endpoint, "connect", "connected", "disconnected")
        async with open_native(endpoint, RELIABLE_JSON) as first:
            await greeting(first)
            await cut(endpoint, first)
        async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first)) as second:
            await greeting(second)
            assert handlers.told == [f"connect {first.connection_id}", f"connected {first.connection_id}"]
            await call(endpoint, "DELETE", f"connections/{first.connection_id}")
            await second.end()
        with trio.fail_after(10):
            while len(handlers.told) < 3:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
        assert handlers.told[2] == f"disconnected {first.connection_id}"


@trio_test
async def test_row_81_a_connection_that_is_taken_up_again_ends_the_old_one() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, RELIABLE_JSON) as first:
        await greeting(first)
        async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first)) as second:
            await greeting(second)
            assert await first.end() == (1000, "the connection goes on elsewhere")
            await second.nothing_more()
            assert len(endpoint.open_hub("chat").members()) == 1


@pytest.mark.parametrize("wrong", [{"token": "x"}, {"token": ""}, {"connection_id": "x"}, {"connection_id": "c1"}])
@trio_test
async def test_row_81_a_connection_that_is_not_there_is_told_by_1008(wrong: dict[str, str]) -> None:
    lines: list[str] = []
    async with (
        open_endpoint(log=lines.append) as endpoint,
        open_wire(endpoint) as wire,
        open_native(endpoint, RELIABLE_JSON) as first,
    ):
        await connected(wire)
        await greeting(first)
        async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first, **wrong)) as second:
            assert (await second.end())[0] == 1008
        await first.nothing_more()
    assert not [line for line in lines if first.token and first.token in line]


@trio_test
async def test_row_81_who_said_goodbye_or_waited_too_long_does_not_come_back(autojump_clock: object) -> None:
    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        for wait, goodbye, code in [(29, False, None), (31, False, 1008), (0, True, 1008)]:
            async with open_native(endpoint, RELIABLE_JSON, memory=nursery) as first:
                await greeting(first)
                if goodbye:
                    first.websocket.close()
                    await first.flush()
                    assert (await first.event()).code == 1000
            await trio.sleep(wait + 0.1)
            async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first), memory=nursery) as second:
                if code is None:
                    await greeting(second)
                else:
                    assert (await second.end())[0] == code
            await trio.sleep(31)
        assert endpoint.hub("chat") is None
        nursery.cancel_scope.cancel()


@trio_test
async def test_row_81_who_said_goodbye_may_come_back_where_the_setting_says_so() -> None:
    async with open_endpoint(native_farewell=False) as endpoint:
        async with open_native(endpoint, RELIABLE_JSON) as first:
            await greeting(first)
            first.websocket.close()
            await first.flush()
            await until_empty(endpoint)
        async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first)) as second:
            await greeting(second)
            assert second.connection_id == first.connection_id


@trio_test
async def test_row_81_other_clients_do_not_come_back() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, JSON) as first:
        await greeting(first)
        first.token = "null"
        assert (await refusal_of(endpoint, recovery_of(first), JSON)).status == 401
        async with open_native(endpoint, RELIABLE_JSON, target=recovery_of(first)) as second:
            assert (await second.end())[0] == 1008


# -- REST -------------------------------------------------------------------------------------------------------------


@trio_test
@BOTH
async def test_row_81_rest_reaches_native_clients(subprotocol: str) -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, subprotocol, user_id="ann", roles=()) as native:
        await greeting(native)
        name = native.connection_id
        for target in (":send", f"connections/{name}/:send", "users/ann/:send"):
            await call(endpoint, "POST", target, b'{"a":1}', ("content-type", "application/json"))
            message = await native.next()
            message.pop("sequenceId", None)
            assert message == {"type": "message", "from": "server", "dataType": "json", "data": {"a": 1}}
        assert (await call(endpoint, "PUT", f"groups/g/connections/{name}")).status == 200
        await call(endpoint, "POST", "groups/g/:send", b"\xff", ("content-type", "application/octet-stream"))
        message = await native.next()
        assert (message["from"], message["group"], message["data"]) == ("group", "g", "/w==")
        listed = json.loads((await call(endpoint, "GET", "groups/g/connections")).body)
        assert listed["value"] == [{"connectionId": name, "userId": "ann"}]
        assert not (await native.ask(type="sendToGroup", group="g", data=1, ackId=1))["success"]
        await call(endpoint, "PUT", f"permissions/sendToGroup/connections/{name}?targetName=g")
        message = await native.ask(type="sendToGroup", group="g", data=1, ackId=2)
        assert (message["data"], message["fromUserId"]) == (1, "ann")
        assert (await native.next())["success"]
        assert (await call(endpoint, "DELETE", f"groups/g/connections/{name}")).status == 204
        assert (await call(endpoint, "HEAD", "groups/g")).status == 404


@trio_test
@BOTH
async def test_row_81_rest_ends_native_clients_for_good(subprotocol: str) -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, subprotocol) as native:
        await greeting(native)
        assert (await call(endpoint, "DELETE", f"connections/{native.connection_id}?reason=enough")).status == 204
        assert await native.end() == (1000, "enough")
        assert (await call(endpoint, "HEAD", f"connections/{native.connection_id}")).status == 404
        await until_empty(endpoint)
        assert endpoint.connections.sessions_ended == 1


@trio_test
async def test_row_81_revoking_the_role_ends_the_groups_that_a_client_joined_by_it() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, JSON, groups=["given"]) as native:
        await greeting(native)
        await native.ask(type="joinGroup", group="asked", ackId=1)
        await call(endpoint, "DELETE", f"permissions/joinLeaveGroup/connections/{native.connection_id}")
        (member,) = endpoint.open_hub("chat").members()
        assert list(member.subscriptions) == ["given"]


@trio_test
async def test_an_mqtt_client_id_is_no_native_connection() -> None:
    async with open_endpoint() as endpoint, open_native(endpoint, JSON) as native:
        await greeting(native)
        async with open_wire(endpoint, native.connection_id) as wire:
            connack = await wire.next(ConnAck)
            assert connack.reason_code == 0x85
        await native.nothing_more()


@trio_test
async def test_leaving_the_endpoint_refuses_who_still_waits_for_an_event_handler() -> None:
    asked = trio.Event()
    refused = []

    async def never(request: ConnectRequest) -> Granted:
        asked.set()
        await trio.sleep_forever()

    async def knock(endpoint: Endpoint) -> None:
        refused.append(await refusal_of(endpoint, target_of(endpoint), JSON))

    async with trio.open_nursery() as nursery, open_endpoint() as endpoint:
        equip(endpoint, "connect").on_connect = never
        nursery.start_soon(knock, endpoint)
        with trio.fail_after(10):
            await asked.wait()
    assert [answer.status for answer in refused] == [503]


@trio_test
async def test_groups_beyond_the_limit_are_ignored_with_one_warning_whatever_the_client_speaks() -> None:
    lines: list[str] = []
    groups = [f"g{number}" for number in range(9)]
    async with open_endpoint(subscription_limit=2, log=lines.append) as endpoint:
        async with open_native(endpoint, JSON, groups=groups) as native:
            assert (await native.next())["event"] == "connected"
        async with open_wire(endpoint, target=mqtt_target_of(endpoint, groups=groups)) as wire:
            await connected(wire)
        warnings = [line for line in lines if "ignored" in line]
        assert ["a session has at most 2 subscriptions" in line for line in warnings] == [True, True]
        assert "7 groups ignored" in warnings[1]
