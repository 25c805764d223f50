"""What a connection knows before anybody has spoken, and what CONNECT and CONNACK leave as it was."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Publish, encode
from mqttws.session import Closed, Connection, Session
from mqttws.vocabulary import ReasonCode, Role
from tests.pair import Pair, publishes


@pytest.mark.parametrize("role", Role)
def test_before_anybody_has_spoken_nothing_is_settled_and_nothing_due(role: Role) -> None:
    end = Connection(role)
    assert (end.client_id, end.keep_alive, end.session_expiry_interval) == ("", 0, 0)
    assert end.next_deadline() == math.inf
    assert (end.is_open, end.bytes_pending) == (False, 0)
    assert len(end.session.outgoing) == len(end.session.incoming) == 0


def test_a_5_0_session_ends_with_its_connection_unless_connect_says_otherwise() -> None:
    pair = Pair().connect(Connect(client_id="c"))
    assert pair.client.session_expiry_interval == pair.server.session_expiry_interval == 0


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
