"""Events of an endpoint's clients at HTTP servers and at functions, and what their answers do; rows 32 to 36, 60 to 67.

In memory and without waiting, but for the last ones.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.codec import ConnAck, Disconnect, Publish, SubAck, Subscribe, Subscription
from mqttws.endpoint import (
    ConnectRequest,
    Denied,
    EventAnswer,
    EventHandler,
    Granted,
    HandlerFault,
    MemberConnected,
    MemberDisconnected,
    UserEvent,
    open_endpoint,
)
from mqttws.endpoint.upstream import Answer, Call
from mqttws.http import Request, Response, header
from mqttws.link import Opened
from mqttws.session import Delivered
from mqttws.webpubsub import Roles
from tests.endpoint.bench import Q0, Q1, Q2
from tests.endpoint.webhooks import URL, WebHook, equipped, json_answer
from tests.endpoint.wires import connected, memory_stream, open_wire, target_of, until_empty
from tests.transport.proxies import listening

ECHO = "$webpubsub/server/events/echo"
EVERYTHING = EventHandler(URL, "*", ["connect", "connected", "disconnected"])
VERSIONS = pytest.mark.parametrize("version", [4, 5])


def state(text: str) -> tuple[str, str]:
    return "ce-connectionState", base64.b64encode(text.encode()).decode()


# -- connect ----------------------------------------------------------------------------------------------------------


@VERSIONS
@trio_test
async def test_row_32_connect_is_posted_and_a_success_without_a_body_lets_in(
    version: int, autojump_clock: MockClock
) -> None:
    async with equipped(EVERYTHING) as bed:
        options: Any = {"properties": {"user_property": [("a", "b")]}} if version == 5 else {}
        target = target_of(bed.endpoint, user_id="ann", groups=["g"], roles=Roles.publish("t")) + "&k=v&k=w"
        async with open_wire(
            bed.endpoint,
            version=version,
            username="ann",
            password=b"\0pw",
            target=target,
            stream=bed.stream(),
            **options,
        ) as wire:
            assert not (await connected(wire)).session_present
            body = json.loads((await bed.webhook.event("sys.connect")).body)
    assert body["mqtt"] == {
        "protocolVersion": version,
        "cleanStart": True,
        "username": "ann",
        "password": "AHB3",
        "userProperties": [{"name": "a", "value": "b"}] if version == 5 else None,
    }
    assert body["claims"]["role"] == ["webpubsub.sendToGroup.t"]
    assert body["claims"]["webpubsub.group"] == ["g"]
    assert (body["query"], body["subprotocols"], body["clientCertificates"]) == ({"k": ["v", "w"]}, ["mqtt"], [])
    assert all(isinstance(value, str) for values in body["claims"].values() for value in values)


@trio_test
async def test_row_32_the_answer_sets_identity_groups_roles_user_properties_and_state(
    autojump_clock: MockClock,
) -> None:
    given = {
        "userId": "bob",
        "roles": Roles.subscribe("a"),
        "groups": ["given"],
        "subprotocol": "mqtt",
        "mqtt": {"userProperties": [{"name": "k", "value": "v"}], "new": 1},
    }
    async with equipped(EVERYTHING) as bed:
        bed.webhook.answer = WebHook.says(json_answer(200, given, state('{"n":1}')))
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            assert (await connected(wire)).properties["user_property"] == [("k", "v")]
            wire.send(Subscribe(1, [Subscription("a", Q1), Subscription("b", Q1)]))
            assert (await wire.next(SubAck)).reason_codes == [1, 0x87]
            told = await bed.webhook.event("sys.connected")
            assert header(told.headers, "ce-userid") == "bob"
            assert header(told.headers, "ce-connectionstate") == state('{"n":1}')[1]
            hub = bed.endpoint.hub("chat")
            assert hub is not None
            assert [member.client_id for member in hub.members_of_group("given")] == ["c1"]


@VERSIONS
@trio_test
async def test_row_32_a_refusal_has_code_reason_and_user_properties(version: int, autojump_clock: MockClock) -> None:
    code = 0x8A if version == 5 else 5
    refusal = {"mqtt": {"code": code, "reason": "banned", "userProperties": [{"name": "n", "value": "v"}]}}
    async with equipped(EVERYTHING) as bed:
        bed.webhook.answer = WebHook.says(json_answer(403, refusal))
        async with open_wire(bed.endpoint, version=version, stream=bed.stream()) as wire:
            connack = await wire.next(ConnAck)
            await wire.end()
        assert connack.reason_code == code
        expected: Any = {"reason_string": "banned", "user_property": [("n", "v")]} if version == 5 else {}
        assert connack.properties == expected
        assert bed.webhook.types == ["sys.connect"]


@pytest.mark.parametrize(
    "answer",
    [
        Response(500),
        Response(401, (), b"no"),
        Response(302, (("Location", URL),)),
        json_answer(400, {"mqtt": {"reason": "no code"}}),
        json_answer(200, ["no object"]),
        json_answer(200, {"userId": 5}),
        json_answer(200, {"subprotocol": "other"}),
        Response(200, (), b"x" * 100),
        Response(200, (), b"[" * 100),
    ],
)
@trio_test
async def test_row_33_whatever_is_no_answer_refuses_with_a_setting(answer: Response, autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING, handler_failure_code=0x88) as bed:
        bed.webhook.answer = WebHook.says(answer)
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x88
        assert bed.webhook.types == ["sys.connect"]  # nobody was redirected, nothing was repeated


@pytest.mark.parametrize("code", [0, 5, 1000, "135", True, 1.5, [1]])
@trio_test
async def test_row_34_a_code_that_the_version_does_not_have_is_unspecified(
    code: object, autojump_clock: MockClock
) -> None:
    async with equipped(EVERYTHING, handler_failure_code=0x88) as bed:
        bed.webhook.answer = WebHook.says(json_answer(400, {"mqtt": {"code": code}}))
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x80


@trio_test
async def test_row_32_a_handler_that_says_nothing_refuses_in_time(autojump_clock: MockClock) -> None:
    async def silence(request: Request) -> Response:
        await trio.sleep_forever()

    async with equipped(EVERYTHING, event_timeout=3) as bed:
        bed.webhook.answer = silence
        began = trio.current_time()
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x80
        assert 3 <= trio.current_time() - began < 4
        assert bed.logged("EventHandlerFailed") != []


@trio_test
async def test_row_32_an_answer_is_bounded(autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING, maximum_packet_size=1000) as bed:
        bed.webhook.answer = WebHook.says(json_answer(200, {"userId": "x" * 1000}))
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x80
        assert "after 1000 bytes" in bed.logged("EventHandlerFailed")[0]


# -- connected and disconnected ---------------------------------------------------------------------------------------


@trio_test
async def test_row_36_a_resumed_session_is_asked_about_but_not_announced(autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING) as bed:
        lasting: Any = {"clean_start": False, "properties": {"session_expiry_interval": 30}}
        async with open_wire(bed.endpoint, stream=bed.stream(), **lasting) as wire:
            await connected(wire)
            first = await bed.webhook.event("sys.connected")
            session = wire.link.connection.session
        async with open_wire(bed.endpoint, stream=bed.stream(), session=session, **lasting) as wire:
            assert (await connected(wire)).session_present
            wire.send(Disconnect(properties={"session_expiry_interval": 0}))
            await wire.end()
        await bed.webhook.event("sys.disconnected")
    assert bed.webhook.types == ["sys.connect", "sys.connected", "sys.connect", "sys.disconnected"]
    physical = [header(each.headers, "ce-physicalconnectionid") for each in bed.webhook.events]
    assert physical[0] == physical[1] != physical[2] == physical[3]
    sessions = [header(each.headers, "ce-sessionid") for each in bed.webhook.events]
    assert (sessions[0], sessions[2]) == (None, None)
    assert sessions[1] == sessions[3] == header(first.headers, "ce-sessionid") is not None
    assert [header(each.headers, "ce-id") for each in bed.webhook.events] == ["1", "2", "1", "3"]


@VERSIONS
@trio_test
async def test_row_66_disconnected_tells_the_client_s_disconnect(version: int, autojump_clock: MockClock) -> None:
    async with equipped(EventHandler(URL, "", ["connected", "disconnected"])) as bed:
        async with open_wire(bed.endpoint, version=version, stream=bed.stream()) as wire:
            await connected(wire)
            properties: Any = {"reason_string": "bye", "user_property": [("k", "v")]} if version == 5 else {}
            wire.send(Disconnect(4 if version == 5 else 0, properties))
            await wire.end()
        told = await bed.webhook.event("sys.disconnected")
    assert json.loads(bed.webhook.events[0].body) == {}
    said = [{"name": "k", "value": "v"}] if version == 5 else None
    assert json.loads(told.body) == {
        "reason": "bye" if version == 5 else None,
        "mqtt": {
            "initiatedByClient": True,
            "disconnectPacket": {"code": 4 if version == 5 else 0, "userProperties": said},
        },
    }


@trio_test
async def test_row_67_disconnected_is_told_when_the_session_ends_without_a_packet(autojump_clock: MockClock) -> None:
    async with equipped(EventHandler(URL, "", ["disconnected"])) as bed:
        lasting: Any = {"clean_start": False, "properties": {"session_expiry_interval": 20}}
        async with open_wire(bed.endpoint, stream=bed.stream(), **lasting) as wire:
            await connected(wire)
        await until_empty(bed.endpoint)
        began = trio.current_time()
        while not bed.webhook.events:  # noqa: ASYNC110 - there is no event for it
            await trio.sleep(1)
        assert 19 <= trio.current_time() - began <= 22
    body = json.loads(bed.webhook.events[0].body)
    assert body["mqtt"] == {"initiatedByClient": False, "disconnectPacket": None}
    assert isinstance(body["reason"], str)


@trio_test
async def test_a_service_s_end_of_a_connection_has_its_code_and_no_user_properties(autojump_clock: MockClock) -> None:
    async with equipped(EventHandler(URL, "", ["disconnected"])) as bed:
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            await connected(wire)
            hub = bed.endpoint.hub("chat")
            assert hub is not None
            hub.close(hub.members()[0], trio.current_time(), "enough")
            bed.endpoint.flush(hub)
            await wire.end()
        told = await bed.webhook.event("sys.disconnected")
    assert json.loads(told.body) == {
        "reason": "enough",
        "mqtt": {"initiatedByClient": False, "disconnectPacket": {"code": 0x98, "userProperties": None}},
    }


@trio_test
async def test_the_end_of_a_session_never_overtakes_its_beginning(autojump_clock: MockClock) -> None:
    ends: list[str] = []

    async def slow(request: Request) -> Response:
        kind = header(request.headers, "ce-eventname") or ""
        await trio.sleep(5 if kind == "connected" else 0)
        ends.append(kind)
        return Response(500)

    async with equipped(EventHandler(URL, "", ["connected", "disconnected"])) as bed:
        bed.webhook.answer = slow
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            await wire.next(Opened)
            wire.send(Disconnect())
            await wire.end()
        await bed.webhook.event("sys.disconnected")
        await trio.sleep(1)
        assert ends == ["connected", "disconnected"]
        assert [line.split(" ")[1] for line in bed.logged("EventHandlerFailed")] == ends  # and nothing else came of it


@trio_test
async def test_a_session_lives_on_whose_beginning_nobody_could_be_told(autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING) as bed:
        bed.webhook.answer = WebHook.says(Response(204, (("Connection", "close"),)))
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            await connected(wire)
            await bed.webhook.event("sys.connected")

            async def hang_up(request: Request) -> Response:
                raise trio.BrokenResourceError

            bed.webhook.answer = hang_up
            wire.send(Disconnect())
            await wire.end()
        await bed.webhook.event("sys.disconnected")
        await trio.sleep(1)
        (line,) = bed.logged("EventHandlerFailed")
        assert f"POST {URL}: " in line
        assert line.endswith("hub=chat client_id=c1")


# -- user events ------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("qos", [Q0, Q1, Q2])
@trio_test
async def test_row_60_an_event_and_its_answer_are_mapped(version: int, qos: Any, autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING) as bed, open_wire(bed.endpoint, version=version, stream=bed.stream()) as wire:
        await connected(wire)
        bed.webhook.answer = WebHook.says(
            Response(201, (("Content-Type", "text/plain"), ("mqtt-C", "d%20e"), ("mqtt-", "-"), state("S")), b"pong")
        )
        properties: Any = {
            "content_type": "application/json; charset=utf-8",
            "correlation_data": b"\7",
            "user_property": [("a", "1"), ("a", "ä% "), ("b c", "")],
        }
        wire.send(Publish(ECHO, b"{}", qos, properties=properties if version == 5 else {}))
        answer = await wire.next(Publish)
        request = await bed.webhook.event("user.echo")
    assert request.body == b"{}"
    named = [pair for pair in request.headers if pair[0].startswith("mqtt-")]
    if version == 5:
        assert header(request.headers, "content-type") == "application/json; charset=utf-8"
        assert named == [("mqtt-a", "1"), ("mqtt-a", "%C3%A4%25%20"), ("mqtt-b%20c", "")]
    else:
        assert header(request.headers, "content-type") == "application/octet-stream"
        assert named == []
    assert (answer.topic, answer.payload, answer.qos) == (f"{ECHO}/succeeded", b"pong", qos)
    expected: Any = {
        "content_type": "text/plain",
        "correlation_data": b"\7",
        "user_property": [("c", "d e"), ("azure-status-code", "201")],
    }
    assert answer.properties == (expected if version == 5 else {})


@trio_test
async def test_row_60_a_failure_is_answered_and_the_connection_stays(autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING) as bed, open_wire(bed.endpoint, stream=bed.stream()) as wire:
        await connected(wire)
        bed.webhook.answer = WebHook.says(Response(418, (), b"teapot"))
        for _ in range(2):
            wire.send(Publish(ECHO, b"x", Q1))
            answer = await wire.next(Publish)
            assert (answer.topic, answer.payload) == (f"{ECHO}/failed", b"teapot")
            assert answer.properties["user_property"] == [("azure-status-code", "418")]
            wire.link.acknowledge(answer)


@trio_test
async def test_row_60_state_goes_with_each_further_event_and_events_are_counted(autojump_clock: MockClock) -> None:
    async with equipped(EVERYTHING) as bed, open_wire(bed.endpoint, stream=bed.stream()) as wire:
        await connected(wire)
        await bed.webhook.event("sys.connected")
        for number in range(3):
            given = (state(str(number)),) if number < 2 else ()
            bed.webhook.answer = WebHook.says(Response(204, given))
            wire.send(Publish(ECHO, b"", Q1))
            wire.link.acknowledge(await wire.next(Publish))
        events = bed.webhook.events[2:]
        assert [header(each.headers, "ce-connectionstate") for each in events] == [None, state("0")[1], state("1")[1]]
        assert [header(each.headers, "ce-id") for each in events] == ["3", "4", "5"]


@trio_test
async def test_row_62_an_event_that_no_handler_takes_is_not_posted(autojump_clock: MockClock) -> None:
    handlers = (EventHandler(f"{URL}/{{event}}", "a, b"), EventHandler(f"{URL}/c/{{event}}/", "c,.."))
    async with equipped(*handlers) as bed, open_wire(bed.endpoint, stream=bed.stream()) as wire:
        await connected(wire)
        for name, status in (("a", "204"), ("A", "404"), ("b", "204"), ("c", "204"), ("..", "404"), ("d", "404")):
            wire.send(Publish(f"$webpubsub/server/events/{name}", b"", Q0))
            answer = await wire.next(Publish)
            assert answer.properties["user_property"] == [("azure-status-code", status)]
    assert [each.target.removeprefix("/eventhandler") for each in bed.webhook.events] == ["/a", "/b", "/c/c/"]


@trio_test
async def test_a_handler_that_cannot_be_reached_fails_and_no_secret_is_logged(autojump_clock: MockClock) -> None:
    async with equipped(EventHandler(f"{URL}?code=c0de")) as bed, open_wire(bed.endpoint, stream=bed.stream()) as wire:
        await connected(wire)
        bed.webhook.validation = Response(200, (("WebHook-Allowed-Origin", "*"), ("Connection", "close")))
        bed.webhook.answer = WebHook.says(Response(200, (("Transfer-Encoding", "strange"),)))
        wire.send(Publish(ECHO, b"", Q0))
        assert (await wire.next(Publish)).topic == f"{ECHO}/succeeded"

        async def hang_up(request: Request) -> Response:
            raise trio.BrokenResourceError

        bed.webhook.answer = hang_up
        wire.send(Publish(ECHO, b"", Q0))
        answer = await wire.next(Publish)
        assert answer.topic == f"{ECHO}/failed"
        assert answer.properties["user_property"] == [("azure-status-code", "502")]
        assert f"POST {URL}?[redacted]" in bed.logged("EventHandlerFailed")[0]
        assert "c0de" not in "\n".join(bed.lines)
        assert bed.webhook.events[-1].target == "/eventhandler?code=c0de"


@trio_test
async def test_connections_are_kept_and_bounded(autojump_clock: MockClock) -> None:
    async def slow(request: Request) -> Response:
        await trio.sleep(1)
        return Response(204)

    async with equipped(EventHandler(URL), handler_connections=2) as bed:
        bed.webhook.answer = slow
        async with trio.open_nursery() as nursery:

            async def one(number: int) -> None:
                async with open_wire(bed.endpoint, f"c{number}", stream=bed.stream()) as wire:
                    await connected(wire)
                    wire.send(Publish(ECHO, b"", Q1))
                    assert (await wire.next(Publish)).topic == f"{ECHO}/succeeded"

            for number in range(6):
                nursery.start_soon(one, number)
        assert len(bed.webhook.events) == 6
        assert bed.webhook.connections == 2


# -- functions of this process ----------------------------------------------------------------------------------------


@trio_test
async def test_a_function_handles_events_instead_of_a_url(autojump_clock: MockClock) -> None:
    told: list[str] = []

    async def handle(call: Call) -> Answer | None:
        await trio.lowlevel.checkpoint()
        match call:
            case ConnectRequest(connect=connect):
                assert connect is not None
                if connect.password != b"open sesame":
                    return Denied(0x86, "wrong words")
                return Granted("ann", Roles.everything())
            case UserEvent():
                told.append(call.name)
                return EventAnswer(200, call.publish.payload.upper())
            case MemberConnected() | MemberDisconnected():
                told.append(type(call).__name__)
        return None

    handler = EventHandler(handle, "*", ["connect", "connected", "disconnected"])
    async with open_endpoint(handlers={"chat": [handler]}) as endpoint:
        async with open_wire(endpoint, password=b"knock", username="") as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x86
        async with open_wire(endpoint, password=b"open sesame", username="") as wire:
            await connected(wire)
            wire.send(Publish(ECHO, b"hi", Q1))
            assert (await wire.next(Publish)).payload == b"HI"
            wire.send(Disconnect())
            await wire.end()
        with trio.fail_after(10):
            while len(told) < 3:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
    assert told == ["MemberConnected", "echo", "MemberDisconnected"]


@trio_test
async def test_the_first_handler_that_takes_an_event_gets_it_and_hubs_have_their_own_lists() -> None:
    def says(text: bytes) -> Any:
        async def handle(call: Call) -> Answer:
            await trio.lowlevel.checkpoint()
            return EventAnswer(200, text)

        return handle

    handlers = {
        "chat": [EventHandler(says(b"one"), "a"), EventHandler(says(b"two"), "*"), EventHandler(says(b"three"), "b")],
        "_default": [EventHandler(says(b"rest"), "a")],
        "mute": [],
    }
    async with open_endpoint(handlers=handlers) as endpoint:
        for hub, name, expected in [
            ("chat", "a", b"one"),
            ("chat", "b", b"two"),
            ("other", "a", b"rest"),
            ("other", "b", b"no event handler of this hub takes the event 'b'"),
            ("mute", "a", b"no event handler of this hub takes the event 'a'"),
        ]:
            async with open_wire(endpoint, hub=hub) as wire:
                await connected(wire)
                wire.send(Publish(f"$webpubsub/server/events/{name}", b"", Q1))
                assert (await wire.next(Delivered)).reason_code == 0
                assert [event.payload for event in wire.seen if isinstance(event, Publish)] in ([], [expected])
                if not any(isinstance(event, Publish) for event in wire.seen):
                    assert (await wire.next(Publish)).payload == expected


@trio_test
async def test_a_function_that_forgets_to_answer_refuses(autojump_clock: MockClock) -> None:
    async def forgetful(call: Call) -> Answer | None:
        await trio.lowlevel.checkpoint()
        return None

    async with equipped(EventHandler(forgetful, "*", ["connect"])) as bed:
        async with open_wire(bed.endpoint, stream=bed.stream()) as wire:
            assert (await wire.next(ConnAck)).reason_code == 0x80
        assert "NoneType" in bed.logged("EventHandlerFailed")[0]


# -- on sockets -------------------------------------------------------------------------------------------------------


@trio_test
async def test_an_endpoint_on_sockets_posts_to_a_url() -> None:
    webhook = WebHook()
    async with listening(webhook) as port:
        url = f"http://127.0.0.1:{port}/hubs/{{hub}}"
        handler = EventHandler(url, "*", ["connect", "connected"])
        async with open_endpoint(handlers={"_default": [handler]}) as endpoint, open_wire(endpoint, hub="news") as wire:
            await connected(wire)
            await webhook.event("sys.connected")
        assert webhook.methods[:2] == ["OPTIONS /hubs/news", "POST /hubs/news"]
        origin = header(webhook.requests[0].headers, "webhook-request-origin")
        assert origin == endpoint.address.removeprefix("http://")


@trio_test
async def test_leaving_the_endpoint_waits_until_the_handler_knows_that_the_clients_are_gone() -> None:
    webhook = WebHook()

    async def slow(request: Request) -> Response:
        await trio.sleep(0.2)
        return Response(204)

    webhook.answer = slow
    async with listening(webhook) as port:
        handler = EventHandler(f"http://127.0.0.1:{port}/", "", ["connected", "disconnected"])
        async with open_endpoint(handlers={"chat": [handler]}) as endpoint, open_wire(endpoint) as wire:
            await connected(wire)
        assert webhook.types == ["sys.connected", "sys.disconnected"]


@trio_test
async def test_leaving_the_endpoint_does_not_wait_for_ever(autojump_clock: MockClock) -> None:
    async def silence(call: Call) -> Answer | None:
        await trio.sleep_forever()

    handler = EventHandler(silence, "", ["connected", "disconnected"])
    async with trio.open_nursery() as nursery:
        async with open_endpoint(handlers={"chat": [handler]}, shutdown_timeout=3) as endpoint:
            async with open_wire(endpoint, stream=memory_stream(endpoint, nursery)) as wire:
                await connected(wire)
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(3, abs=0.5)
        nursery.cancel_scope.cancel()


@trio_test
async def test_handlers_that_cannot_be_used_are_told_before_anything_is_opened() -> None:
    with pytest.raises(HandlerFault, match="no hub"):
        async with open_endpoint(handlers={"no hub": []}):
            pytest.fail("it was opened")


@trio_test
async def test_handlers_of_a_hub_that_is_not_served_are_warned_of() -> None:
    handler = [EventHandler("http://127.0.0.1:1/", system_events=["connect"])]
    for hubs, warned in ((["chat", "news"], ["caht"]), (None, [])):
        lines: list[str] = []
        handlers = {"caht": handler, "chat": handler, "_default": handler}
        async with open_endpoint(hubs=hubs, handlers=handlers, log=lines.append):
            pass
        said = [line.partition("hub=")[2] for line in lines if "never asked" in line]
        assert said == warned
