"""Keep Alive: pings, answers, and giving up. Time is a number that the test moves."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Disconnect, PingReq, PingResp, Publish, decode, encode
from mqttws.codec.properties import ConnAckProperties
from mqttws.errors import PeerSilent
from mqttws.session import Closed, Connection, KeepAliveExpired
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode, Role
from tests.pair import Pair


def connected(keep_alive: int, version: int = 5, connack: Any = None, **client: Any) -> Pair:
    connect = Connect(version=ProtocolVersion(version), client_id="c", keep_alive=keep_alive)
    return Pair(**client).connect(connect, ConnAck(properties=connack or ConnAckProperties()))


def test_without_keep_alive_nothing_is_ever_due() -> None:
    pair = connected(0)
    assert pair.client.next_deadline() == pair.server.next_deadline() == math.inf
    pair.client.handle_deadline(1e9)
    assert pair.client.data_to_send(1e9) == b""


def test_behind_the_end_nothing_is_due() -> None:
    pair = connected(100)
    for end in (pair.client, pair.server):
        end.receive_eof(10)
        assert end.next_deadline() == math.inf


def test_the_client_pings_before_the_keep_alive_is_over() -> None:
    pair = connected(100)
    assert pair.client.next_deadline() == 75
    pair.client.handle_deadline(74)
    assert pair.client.data_to_send(74) == b""
    pair.client.handle_deadline(75)
    assert pair.client.data_to_send(75) == encode(PingReq())


def test_any_packet_sent_puts_the_ping_off() -> None:
    pair = connected(100)
    pair.client.send(Publish("a"), 60)
    pair.client.data_to_send(60)
    assert pair.client.next_deadline() == 135


def test_pingreq_is_answered_and_both_ends_hear_of_it() -> None:
    pair = connected(100)
    pair.now = 75
    pair.client.handle_deadline(75)
    pair.run()
    assert pair.server_events() == [PingReq()]
    assert pair.client_events() == [PingResp()]
    assert pair.client.next_deadline() == 150


def test_a_client_may_ping_for_itself() -> None:
    pair = connected(0)
    pair.send(PingReq())
    assert pair.client_events() == [PingResp()]


def test_a_server_that_does_not_answer_is_given_up_within_one_and_a_half_keep_alives() -> None:
    pair = connected(100)
    pair.client.handle_deadline(75)
    pair.client.data_to_send(75)
    assert pair.client.next_deadline() == 125
    pair.client.handle_deadline(125)
    expired, closed = pair.client.events()
    assert expired == KeepAliveExpired()
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, PeerSilent)
    assert "no PINGRESP" in str(closed.error)


def test_a_server_in_the_middle_of_a_long_packet_is_alive() -> None:
    pair = connected(100)
    pair.client.handle_deadline(75)
    pair.client.data_to_send(75)
    long = encode(Publish("a", bytes(1000)))
    pair.client.receive_data(long[:500], 120)
    assert pair.client.next_deadline() == 170
    pair.client.receive_data(long[500:] + encode(PingResp()), 160)
    assert pair.client.next_deadline() == 150


def test_the_ping_timeout_can_be_set() -> None:
    pair = connected(100, ping_timeout=5)
    pair.client.handle_deadline(75)
    assert pair.client.next_deadline() == 80


def test_server_keep_alive_replaces_what_the_client_asked_for() -> None:
    pair = connected(100, connack={"server_keep_alive": 10})
    assert pair.client.next_deadline() == 7.5
    assert pair.server.next_deadline() == 15


@pytest.mark.parametrize("version", [4, 5])
def test_the_server_gives_up_after_one_and_a_half_keep_alives(version: int) -> None:
    pair = connected(100, version)
    assert pair.server.next_deadline() == 150
    pair.server.receive_data(encode(Publish("a", b"", QoS.AT_MOST_ONCE), version), 100)
    pair.server.events()
    assert pair.server.next_deadline() == 250
    pair.server.handle_deadline(250)
    expired, closed = pair.server.events()
    assert expired == KeepAliveExpired()
    assert "1.5 times the Keepalive" in str(closed.error)  # type: ignore[union-attr]
    farewell = pair.server.data_to_send(250)
    assert farewell == (b"" if version == 4 else encode(Disconnect(ReasonCode.KEEP_ALIVE_TIMEOUT)))


def test_half_a_packet_does_not_keep_a_client_alive() -> None:
    pair = connected(100)
    pair.server.receive_data(b"\x30\x7f", 149)
    assert pair.server.next_deadline() == 150


def test_a_farewell_can_be_read() -> None:
    pair = connected(100)
    pair.server.handle_deadline(150)
    packet = decode(pair.server.data_to_send(150))
    assert isinstance(packet, Disconnect)
    assert packet.reason_code is ReasonCode.KEEP_ALIVE_TIMEOUT


def test_while_the_owner_does_not_read_the_client_pings_on_and_gives_nobody_up() -> None:
    pair = connected(100)
    pair.client.rest()
    for now in (75, 150, 225):
        assert pair.client.next_deadline() == now
        pair.client.handle_deadline(now)
        assert pair.client.data_to_send(now) == encode(PingReq())
    pair.client.resume(300)
    assert pair.client.next_deadline() == 350
    pair.client.receive_data(encode(PingResp()), 349)
    assert pair.client.next_deadline() == 225 + 75
    assert not pair.client.closed


def test_a_ping_that_has_not_left_yet_is_not_followed_by_another() -> None:
    pair = connected(100)
    pair.client.rest()
    pair.client.handle_deadline(75)
    assert pair.client.next_deadline() == 150
    pair.client.handle_deadline(75)
    assert pair.client.data_to_send(80) == encode(PingReq())
    assert pair.client.next_deadline() == 155


def test_reading_again_the_client_gives_up_a_server_that_still_says_nothing() -> None:
    pair = connected(100)
    pair.client.handle_deadline(75)
    pair.client.data_to_send(75)
    pair.client.rest()
    assert pair.client.next_deadline() == 150
    pair.client.resume(140)
    assert pair.client.next_deadline() == 190
    pair.client.handle_deadline(190)
    assert pair.client.closed


def test_reading_again_without_a_ping_under_way_changes_nothing() -> None:
    pair = connected(100)
    pair.client.resume(10)
    assert pair.client.next_deadline() == 75
    pair.client.rest()
    pair.client.resume(20)
    assert pair.client.next_deadline() == 75


def test_a_server_that_does_not_read_holds_no_silence_against_its_client() -> None:
    pair = connected(100)
    pair.server.rest()
    assert pair.server.next_deadline() == math.inf
    pair.server.resume(1_000)
    assert pair.server.next_deadline() == 1_150


def test_an_owner_that_never_rested_gains_no_time_by_reading_on() -> None:
    pair = connected(100)
    pair.client.handle_deadline(75)
    for end, due in ((pair.client, 125), (pair.server, 150)):
        end.resume(100)
        assert end.next_deadline() == due


def test_before_connack_there_is_no_silence_to_rest_from() -> None:
    connection = Connection(Role.CLIENT)
    connection.start(0)
    connection.rest()
    connection.resume(5)
    assert connection.next_deadline() == 10
