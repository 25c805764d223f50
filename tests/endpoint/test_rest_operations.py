"""What each operation of the REST data plane does to the sessions of a hub."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
import trio
from trio.testing import trio_test

from mqttws.codec import Disconnect, Publish, SubAck, Subscribe, Subscription
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.endpoint.members import Member
from mqttws.http import Response
from mqttws.session import Closed
from mqttws.vocabulary import QOS
from mqttws.webpubsub import Roles, read_token
from tests.endpoint.rest import call, error_of
from tests.endpoint.rest import signed as token_for
from tests.endpoint.wires import Wire, connected, open_wire, target_of, until_empty

TEXT = ("content-type", "text/plain")
JSON = ("content-type", "application/json; charset=utf-8")


@asynccontextmanager
async def clients(endpoint: Endpoint, *who: tuple[str, str | None], **options: Any) -> AsyncIterator[list[Wire]]:
    """Connected MQTT clients, by client id and user id."""
    async with AsyncExitStack() as stack:
        wires = []
        for client_id, user_id in who:
            target = target_of(endpoint, user_id=user_id, **options)
            wire = await stack.enter_async_context(open_wire(endpoint, client_id, target=target))
            await connected(wire)
            wires.append(wire)
        yield wires


async def subscribe(wire: Wire, topic: str, qos: int = 1) -> None:
    wire.send(Subscribe(0, [Subscription(topic, QOS[qos])]))
    assert (await wire.next(SubAck)).reason_codes == [qos]


async def heard(wire: Wire) -> tuple[str, bytes, int, dict[str, Any]]:
    """The next message."""
    event = await wire.next(Publish)
    wire.link.acknowledge(event)
    wire.pump.flush()
    return event.topic, event.payload, int(event.qos), dict(event.properties)


async def silent(endpoint: Endpoint, wire: Wire, name: str) -> None:
    """Nothing has come before what is sent now."""
    await call(endpoint, "POST", f"connections/{name}/:send", b"fence", TEXT)
    assert (await heard(wire))[1] == b"fence"


def body_of(response: Response) -> Any:
    assert response.status == 200
    return json.loads(response.body)


# -- tokens ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "path"), [("clientType=MQTT", "/clients/mqtt/hubs/chat"), ("", "/client/hubs/chat")])
@trio_test
async def test_a_generated_token_opens_the_path_of_its_protocol(query: str, path: str) -> None:
    async with open_endpoint() as endpoint:
        rest = "userId=anna&role=webpubsub.sendToGroup.a&role=webpubsub.joinLeaveGroup&group=g&minutesToExpire=5"
        made = body_of(await call(endpoint, "POST", f":generateToken?{query}&{rest}"))["token"]
        now = time.time()
        claims = read_token(made, endpoint.keys, [endpoint.address + path], now)
        assert (claims.user_id, claims.groups) == ("anna", ("g",))
        assert claims.roles == ("webpubsub.sendToGroup.a", "webpubsub.joinLeaveGroup")
        assert 290 < claims.expires_at - now <= 300


@trio_test
async def test_a_token_that_cannot_be_made_is_refused() -> None:
    async with open_endpoint() as endpoint:
        for query in ("minutesToExpire=0", "minutesToExpire=x", "clientType=SocketIO"):
            assert error_of(await call(endpoint, "POST", f":generateToken?{query}"))[:2] == (400, "InvalidParameter")


# -- messages ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_row_71_a_message_to_a_group_is_a_publish_with_its_content_type() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", None), ("b", None)) as (a, b):
        await subscribe(a, "räume/1", 1)
        await subscribe(b, "räume/1", 0)
        target = f"groups/{quote('räume/1', safe='')}/:send?messageTtlSeconds=60"
        assert (await call(endpoint, "POST", target, b'{"x": 1}', JSON)).status == 202
        topic, payload, qos, properties = await heard(a)
        assert (topic, payload, qos) == ("räume/1", b'{"x": 1}', 1)
        assert properties["content_type"] == "application/json"
        assert properties["message_expiry_interval"] in (59, 60)
        assert (await heard(b))[2] == 0


@trio_test
async def test_row_72_messages_to_clients_themselves_need_no_subscription() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", "anna"), ("b", "anna"), ("c", None)) as wires:
        for target, receivers in [
            (":send", "abc"),
            (":send?excluded=a&excluded=b", "c"),
            (f":send?filter={quote(chr(39) + 'g' + chr(39) + ' in groups')}", ""),
            ("users/anna/:send", "ab"),
            (f"users/anna/:send?filter={quote('connectionId ne ' + chr(39) + 'a' + chr(39))}", "b"),
            ("connections/c/:send", "c"),
            ("connections/nobody/:send", ""),
            ("users/nobody/:send", ""),
        ]:
            assert (await call(endpoint, "POST", target, b"hello", TEXT)).status == 202
            for name, wire in zip("abc", wires, strict=True):
                if name in receivers:
                    topic, payload, qos, properties = await heard(wire)
                    assert (topic, payload, qos) == ("$webpubsub/server/messages", b"hello", 1)
                    assert properties == {"content_type": "text/plain"}
                else:
                    await silent(endpoint, wire, name)


@trio_test
async def test_a_message_to_a_group_leaves_out_whom_the_sender_does_not_want() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", "anna"), ("b", "bob")) as wires:
        for wire in wires:
            await subscribe(wire, "g")
        for query in ("excluded=a", f"filter={quote('userId eq ' + chr(39) + 'bob' + chr(39))}"):
            assert (await call(endpoint, "POST", f"groups/g/:send?{query}", b"x", TEXT)).status == 202
            assert (await heard(wires[1]))[1] == b"x"
            await silent(endpoint, wires[0], "a")


@trio_test
async def test_what_is_no_message_is_refused() -> None:
    async with open_endpoint() as endpoint:
        for target, body, headers, refusal in [
            (":send", b"x", (), (415, "UnsupportedContentType")),
            (":send", b"x", (("content-type", "image/png"),), (415, "UnsupportedContentType")),
            (":send", b"{", (JSON,), (400, "InvalidBody")),
            (":send", b"\xff", (TEXT,), (400, "InvalidBody")),
            (":send?messageTtlSeconds=301", b"x", (TEXT,), (400, "InvalidParameter")),
            (":send?filter=nonsense", b"x", (TEXT,), (400, "InvalidFilter")),
            ("groups/%20/:send", b"x", (TEXT,), (400, "InvalidParameter")),
            (":send?" + "&".join("excluded=x" for _ in range(501)), b"x", (TEXT,), (400, "InvalidQuery")),
        ]:
            assert error_of(await call(endpoint, "POST", target, body, *headers))[:2] == refusal
        octets = ("content-type", "application/octet-stream")
        assert (await call(endpoint, "POST", "groups/g/:send", b"\xff", octets)).status == 202


# -- groups ------------------------------------------------------------------------------------------------------------


@trio_test
async def test_row_73_groups_are_subscriptions_and_ask_for_no_role() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", "anna"), roles=()) as (wire,):
        for add, remove in [
            ("groups/g/connections/a", "groups/g/connections/a"),
            ("users/anna/groups/g", "users/anna/groups/g"),
            ("groups/g/connections/a", "connections/a/groups"),
            ("users/anna/groups/g", "users/anna/groups"),
        ]:
            assert (await call(endpoint, "PUT", add)).status == 200
            assert (await call(endpoint, "HEAD", "groups/g")).status == 200
            await call(endpoint, "POST", "groups/g/:send", b"in", TEXT)
            assert (await heard(wire))[:2] == ("g", b"in")
            assert (await call(endpoint, "DELETE", remove)).status == 204
            assert (await call(endpoint, "HEAD", "groups/g")).status == 404
            await call(endpoint, "POST", "groups/g/:send", b"out", TEXT)
            await silent(endpoint, wire, "a")


@trio_test
async def test_many_sessions_join_and_leave_many_groups() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", "anna"), ("b", "bob"), ("c", None)):
        asked = {"groups": ["g", "h"], "filter": "userId ne null"}
        assert (await call(endpoint, "POST", ":addToGroups", json.dumps(asked).encode(), JSON)).status == 200
        for group in "gh":
            listed = body_of(await call(endpoint, "GET", f"groups/{group}/connections"))
            assert listed == {
                "value": [{"connectionId": "a", "userId": "anna"}, {"connectionId": "b", "userId": "bob"}]
            }
        everybody = json.dumps({"groups": ["h"]}).encode()
        assert (await call(endpoint, "POST", ":removeFromGroups", everybody, JSON)).status == 200
        assert (await call(endpoint, "HEAD", "groups/h")).status == 404
        assert (await call(endpoint, "HEAD", "groups/g")).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "InvalidBody"),
        (b"{", "InvalidBody"),
        (b"[" * 100_000, "InvalidBody"),
        (b'{"groups": []}', "InvalidBody"),
        (b'{"groups": [1]}', "InvalidBody"),
        (b'{"groups": ["g"], "filter": 1}', "InvalidBody"),
        (b'{"groups": [" "]}', "InvalidParameter"),
        (b'{"groups": ["g"], "filter": "x"}', "InvalidFilter"),
    ],
)
@trio_test
async def test_a_bulk_request_that_says_nothing_is_refused(body: bytes, code: str) -> None:
    async with open_endpoint() as endpoint:
        assert error_of(await call(endpoint, "POST", ":addToGroups", body, JSON))[:2] == (400, code)


@trio_test
async def test_a_session_has_a_limit_of_groups_and_must_be_there_to_join_one() -> None:
    async with open_endpoint(subscription_limit=1, missing_connection_status=410) as endpoint:
        async with clients(endpoint, ("a", None)):
            assert (await call(endpoint, "PUT", "groups/g/connections/a")).status == 200
            refused = await call(endpoint, "PUT", "groups/h/connections/a")
            assert error_of(refused)[:2] == (400, "TooManyGroups")
        for method, target in [
            ("PUT", "groups/g/connections/x"),
            ("PUT", "permissions/sendToGroup/connections/x"),
        ]:
            assert error_of(await call(endpoint, method, target))[:2] == (410, "ConnectionNotFound")
        for target in ("groups/g/connections/x", "connections/x/groups", "users/x/groups/g", "users/x/groups"):
            assert (await call(endpoint, "DELETE", target)).status == 204
        assert (await call(endpoint, "PUT", "users/x/groups/g")).status == 200


@trio_test
async def test_bulk_requests_with_very_many_groups_cost_no_more_than_the_sessions_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = json.dumps({"groups": [f"g{number}" for number in range(50_000)]}).encode()
    same = json.dumps({"groups": ["g7"] * 50_000}).encode()
    names = [(f"c{number}", None) for number in range(5)]
    async with open_endpoint(subscription_limit=1) as endpoint, clients(endpoint, *names):
        refused = await call(endpoint, "POST", ":addToGroups", many, JSON)
        assert error_of(refused)[:2] == (400, "TooManyGroups")
        assert (await call(endpoint, "HEAD", "groups/g0")).status == 404  # nobody has joined the first ones
        assert (await call(endpoint, "POST", ":addToGroups", same, JSON)).status == 200
        hub = endpoint.hub("chat")
        assert hub is not None
        remove, removed = hub.remove_from_group, []

        def counted(member: Member, group: str) -> bool:
            removed.append(group)
            return remove(member, group)

        monkeypatch.setattr(hub, "remove_from_group", counted)
        assert (await call(endpoint, "POST", ":removeFromGroups", many, JSON)).status == 200
        assert removed == ["g7"] * len(names)
        assert (await call(endpoint, "HEAD", "groups/g7")).status == 404


@trio_test
async def test_a_long_list_comes_in_pages() -> None:
    names = [(f"c{number}", None) for number in range(5)]
    async with open_endpoint() as endpoint, clients(endpoint, *names, groups=["g"]):
        seen: list[list[str]] = []
        target = "/api/hubs/chat/groups/g/connections?maxpagesize=2&api-version=2024-12-01"
        for _ in range(3):
            page = body_of(await call(endpoint, "GET", target))
            seen.append([item["connectionId"] for item in page["value"]])
            target = page.get("nextLink", "").removeprefix(endpoint.address)
        assert (seen, target) == ([["c0", "c1"], ["c2", "c3"], ["c4"]], "")
        few = body_of(await call(endpoint, "GET", "groups/g/connections?top=3&maxpagesize=2"))
        more = body_of(await call(endpoint, "GET", few["nextLink"].removeprefix(endpoint.address)))
        assert [item["connectionId"] for item in few["value"] + more["value"]] == ["c0", "c1", "c2"]
        assert "nextLink" not in more
        for query in ("maxpagesize=201", "top=0", "continuationToken=%C3%A4", "continuationToken=x"):
            refused = await call(endpoint, "GET", f"groups/g/connections?{query}")
            assert error_of(refused)[:2] == (400, "InvalidParameter")
    async with open_endpoint() as endpoint:
        assert body_of(await call(endpoint, "GET", "groups/g/connections")) == {"value": []}


# -- who is here, and the end of it ------------------------------------------------------------------------------------


@trio_test
async def test_row_74_what_exists_is_the_session_online_or_not() -> None:
    async with open_endpoint() as endpoint:
        asked = ("connections/a", "users/anna", "groups/g")
        for target in asked:
            assert (await call(endpoint, "HEAD", target)).status == 404
        target = target_of(endpoint, user_id="anna", groups=["g"])
        async with open_wire(endpoint, "a", target=target, properties={"session_expiry_interval": 30}) as wire:
            await connected(wire)
        await until_empty(endpoint)
        for target in asked:
            assert (await call(endpoint, "HEAD", target)).status == 200
        assert (await call(endpoint, "DELETE", "connections/a")).status == 204
        assert endpoint.hub("chat") is None  # a hub that nobody is left in takes no room


@pytest.mark.parametrize(
    "target", ["connections/a", "users/anna/:closeConnections", "groups/g/:closeConnections", ":closeConnections"]
)
@trio_test
async def test_row_75_closing_ends_the_session_with_the_reason(target: str) -> None:
    method = "DELETE" if target == "connections/a" else "POST"
    async with (
        open_endpoint() as endpoint,
        clients(endpoint, ("a", "anna"), ("b", "anna"), groups=["g"]) as (a, b),
    ):
        answer = await call(endpoint, method, f"{target}?reason=bye%20now&excluded=b")
        assert answer.status == 204
        goodbye = await a.next(Disconnect)
        assert (goodbye.reason_code, goodbye.properties["reason_string"]) == (0x98, "bye now")
        await a.next(Closed)
        assert (await call(endpoint, "HEAD", "connections/a")).status == 404
        await silent(endpoint, b, "b")


@trio_test
async def test_closing_nobody_is_fine() -> None:
    async with open_endpoint() as endpoint:
        assert (await call(endpoint, "DELETE", "connections/a")).status == 204
        for target in ("users/u/:closeConnections", "groups/g/:closeConnections", ":closeConnections"):
            assert (await call(endpoint, "POST", target)).status == 204


# -- permissions -------------------------------------------------------------------------------------------------------


@trio_test
async def test_row_76_permissions_change_at_once() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", None), roles=()) as (wire,):
        for target in (
            "permissions/joinLeaveGroup/connections/a?targetName=g",
            "permissions/sendToGroup/connections/a?targetName=g",
            "permissions/sendToGroup/connections/a",
        ):
            assert (await call(endpoint, "HEAD", target)).status == 404
            assert (await call(endpoint, "PUT", target)).status == 200
            assert (await call(endpoint, "HEAD", target)).status == 200
        await subscribe(wire, "g", 1)
        wire.send(Publish("g", b"mine", QOS[1]))
        assert (await heard(wire))[:2] == ("g", b"mine")
        for name in ("joinLeaveGroup", "sendToGroup"):
            assert (await call(endpoint, "DELETE", f"permissions/{name}/connections/a")).status == 204
            assert (await call(endpoint, "HEAD", f"permissions/{name}/connections/a?targetName=g")).status == 404
        await call(endpoint, "POST", "groups/g/:send", b"unheard", TEXT)
        await silent(endpoint, wire, "a")


@trio_test
async def test_permissions_that_there_are_not_are_refused() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", None)):
        refused = await call(endpoint, "PUT", "permissions/dance/connections/a")
        assert error_of(refused)[1] == "InvalidParameter"
        refused = await call(endpoint, "PUT", "permissions/sendToGroup/connections/a?targetName=%20")
        assert error_of(refused)[1] == "InvalidParameter"
        assert (await call(endpoint, "DELETE", "permissions/sendToGroup/connections/x")).status == 204
        assert (await call(endpoint, "HEAD", "permissions/sendToGroup/connections/x")).status == 404


@trio_test
async def test_requests_come_over_the_endpoints_port() -> None:
    async with open_endpoint() as endpoint, clients(endpoint, ("a", None), roles=Roles.everything()) as (wire,):
        target = "/api/hubs/chat/:send"
        async with await trio.open_tcp_stream("127.0.0.1", endpoint.port) as stream:
            head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
            token = f"Authorization: Bearer {token_for(endpoint, target)}\r\n\r\n"
            await stream.send_all((head + token).encode() + b"hello")
            with trio.fail_after(10):
                assert bytes(await stream.receive_some()).startswith(b"HTTP/1.1 202 ")
        assert (await heard(wire))[1] == b"hello"
