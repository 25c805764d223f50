"""Authentication: the two ends take turns with AUTH, and only the Client begins."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Auth, ConnAck, Connect, encode
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.session import Closed
from mqttws.vocabulary import ReasonCode, Role
from tests.pair import Pair

METHOD: Any = {"authentication_method": "m"}
CONTINUE = Auth(ReasonCode.CONTINUE_AUTHENTICATION, METHOD)
AGAIN = Auth(ReasonCode.RE_AUTHENTICATE, METHOD)
DONE = Auth(ReasonCode.SUCCESS, METHOD)
CLIENT, SERVER = Role.CLIENT, Role.SERVER

#: How far an exchange has come, by the AUTH packets (and the CONNACK) that brought it there, and who may send what.
REACHED: dict[str, tuple[list[tuple[Role, Auth | ConnAck]], list[tuple[Role, Auth]]]] = {
    "CONNECT was sent": ([], [(SERVER, CONTINUE)]),
    "asked for more": ([(SERVER, CONTINUE)], [(CLIENT, CONTINUE)]),
    "answered": ([(SERVER, CONTINUE), (CLIENT, CONTINUE)], [(SERVER, CONTINUE)]),
    "open": ([(SERVER, ConnAck(properties=METHOD))], [(CLIENT, AGAIN)]),
    "again": ([(SERVER, ConnAck(properties=METHOD)), (CLIENT, AGAIN)], [(SERVER, CONTINUE), (SERVER, DONE)]),
    "asked again": (
        [(SERVER, ConnAck(properties=METHOD)), (CLIENT, AGAIN), (SERVER, CONTINUE)],
        [(CLIENT, CONTINUE)],
    ),
    "content": ([(SERVER, ConnAck(properties=METHOD)), (CLIENT, AGAIN), (SERVER, DONE)], [(CLIENT, AGAIN)]),
}
#: What each role may say at all.
SAYS = [(CLIENT, CONTINUE), (CLIENT, AGAIN), (SERVER, CONTINUE), (SERVER, DONE)]


def reach(state: str) -> Pair:
    """A Client and a Server whose exchange has come that far."""
    pair = Pair()
    pair.client.send(Connect(client_id="c", properties=METHOD), 0)
    pair.run()
    for sender, packet in REACHED[state][0]:
        pair.send(packet, sender)
    pair.client_events()
    pair.server_events()
    return pair


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize(("sender", "packet"), SAYS)
def test_an_end_sends_auth_when_it_is_its_turn(state: str, sender: Role, packet: Auth) -> None:
    pair = reach(state)
    if (sender, packet) in REACHED[state][1]:
        pair.send(packet, sender)
        assert (pair.server_events() if sender is CLIENT else pair.client_events()) == [packet]
        return
    with pytest.raises(LocalProtocolError, match=r"AUTH"):
        pair.send(packet, sender)
    assert pair.client.bytes_pending == pair.server.bytes_pending == 0
    assert not pair.client.closed


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize(("sender", "packet"), SAYS)
def test_auth_out_of_turn_ends_the_connection(state: str, sender: Role, packet: Auth) -> None:
    pair = reach(state)
    receiver = pair.server if sender is CLIENT else pair.client
    receiver.receive_data(encode(packet), 0)
    happened = receiver.events()
    if (sender, packet) in REACHED[state][1]:
        assert happened == [packet]
        return
    (end,) = happened
    assert isinstance(end, Closed)
    assert isinstance(end.error, RemoteProtocolError)
    assert end.error.reason_code == ReasonCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("state", "sender", "packet", "words", "statement"),
    [
        (
            "CONNECT was sent",
            SERVER,
            DONE,
            "0x00 Success from the Server, while the Server's AUTH or CONNACK is due",
            "MQTT-4.12.0-2",
        ),
        (
            "asked for more",
            CLIENT,
            AGAIN,
            "0x19 Re authenticate from the Client, while the Client's AUTH is due",
            "MQTT-4.12.0-3",
        ),
        ("open", SERVER, CONTINUE, "from the Server, while no exchange is under way", None),
        ("again", CLIENT, AGAIN, "from the Client, while the Server's AUTH is due", None),
        ("asked again", SERVER, DONE, "from the Server, while the Client's AUTH is due", None),
    ],
)
def test_the_error_says_whose_turn_it_is(
    state: str, sender: Role, packet: Auth, words: str, statement: str | None
) -> None:
    with pytest.raises(LocalProtocolError, match=words) as caught:
        reach(state).send(packet, sender)
    assert caught.value.statement == statement


def test_a_server_that_has_asked_for_more_does_not_accept_before_it_has_it() -> None:
    pair = reach("asked for more")
    welcome = ConnAck(properties=METHOD)
    with pytest.raises(LocalProtocolError, match="CONNACK with a code of 0, while the Client's AUTH is due"):
        pair.send(welcome, SERVER)
    pair.client.receive_data(encode(welcome), 0)
    (end,) = pair.client.events()
    assert isinstance(end, Closed)
    assert isinstance(end.error, RemoteProtocolError)
    assert not pair.client.is_open


def test_a_server_may_refuse_at_any_point() -> None:
    pair = reach("asked for more")
    pair.send(ConnAck(False, ReasonCode.NOT_AUTHORIZED), SERVER)
    assert pair.client.closed


@pytest.mark.parametrize(
    ("state", "under_way"), list(zip(REACHED, [True, True, True, False, True, True, False], strict=True))
)
def test_each_end_knows_whether_an_exchange_is_under_way(state: str, under_way: bool) -> None:
    pair = reach(state)
    assert (pair.client.authenticating, pair.server.authenticating) == (under_way, under_way)


def test_a_connection_without_a_method_authenticates_nobody() -> None:
    pair = Pair()
    pair.client.send(Connect(client_id="c"), 0)
    pair.run()
    assert (pair.client.authenticating, pair.server.authenticating) == (False, False)
    assert not Pair().connect().client.authenticating
