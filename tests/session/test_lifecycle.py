"""What a connection knows before anybody has spoken, and what CONNECT and CONNACK leave as it was."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mqttws.codec import Auth, ConnAck, Connect, Disconnect, Packet, PingReq, Publish, encode
from mqttws.errors import LocalProtocolError
from mqttws.session import Closed, Connection, Session
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from tests.pair import Pair, publishes


@pytest.mark.parametrize("role", Role)
def test_before_anybody_has_spoken_nothing_is_settled_and_nothing_due(role: Role) -> None:
    end = Connection(role)
    assert (end.client_id, end.keep_alive, end.session_expiry_interval) == ("", 0, 0)
    assert (end.connect, end.connack, end.version) == (None, None, None)
    assert end.next_deadline() == math.inf
    assert (end.is_open, end.bytes_pending) == (False, 0)
    assert len(end.session.outgoing) == len(end.session.incoming) == 0


def test_a_5_0_session_ends_with_its_connection_unless_connect_says_otherwise() -> None:
    pair = Pair().connect(Connect(client_id="c"))
    assert pair.client.session_expiry_interval == pair.server.session_expiry_interval == 0


def test_both_ends_remember_what_connect_and_connack_said() -> None:
    connect, connack = Connect(client_id="c"), ConnAck(properties={"server_keep_alive": 7})
    pair = Pair().connect(connect, connack)
    for end in (pair.client, pair.server):
        assert (end.connect, end.connack, end.version) == (connect, connack, ProtocolVersion.V5)


@pytest.mark.parametrize(("announced", "own"), [(1000, 2000), (2000, 1000)])
@pytest.mark.parametrize("role", Role)
def test_the_smaller_of_what_was_announced_and_what_was_set_is_the_largest_packet(
    role: Role, announced: int, own: int
) -> None:
    said: Any = {"maximum_packet_size": announced}
    end = Connection(role, session=Session(), maximum_packet_size=own)
    connect = Connect(client_id="c", properties=said if role is Role.CLIENT else {})
    connack = ConnAck(properties=said if role is Role.SERVER else {})
    if role is Role.CLIENT:
        end.send(connect, 0)
        end.receive_data(encode(connack), 0)
    else:
        end.receive_data(encode(connect), 0)
        end.send(connack, 0)
    fits = Publish("a", bytes(993))  # 1000 with its header
    end.receive_data(encode(fits), 0)
    assert publishes(end.events()) == [fits]
    end.receive_data(encode(Publish("a", fits.payload + b"x")), 0)
    closed = end.events()[-1]
    assert isinstance(closed, Closed)
    assert closed.error.reason_code is ReasonCode.PACKET_TOO_LARGE  # type: ignore[union-attr]


def test_an_answered_connect_takes_no_other_size_than_the_one_set() -> None:
    server = Connection(Role.SERVER, maximum_packet_size=1000)
    server.receive_data(encode(Connect(client_id="c")) + encode(Publish("a", bytes(1000))), 0)
    server.send(ConnAck(), 0)
    closed = server.events()[-1]
    assert isinstance(closed, Closed)
    assert closed.error.reason_code is ReasonCode.PACKET_TOO_LARGE  # type: ignore[union-attr]


def test_a_server_that_nobody_has_spoken_to_says_nothing() -> None:
    server = Connection(Role.SERVER)
    for packet in (ConnAck(), Publish("a"), Disconnect()):
        with pytest.raises(LocalProtocolError, match="while SILENT"):
            server.send(packet, 0)
    assert server.data_to_send(0) == b""


@pytest.mark.parametrize("answer", [ConnAck(), ConnAck(False, ReasonCode.BANNED)])
def test_connect_and_both_answers_are_given_back_as_they_were_sent(answer: ConnAck) -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    connect = Connect(client_id="c")
    assert client.send(connect, 0) == connect
    server.receive_data(client.data_to_send(0), 0)
    assert server.send(answer, 0) == answer


def test_what_is_sent_later_is_given_back_too() -> None:
    method: Any = {"authentication_method": "m"}
    pair = Pair().connect(Connect(client_id="c", properties=method), ConnAck(properties=method))
    later: list[Packet] = [PingReq(), Auth(ReasonCode.RE_AUTHENTICATE, method), Disconnect()]
    for packet in later:
        assert pair.client.send(packet, 0) == packet


@pytest.mark.parametrize("version", ProtocolVersion)
def test_a_version_given_beforehand_lets_its_own_connect_pass(version: ProtocolVersion) -> None:
    client = Connection(Role.CLIENT, version)
    connect = Connect(version=version, client_id="c")
    client.send(connect, 0)
    assert client.data_to_send(0) == encode(connect, version)


def test_a_client_attaches_nothing_while_its_server_answers() -> None:
    client = Connection(Role.CLIENT)
    client.send(Connect(client_id="c"), 0)
    with pytest.raises(LocalProtocolError, match="by the Server"):
        client.attach(Session())


@pytest.mark.parametrize("version", ProtocolVersion)
def test_a_client_of_either_version_may_disconnect(version: ProtocolVersion) -> None:
    pair = Pair().connect(Connect(version=version, client_id="c"))
    pair.send(Disconnect())
    assert pair.server_events() == [Disconnect(), Closed()]


@pytest.mark.parametrize("sender", Role)
def test_auth_with_another_method_is_not_sent(sender: Role) -> None:
    method: Any = {"authentication_method": "m"}
    other: Any = {"authentication_method": "n"}
    pair = Pair().connect(Connect(client_id="c", properties=method), ConnAck(properties=method))
    code = ReasonCode.RE_AUTHENTICATE if sender is Role.CLIENT else ReasonCode.CONTINUE_AUTHENTICATION
    with pytest.raises(LocalProtocolError) as caught:
        pair.send(Auth(code, other), sender)
    assert caught.value.statement == "MQTT-4.12.0-5"
    assert (pair.client.bytes_pending, pair.server.bytes_pending) == (0, 0)
