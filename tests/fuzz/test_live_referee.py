"""What the referee asks of a peer, and where it is lenient."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    encode,
)
from mqttws.conformance.wire.frames import close, frame
from mqttws.fuzz.live.conversation import REQUEST
from mqttws.fuzz.live.referee import ClientReferee, Demand, ServerReferee
from mqttws.vocabulary import QOS, ProtocolVersion, ReasonCode

CONNECT = Connect(client_id="c", keep_alive=60)


def packets(*sent: Packet | bytes, masked: bool = True, version: int = 5) -> bytes:
    """Each in a frame of its own."""
    return b"".join(frame(each if isinstance(each, bytes) else encode(each, version), masked=masked) for each in sent)


def server(*sent: Packet | bytes, connack: ConnAck | None = None, raw: bytes = b"", version: int = 5) -> ServerReferee:
    """A Server that has been sent a good request, packets and raw bytes."""
    referee = ServerReferee(connack)
    for piece in (REQUEST.replace(b"{headers}", b""), packets(*sent, version=version), raw):
        referee.receive(piece)
    return referee


def test_a_good_conversation_asks_for_nothing() -> None:
    referee = server(CONNECT, PingReq(), Publish("a", b"", QOS[2], packet_id=1), PingReq())
    assert (referee.demand, referee.pings, referee.over, referee.version) == (None, 2, False, 5)


def test_a_farewell_ends_it_without_a_demand() -> None:
    referee = server(CONNECT, Disconnect(), PingReq())
    assert (referee.demand, referee.ended, referee.pings) == (None, True, 0)


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        ((PingReq(),), "MQTT-3.1.0-1"),
        ((CONNECT, CONNECT), "MQTT-3.1.0-2"),
        ((CONNECT, b"\x36\x06\x00\x01a\x00\x01\x00"), "MQTT-3.3.1-4"),
    ],
)
def test_broken_rules_of_mqtt_are_named(sent: tuple[Packet | bytes, ...], rule: str) -> None:
    demand = server(*sent).demand
    assert demand is not None
    assert demand.rule == rule


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (frame(b"x", masked=False), "RFC 6455, 5.1"),
        (frame(b"x", 1), "RFC 6455, 5.6"),
        (close(1000), "RFC 6455, 5.5.1"),
    ],
)
def test_broken_rules_of_websocket_are_named(raw: bytes, rule: str) -> None:
    demand = server(CONNECT, raw=raw).demand
    assert demand is not None
    assert demand.rule == rule


def test_a_length_without_an_end_is_whole_enough() -> None:
    demand = server(CONNECT, b"\x30\xff\xff\xff\xff\xff").demand
    assert demand is not None


def test_what_is_not_whole_is_not_judged() -> None:
    """A Server may wait for the rest of a packet or a frame before it looks at it."""
    assert server(CONNECT, b"\x36\x06\x00\x01a").demand is None
    assert server(CONNECT, raw=frame(b"x", reserved=4)[:5]).demand is None
    assert server(CONNECT, b"\x36\x06\x00\x01a", b"\x00\x01\x00").demand is not None
    assert server(CONNECT, raw=frame(b"\x00\x00", fin=False)).demand is None
    assert server(CONNECT, raw=frame(b"\x00\x00", fin=False) + frame(b"", 0)).demand is not None


def test_a_packet_may_come_in_fragments() -> None:
    ping = encode(PingReq())
    referee = server(CONNECT, raw=frame(ping[:1], fin=False) + frame(ping[1:], 0))
    assert referee.pings == 1


@pytest.mark.parametrize(
    ("head", "rule"),
    [
        (REQUEST.replace(b"GET", b"POST", 1), "RFC 6455, 4.2.1"),
        (REQUEST.replace(b"Version: 13", b"Version: 8"), "RFC 6455, 4.2.1"),
    ],
)
def test_a_request_that_is_no_handshake_is_to_be_refused(head: bytes, rule: str) -> None:
    referee = ServerReferee()
    referee.receive(head.replace(b"{headers}", b"")[:20])
    referee.receive(head.replace(b"{headers}", b"")[20:])
    assert referee.demand is not None
    assert referee.demand.rule == rule


def test_a_request_that_is_too_large_only_for_us_is_not_judged() -> None:
    referee = ServerReferee()
    referee.receive(REQUEST.replace(b"{headers}", b"X-A: " + b"a" * 70_000 + b"\r\n"))
    assert (referee.demand, referee.ended) == (None, True)


def test_a_missing_subprotocol_is_the_clients_business() -> None:
    referee = ServerReferee()
    referee.receive(REQUEST.replace(b"{headers}", b"").replace(b"Sec-WebSocket-Protocol: mqtt\r\n", b""))
    referee.receive(packets(CONNECT, PingReq()))
    assert referee.pings == 1


@pytest.mark.parametrize("version", [4, 5])
def test_behind_a_connack_that_refuses_the_server_closes(version: int) -> None:
    connect = Connect(ProtocolVersion(version), "c", keep_alive=60)
    connack = ConnAck(False, 5 if version == 4 else ReasonCode.NOT_AUTHORIZED)
    referee = server(connect, connack=connack, version=version)
    assert referee.demand is not None
    assert referee.demand.rule == ("MQTT-3.2.2-5" if version == 4 else "MQTT-3.2.2-7")


def test_the_limits_of_the_real_server_count() -> None:
    said: Any = {"maximum_qos": 0}
    publish = Publish("a", b"", QOS[1], packet_id=1)
    refused = server(CONNECT, publish, connack=ConnAck(properties=said)).demand
    assert refused is not None
    assert refused.rule == "MQTT-3.2.2-11"
    assert server(CONNECT, publish).demand is None


def test_a_client_without_an_identifier_or_with_a_method_is_welcome() -> None:
    said: Any = {"authentication_method": "x"}
    assert server(Connect(keep_alive=60, properties=said), PingReq()).demand is None


def test_what_depends_on_the_servers_pace_is_not_judged() -> None:
    said: Any = {"receive_maximum": 1}
    burst = [Publish("a", b"", QOS[2], packet_id=1 + number) for number in range(3)]
    referee = server(CONNECT, *burst, connack=ConnAck(properties=said))
    assert (referee.demand, referee.ended) == (None, True)


# -- the Client's referee -------------------------------------------------------------------------------------------


def client(connect: Connect, *sent: Packet | bytes) -> ClientReferee:
    """A Client that has sent CONNECT and has been sent these."""
    referee = ClientReferee(connect)
    for each in sent:
        referee.receive(packets(each, masked=False, version=connect.version))
    return referee


def test_a_good_server_asks_for_nothing() -> None:
    referee = client(CONNECT, ConnAck())
    referee.sent(Subscribe(1, [Subscription("a", QOS[1])]))
    referee.receive(packets(SubAck(1, [1]), Publish("a", b"", QOS[1], packet_id=9), masked=False))
    referee.sent(PubAck(9))
    referee.sent(PingReq())
    referee.receive(packets(Publish("a", b"", QOS[1], packet_id=9), masked=False))
    assert not referee.over


def test_an_acknowledgement_of_nothing_is_passed_over() -> None:
    referee = client(CONNECT, ConnAck())
    referee.sent(PubAck(9))
    assert not referee.over


@pytest.mark.parametrize(("version", "firm"), [(4, True), (5, False)])
def test_a_client_should_close_and_in_3_1_1_must(version: int, firm: bool) -> None:
    referee = client(Connect(ProtocolVersion(version), "c", keep_alive=60), ConnAck(), b"\x36\x05\x00\x01a\x00\x01")
    assert referee.demand is not None
    assert referee.demand.firm is firm


def test_faults_of_framing_are_firm() -> None:
    referee = client(CONNECT, ConnAck())
    referee.receive(frame(b"x", masked=True))
    assert referee.demand is not None
    assert referee.demand.firm
    assert referee.demand.rule == "RFC 6455, 5.1"


def test_a_session_that_the_client_may_hold_can_be_present() -> None:
    assert client(Connect(client_id="c", clean_start=False, keep_alive=60), ConnAck(True)).demand is None
    assert client(CONNECT, ConnAck(True)).demand is not None


def test_what_the_client_may_not_do_is_not_judged() -> None:
    referee = ClientReferee(CONNECT)
    referee.sent(PingReq())  # before CONNACK
    referee.sent(Disconnect())
    assert referee.demand is None
    referee.receive(packets(b"\x00\x00", masked=False))
    assert referee.over
    referee.sent(PingReq())
    referee.receive(b"anything")
    assert referee.over


def test_a_demand_reads_with_its_rule_if_it_has_one() -> None:
    assert str(Demand("wrong", "MQTT-1")) == "wrong [MQTT-1]"
    assert str(Demand("wrong")) == "wrong"
