"""Enhanced authentication: the authenticator's part, at CONNECT and again on the open connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, ClientState, open_client
from mqttws.client.authentication import Conversation
from mqttws.codec import Auth, ConnAck, Connect, Disconnect, Publish, encode
from mqttws.codec.properties import AuthProperties
from mqttws.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ConnectRefused,
    LocalProtocolError,
    RemoteProtocolError,
    ServerDisconnected,
)
from mqttws.vocabulary import QoS, ReasonCode
from tests.client.scram import METHOD, ScramClient, ScramServer, Secrets
from tests.client.scripted import URL, Peer, Server

SAID: Any = {"authentication_method": METHOD}
CONTINUE = ReasonCode.CONTINUE_AUTHENTICATION


def says(data: bytes | None) -> Any:
    """The properties of a packet of the Server's."""
    return SAID | ({} if data is None else {"authentication_data": data})


def data_of(packet: Connect | Auth) -> bytes:
    """What the client has said."""
    assert packet.properties.get("authentication_method") == METHOD
    return packet.properties.get("authentication_data", b"")


async def challenge(peer: Peer, server: ScramServer, first: bytes) -> bytes | None:
    """One step on: what the Server makes of the client's final message."""
    await peer.send(Auth(CONTINUE, says(server.challenge(first))))
    answer = await peer.expect(Auth)
    assert answer.reason_code == CONTINUE
    return server.verdict(data_of(answer))


async def take_in(peer: Peer, server: ScramServer) -> None:
    """Let a client in that knows the password."""
    await peer.open_websocket()
    verdict = await challenge(peer, server, data_of(await peer.expect(Connect)))
    if verdict is None:
        await peer.send(ConnAck(False, ReasonCode.NOT_AUTHORIZED))
    else:
        await peer.send(ConnAck(properties=says(verdict)))
    peer.link.events()


async def take_in_again(peer: Peer, server: ScramServer) -> None:
    """The same on an open connection."""
    begun = await peer.expect(Auth)
    assert begun.reason_code == ReasonCode.RE_AUTHENTICATE
    verdict = await challenge(peer, server, data_of(begun))
    if verdict is None:
        await peer.send(Disconnect(ReasonCode.NOT_AUTHORIZED))
    else:
        await peer.send(Auth(ReasonCode.SUCCESS, says(verdict)))


@asynccontextmanager
async def authenticated(authenticator: Any = None, **options: Any) -> AsyncIterator[tuple[Client, Peer]]:
    """A client that has authenticated, and the Server's end."""
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await take_in(await server.accept(), ScramServer())

        chosen = authenticator if authenticator is not None else ScramClient()
        options.setdefault("reconnect", None)
        async with open_client(URL, dial=server.dial, authenticator=chosen, **options) as client:
            yield client, server.peers[0]
            nursery.start_soon(server.peers[0].finish)


async def refused(
    authenticator: Any, script: Callable[[Peer], Any], expected: type[Exception] | tuple[type[Exception], ...]
) -> tuple[Any, list[Any]]:
    """The error that opening fails with, and what the Server heard after its script."""
    server, heard = Server(), []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.open_websocket()
            await script(peer)
            heard.extend(await peer.finish())

        with pytest.raises(expected) as caught:
            async with open_client(URL, dial=server.dial, authenticator=authenticator):
                raise AssertionError("not reached")
    return caught.value, heard


# -- at CONNECT --------------------------------------------------------------------------------------------------------


def test_the_method_of_these_tests_is_the_one_of_rfc_7677() -> None:
    first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = ScramServer().challenge(first)
    assert challenge == b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    secrets = Secrets("pencil", first, challenge)
    assert secrets.proof == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert secrets.verdict == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@trio_test
async def test_both_ends_prove_that_they_know_the_password(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer):
        assert client.state is ClientState.OPEN
        assert await client.publish("a", b"x") is not None
        assert (await peer.expect(Publish)).payload == b"x"


class Plain:
    """One step: everything is said with CONNECT."""

    method = "PLAIN"

    def __init__(self) -> None:
        self.finished: list[AuthProperties] = []

    async def begin(self) -> AuthProperties:
        return {"authentication_data": b"token", "user_property": [("from", "authenticator")]}

    async def answer(self, said: AuthProperties) -> AuthProperties:
        raise AuthenticationFailed(f"there is nothing to add to {said.get('reason_string')}")

    async def finish(self, said: AuthProperties) -> None:
        self.finished.append(said)


@trio_test
async def test_a_method_of_one_step_is_over_with_connack(autojump_clock: MockClock) -> None:
    server, authenticator = Server(), Plain()
    properties: Any = {"user_property": [("from", "caller")]}
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            said: Any = {"authentication_method": "PLAIN", "reason_string": "welcome"}
            connect = await peer.greet(ConnAck(properties=said))
            assert connect.properties.get("authentication_data") == b"token"
            assert connect.properties.get("user_property") == [("from", "caller"), ("from", "authenticator")]
            await peer.finish()

        async with open_client(URL, dial=server.dial, authenticator=authenticator, properties=properties):
            assert [said.get("reason_string") for said in authenticator.finished] == ["welcome"]
    assert properties == {"user_property": [("from", "caller")]}


@trio_test
async def test_a_wrong_password_is_the_servers_to_refuse(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await take_in(peer, ScramServer("pencil"))
            await peer.finish()

        with pytest.raises(ConnectRefused) as caught:
            async with open_client(URL, dial=server.dial, authenticator=ScramClient("crayon")):
                raise AssertionError("not reached")
    assert caught.value.reason_code == ReasonCode.NOT_AUTHORIZED


@trio_test
async def test_a_server_that_does_not_know_the_password_is_not_trusted(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        server = ScramServer("crayon")
        await challenge(peer, server, data_of(await peer.expect(Connect)))
        await peer.send(ConnAck(properties=says(b"v=guessed")))
        peer.link.events()

    error, heard = await refused(ScramClient(), script, AuthenticationFailed)
    assert str(error) == "the Server does not know the password"
    assert Disconnect(ReasonCode.UNSPECIFIED_ERROR) in heard


@trio_test
async def test_a_server_that_skips_the_proof_is_not_trusted(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Connect)
        await peer.send(ConnAck(properties=SAID))
        peer.link.events()

    error, heard = await refused(ScramClient(), script, AuthenticationFailed)
    assert str(error) == "the Server does not know the password"
    assert Disconnect(ReasonCode.UNSPECIFIED_ERROR) in heard


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Auth(ReasonCode.SUCCESS, SAID), "the Server's AUTH or CONNACK is due"),
        (Auth(CONTINUE, {"authentication_method": "PLAIN"}), "another Authentication Method than CONNECT"),
        (ConnAck(), "another Authentication Method than CONNECT"),
        (ConnAck(properties={"authentication_method": "PLAIN"}), "another Authentication Method than CONNECT"),
        (Publish("a"), "PUBLISH from the Server while ANSWERING"),
    ],
)
@trio_test
async def test_a_wrong_step_of_the_server_is_its_error(
    wrong: Auth | ConnAck | Publish, words: str, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Connect)
        await peer.send_raw(encode(wrong))

    error, heard = await refused(ScramClient(), script, RemoteProtocolError)
    assert words in str(error)
    assert Disconnect in [type(event) for event in heard]


@trio_test
async def test_two_questions_in_a_row_are_the_servers_error(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Connect)
        await peer.send_raw(2 * encode(Auth(CONTINUE, SAID)))

    error, _ = await refused(Stubborn(answer=trio.sleep_forever), script, RemoteProtocolError)
    assert "while the Client's AUTH is due" in str(error)


@trio_test
async def test_auth_without_an_authenticator_is_the_servers_error(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Connect)
        await peer.send_raw(encode(Auth(CONTINUE, SAID)))

    error, _ = await refused(None, script, RemoteProtocolError)
    assert error.statement == "MQTT-4.12.0-6"


class Stubborn(ScramClient):
    """Does something else than it should at some steps; what is given is awaited in the method's place."""

    def __init__(self, **instead: Callable[[], Any]) -> None:
        super().__init__()
        self.instead = instead

    async def begin(self) -> AuthProperties:
        return await self.instead["begin"]() if "begin" in self.instead else await super().begin()

    async def answer(self, said: AuthProperties) -> AuthProperties:
        return await self.instead["answer"]() if "answer" in self.instead else await super().answer(said)

    async def finish(self, said: AuthProperties) -> None:
        await (self.instead["finish"]() if "finish" in self.instead else super().finish(said))


async def explode() -> None:
    raise KeyError("secret")


async def say_too_much() -> AuthProperties:
    return {"authentication_data": bytes(70_000)}


@pytest.mark.parametrize("step", ["answer", "finish"])
@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (explode, "the authenticator has raised KeyError"),
        (trio.sleep_forever, "the authenticator has raised TooSlowError"),
    ],
)
@trio_test
async def test_an_authenticator_that_fails_or_takes_too_long_ends_the_attempt(
    step: str, instead: Any, words: str, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        server = ScramServer()
        await peer.send(Auth(CONTINUE, says(server.challenge(data_of(await peer.expect(Connect))))))
        if step == "finish":
            verdict = server.verdict(data_of(await peer.expect(Auth)))
            await peer.send(ConnAck(properties=says(verdict)))
            peer.link.events()

    # An answer that does not come shows as the Server's time for CONNACK running out, or as the authenticator's.
    error, heard = await refused(Stubborn(**{step: instead}), script, (AuthenticationFailed, ConnectionLost))
    if isinstance(error, AuthenticationFailed):
        assert str(error) == words
        assert Disconnect(ReasonCode.UNSPECIFIED_ERROR) in heard
    else:
        assert (step, instead) == ("answer", trio.sleep_forever)
    assert "secret" not in str(error)


@trio_test
async def test_what_cannot_be_said_ends_the_attempt(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Connect)
        await peer.send(Auth(CONTINUE, says(b"?")))

    error, _ = await refused(Stubborn(answer=say_too_much), script, AuthenticationFailed)
    assert str(error).startswith("what the authenticator wants to say cannot be sent: ")


@trio_test
async def test_without_a_beginning_there_is_no_connect(autojump_clock: MockClock) -> None:
    server, heard = Server(), []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            heard.extend(await (await server.accept()).finish())

        with pytest.raises(AuthenticationFailed, match="has raised KeyError") as caught:
            async with open_client(URL, dial=server.dial, authenticator=Stubborn(begin=explode)):
                raise AssertionError("not reached")
    assert isinstance(caught.value.__cause__, KeyError)
    assert Connect not in [type(event) for event in heard]


@trio_test
async def test_3_1_1_has_no_enhanced_authentication(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="an authenticator needs version 5"):
        async with open_client(URL, version=4, authenticator=ScramClient()):
            raise AssertionError("not reached")


@trio_test
async def test_each_new_connection_authenticates_anew(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            for _ in range(3):
                peer = await server.accept()
                await take_in(peer, ScramServer())
                if len(server.peers) == 3:
                    await peer.finish()
                else:
                    await peer.vanish()

        async with open_client(URL, dial=server.dial, authenticator=ScramClient()) as client:
            while len(server.peers) < 3:
                await client.wait_for(ClientState.RECONNECTING)
                await client.wait_for(ClientState.OPEN)
            assert client.state is ClientState.OPEN


# -- again -------------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_client_authenticates_again_at_any_time(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer), trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(take_in_again, peer, ScramServer())
            await client.reauthenticate()
            assert not peer.connection.authenticating


@trio_test
async def test_who_asks_while_it_is_under_way_gets_the_same_outcome(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer), trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(client.reauthenticate)
        await trio.testing.wait_all_tasks_blocked()
        await take_in_again(peer, ScramServer())
        await client.publish("a")
        assert type(await peer.next()) is Publish


@trio_test
async def test_cancelled_it_goes_on_by_itself(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer), trio.open_nursery() as nursery:
        with trio.move_on_after(1) as impatience:
            await client.reauthenticate()
        assert impatience.cancelled_caught
        nursery.start_soon(take_in_again, peer, ScramServer())
        await client.reauthenticate()
        assert not peer.connection.authenticating


@trio_test
async def test_messages_flow_while_the_authenticator_thinks(autojump_clock: MockClock) -> None:
    think = trio.Event()
    authenticator = Stubborn()
    async with authenticated(authenticator) as (client, peer), trio.open_nursery() as nursery:

        async def thinking() -> AuthProperties:
            await think.wait()
            del authenticator.instead["answer"]
            return await authenticator.answer(said)

        authenticator.instead["answer"] = thinking
        nursery.start_soon(client.reauthenticate)
        begun, server = await peer.expect(Auth), ScramServer()
        said: Any = says(server.challenge(data_of(begun)))
        await peer.send(Auth(CONTINUE, said))
        async with client.messages() as messages:
            for number in range(3):
                nursery.start_soon(client.publish, "a", b"%d" % number, 1)
                publish = await peer.expect(Publish)
                await peer.acknowledge(publish)
                await peer.send(Publish("b", publish.payload, QoS.AT_MOST_ONCE))
                assert (await anext(messages)).payload == b"%d" % number
        think.set()
        verdict = server.verdict(data_of(await peer.expect(Auth)))
        await peer.send(Auth(ReasonCode.SUCCESS, says(verdict)))


@trio_test
async def test_a_server_that_refuses_ends_the_client(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(take_in_again, peer, ScramServer("crayon"))
        with pytest.raises(ServerDisconnected) as caught:
            await client.reauthenticate()
        assert caught.value.reason_code == ReasonCode.NOT_AUTHORIZED
        with pytest.raises(ServerDisconnected):
            await client.publish("a", qos=1)


@trio_test
async def test_a_server_that_cannot_prove_itself_again_ends_the_client(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await challenge(peer, ScramServer(), data_of(await peer.expect(Auth)))
            await peer.send(Auth(ReasonCode.SUCCESS, says(b"v=guessed")))
            assert Disconnect(ReasonCode.UNSPECIFIED_ERROR) in await peer.finish()

        with pytest.raises(AuthenticationFailed, match="the Server does not know the password"):
            await client.reauthenticate()
        with pytest.raises(AuthenticationFailed, match="the Server does not know the password"):
            await client.publish("a", qos=1)
        assert client.state is ClientState.CLOSED


@trio_test
async def test_failing_before_anything_was_said_leaves_the_connection_as_it_was(autojump_clock: MockClock) -> None:
    authenticator = Stubborn()
    async with authenticated(authenticator) as (client, peer), trio.open_nursery() as nursery:
        for instead in (explode, say_too_much):
            authenticator.instead["begin"] = instead
            with pytest.raises(AuthenticationFailed):
                await client.reauthenticate()
        authenticator.instead.clear()
        nursery.start_soon(take_in_again, peer, ScramServer())
        await client.reauthenticate()
        assert client.state is ClientState.OPEN


@trio_test
async def test_when_the_connection_ends_meanwhile_that_is_the_outcome(autojump_clock: MockClock) -> None:
    async with authenticated() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await peer.expect(Auth)
            await peer.vanish()

        with pytest.raises(ConnectionLost):
            await client.reauthenticate()
        with pytest.raises(ConnectionLost):
            await client.reauthenticate()


@trio_test
async def test_without_a_connection_the_next_one_authenticates_by_itself(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            first = await server.accept()
            await take_in(first, ScramServer())
            await first.vanish()
            second = await server.accept()
            await take_in(second, ScramServer())
            await take_in_again(second, ScramServer())
            await second.finish()

        async with open_client(URL, dial=server.dial, authenticator=ScramClient()) as client:
            await client.wait_for(ClientState.RECONNECTING)
            await client.reauthenticate()
            assert client.state is ClientState.OPEN
            await client.reauthenticate()


@trio_test
async def test_leaving_the_block_meanwhile_is_an_outcome_too(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        async with authenticated() as (client, _):

            @nursery.start_soon
            async def again() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await client.reauthenticate()

            await trio.testing.wait_all_tasks_blocked()
        assert client.state is ClientState.CLOSED


@trio_test
async def test_without_an_authenticator_there_is_nothing_to_repeat(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.greet()
            await peer.finish()

        async with open_client(URL, dial=server.dial) as client:
            with pytest.raises(LocalProtocolError, match="without an authenticator"):
                await client.reauthenticate()


@trio_test
async def test_an_ended_conversation_says_why(autojump_clock: MockClock) -> None:
    conversation = Conversation(ScramClient(), 1.0)
    conversation.end(None)
    conversation.end(ConnectionLost("later"))
    with pytest.raises(trio.ClosedResourceError):
        await conversation.repeat()
