"""Every property of 5.0 can be said by an application, or be heard by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import open_client
from mqttws.codec import Auth, ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe, Will
from mqttws.codec.properties import TABLE, AuthProperties, Property, WireType
from mqttws.errors import LocalProtocolError, ServerDisconnected
from mqttws.session import Delivered
from mqttws.vocabulary import PacketType, QoS, ReasonCode, Role
from tests.client.scripted import URL, Server, open_pair

#: A value for each way of being laid out; those of one byte are 0 or 1.
VALUES: dict[WireType, Any] = {
    WireType.U8: 1,
    WireType.U16: 7,
    WireType.U32: 700,
    WireType.VARINT: 70,
    WireType.UTF8: "text",
    WireType.TOPIC: "a/topic",
    WireType.BINARY: b"\0binary",
    WireType.PAIR: ("name", "value"),
}
#: CONNECT properties that are arguments.
ARGUMENTS = {"session_expiry_interval", "receive_maximum", "maximum_packet_size", "topic_alias_maximum"}
#: PUBREL and PUBCOMP leave, and are taken in, by themselves: what is known of a message stands in PUBREC.
BY_THEMSELVES = {PacketType.PUBREL, PacketType.PUBCOMP}

P = PacketType


def value_of(row: Property, place: object) -> Any:
    value = VALUES[row.wire_type]
    return [value] if place in row.many else value


def cases(sender: Role) -> list[Any]:
    """Every property that an end may send, with its place."""
    return [
        pytest.param(row, place, id=f"{place if isinstance(place, str) else place.name}-{row.name}")
        for row in TABLE
        for place, senders in row.senders.items()
        if sender in senders and place not in BY_THEMSELVES
    ]


class Greeter:
    """Says what a test wants it to say with CONNECT and AUTH."""

    method = "text"

    def __init__(self, said: Any = None) -> None:
        self.said: Any = said or {}
        self.heard: list[Mapping[str, Any]] = []

    async def begin(self) -> AuthProperties:
        return {"authentication_data": self.said["authentication_data"]} if "authentication_data" in self.said else {}

    async def answer(self, said: AuthProperties) -> AuthProperties:
        self.heard.append(said)
        answer: AuthProperties = self.said
        return answer

    async def finish(self, said: AuthProperties) -> None:
        self.heard.append(said)


async def connect(said: Any) -> Mapping[str, Any]:
    """The properties of CONNECT, for a client that is to say so."""
    options: dict[str, Any] = {name: said.pop(name) for name in ARGUMENTS & said.keys()}
    if said.keys() & {"authentication_method", "authentication_data"}:
        options["authenticator"] = Greeter(said)
        said = {}
    return (await greeting(properties=said, **options)).properties


async def will(said: Any) -> Mapping[str, Any]:
    sent = (await greeting(will=Will("a", properties=said))).will
    assert sent is not None
    return sent.properties


async def greeting(**options: Any) -> Connect:
    server, sent = Server(), []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.open_websocket()
            sent.append(await peer.expect(Connect))
            method = sent[0].properties.get("authentication_method")
            said: Any = {} if method is None else {"authentication_method": method}
            await peer.send(ConnAck(properties=said))
            await peer.finish()

        async with open_client(URL, dial=server.dial, reconnect=None, **options):
            pass
    return sent[0]


async def publish(said: Any) -> Mapping[str, Any]:
    limits: Any = {"topic_alias_maximum": 10}
    async with open_pair(ConnAck(properties=limits)) as (client, peer):
        wire = peer.connection
        await client.publish("a", properties=said)
        sent = await peer.expect(Publish)
        assert wire.is_open
        # The alias itself ends with the connection; that it arrived shows in the next message, which has no name.
        if "topic_alias" in said:
            await client.publish("", properties=said)
            assert (await peer.expect(Publish)).topic == "a"
            return {"topic_alias": said["topic_alias"]}
        return sent.properties


def acknowledge(qos: QoS) -> Callable[[Any], Awaitable[Mapping[str, Any]]]:
    async def say(said: Any) -> Mapping[str, Any]:
        async with open_pair() as (client, peer), trio.open_nursery() as nursery:
            nursery.start_soon(peer.grant)
            async with client.subscribe("a", qos=2, acknowledge="manual") as messages:
                await peer.send(Publish("a", b"", qos))
                messages.acknowledge(await anext(messages), ReasonCode.NOT_AUTHORIZED, said)
                delivered = await peer.expect(Delivered)
            nursery.start_soon(peer.release)
        return delivered.properties

    return say


async def subscribe(said: Any) -> Mapping[str, Any]:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        asked = []

        @nursery.start_soon
        async def serve() -> None:
            asked.append(await peer.grant())

        async with client.subscribe("a", properties=said):
            pass
        nursery.start_soon(peer.release)
    assert isinstance(asked[0], Subscribe)
    return asked[0].properties


async def unsubscribe(said: Any) -> Mapping[str, Any]:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a") as messages:
            messages.farewell = said
        return (await peer.expect(Unsubscribe)).properties


async def disconnect(said: Any) -> Mapping[str, Any]:
    server, heard = Server(), []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.greet()
            heard.extend(await peer.finish())

        async with open_client(URL, dial=server.dial) as client:
            client.farewell = said
    (packet,) = [event for event in heard if isinstance(event, Disconnect)]
    return packet.properties


async def auth(said: Any) -> Mapping[str, Any]:
    return (await authenticate(Greeter(said), {}))[0].properties


async def authenticate(greeter: Greeter, said: Any) -> list[Auth]:
    """An exchange with one question, which says ``said``; what the client has answered."""
    server, heard = Server(), []
    method: Any = {"authentication_method": "text"}
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.open_websocket()
            await peer.expect(Connect)
            await peer.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, method | said))
            heard.append(await peer.expect(Auth))
            await peer.send(ConnAck(properties=method))
            await peer.finish()

        async with open_client(URL, dial=server.dial, authenticator=greeter, reconnect=None):
            pass
    return heard


SAY: dict[object, Callable[[Any], Awaitable[Mapping[str, Any]]]] = {
    P.CONNECT: connect,
    "WILL": will,
    P.PUBLISH: publish,
    P.PUBACK: acknowledge(QoS.AT_LEAST_ONCE),
    P.PUBREC: acknowledge(QoS.EXACTLY_ONCE),
    P.SUBSCRIBE: subscribe,
    P.UNSUBSCRIBE: unsubscribe,
    P.DISCONNECT: disconnect,
    P.AUTH: auth,
}


@pytest.mark.parametrize(("row", "place"), cases(Role.CLIENT))
@trio_test
async def test_an_application_can_say_it(row: Property, place: object, autojump_clock: MockClock) -> None:
    value = value_of(row, place)
    assert (await SAY[place]({row.name: value}))[row.name] == value


async def hear_connack(said: Any) -> Mapping[str, Any]:
    if "authentication_data" in said:
        said = said | {"authentication_method": "text"}
    options: dict[str, Any] = {"authenticator": Greeter()} if "authentication_method" in said else {}
    if "assigned_client_identifier" in said:
        options["client_id"] = ""
    asking: Any = {"request_response_information": 1}
    async with open_pair(ConnAck(properties=said), properties=asking, **options) as (client, _):
        return client.connack.properties


async def hear_publish(said: Any) -> Mapping[str, Any]:
    async with open_pair(topic_alias_maximum=10) as (client, peer), client.messages() as messages:
        await peer.send(Publish("a", properties=said))
        message = await anext(messages)
        if "topic_alias" in said:
            await peer.send(Publish("", properties=said))
            assert (await anext(messages)).topic == "a"
            return {"topic_alias": said["topic_alias"]}
        return message.properties


def hear_acknowledgement(qos: int) -> Callable[[Any], Awaitable[Mapping[str, Any]]]:
    async def hear(said: Any) -> Mapping[str, Any]:
        async with open_pair() as (client, peer), trio.open_nursery() as nursery:

            @nursery.start_soon
            async def serve() -> None:
                await peer.acknowledge(await peer.expect(Publish), **said)
                if qos == 2:
                    await peer.swallow()

            return (await client.publish("a", qos=qos)).properties

    return hear


async def hear_suback(said: Any) -> Mapping[str, Any]:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            asked = await peer.expect(Subscribe)
            await peer.send(SubAck(asked.packet_id, [1], said))
            await peer.release()

        async with client.subscribe("a") as messages:
            return messages.properties


async def hear_disconnect(said: Any) -> Mapping[str, Any]:
    async with open_pair(reconnect=None) as (client, peer):
        await peer.send(Disconnect(ReasonCode.SERVER_SHUTTING_DOWN, said))
        with pytest.raises(ServerDisconnected) as caught:
            async with client.messages() as messages:
                await anext(messages)
        return caught.value.properties


async def hear_auth(said: Any) -> Mapping[str, Any]:
    greeter = Greeter()
    await authenticate(greeter, said)
    return greeter.heard[0]


HEAR: dict[object, Callable[[Any], Awaitable[Mapping[str, Any]]]] = {
    P.CONNACK: hear_connack,
    P.PUBLISH: hear_publish,
    P.PUBACK: hear_acknowledgement(1),
    P.PUBREC: hear_acknowledgement(2),
    P.SUBACK: hear_suback,
    P.DISCONNECT: hear_disconnect,
    P.AUTH: hear_auth,
}


@pytest.mark.parametrize(("row", "place"), [case for case in cases(Role.SERVER) if case.values[1] is not P.UNSUBACK])
@trio_test
async def test_an_application_can_hear_it(row: Property, place: object, autojump_clock: MockClock) -> None:
    value = value_of(row, place)
    assert (await HEAR[place]({row.name: value}))[row.name] == value


@pytest.mark.parametrize("said", [{"reason_string": "not you"}, {"user_property": [("why", "not you")]}])
@trio_test
async def test_a_refused_unsubscribe_is_in_the_log_with_its_words(
    said: Any, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a"):
            pass
        asked = await peer.expect(Unsubscribe)
        await peer.send(UnsubAck(asked.packet_id, [ReasonCode.NOT_AUTHORIZED], said))
        await trio.testing.wait_all_tasks_blocked()
    assert "UNSUBSCRIBE of 'a' refused: 0x87 Not authorized" in caplog.text
    assert "not you" in caplog.text


@trio_test
async def test_a_farewell_that_cannot_be_said_is_refused_when_it_is_set(autojump_clock: MockClock) -> None:
    wrong: Any = {"receive_maximum": 1}
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        with pytest.raises(LocalProtocolError, match="receive_maximum has no place in DISCONNECT"):
            client.farewell = wrong
        nursery.start_soon(peer.grant)
        async with client.subscribe("a") as messages:
            with pytest.raises(LocalProtocolError, match="receive_maximum has no place in UNSUBSCRIBE"):
                messages.farewell = wrong
        nursery.start_soon(peer.release)
        assert (client.farewell, messages.farewell) == ({}, {})


@trio_test
async def test_a_farewell_that_is_too_large_is_said_in_short(autojump_clock: MockClock) -> None:
    limits: Any = {"maximum_packet_size": 100}
    many: Any = {"user_property": [("name", "value" * 20)]}
    async with open_pair(ConnAck(properties=limits)) as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a") as messages:
            messages.farewell = many
        assert (await peer.release()).properties == {}


@trio_test
async def test_3_1_1_says_no_properties(autojump_clock: MockClock) -> None:
    async with open_pair(version=4) as (client, peer), trio.open_nursery() as nursery:
        client.farewell = {"reason_string": "bye"}
        nursery.start_soon(peer.grant)
        async with client.subscribe("a") as messages:
            messages.farewell = {"user_property": [("a", "b")]}
        assert (await peer.release()).properties == {}


@trio_test
async def test_of_several_answers_to_a_message_the_worst_counts(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with (
            client.subscribe("a", acknowledge="manual") as one,
            client.messages("a", acknowledge="manual") as two,
        ):
            for first, second in ((0, 0x87), (0x87, 0), (0, 0)):
                await peer.send(Publish("a", b"", QoS.AT_LEAST_ONCE))
                one.acknowledge(await anext(one), first, {"reason_string": "one"} if first else None)
                two.acknowledge(await anext(two), second, {"reason_string": "two"})
                delivered = await peer.expect(Delivered)
                assert delivered.reason_code == max(first, second)
                assert delivered.properties["reason_string"] == ("one" if first else "two")
        nursery.start_soon(peer.release)
