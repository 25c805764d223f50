"""QoS 0, 1 and 2 in both directions, requests and their answers, limits of the peer."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import (
    ConnAck,
    Connect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    decode,
    encode,
)
from mqttws.codec.properties import ConnAckProperties
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.session import Closed, Connection, Delivered, Event
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode, Role
from tests.pair import Pair, publishes

ONCE, TWICE = QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE


def fault(end: Connection) -> RemoteProtocolError:
    """The peer's fault that ended a connection."""
    last = end.events()[-1]
    assert isinstance(last, Closed)
    assert isinstance(last.error, RemoteProtocolError)
    return last.error


def connected(version: int = 5, connack: Any = None, **limits: Any) -> Pair:
    connect: Any = limits
    return Pair().connect(
        Connect(version=ProtocolVersion(version), client_id="c", properties=connect),
        ConnAck(properties=connack or ConnAckProperties()),
    )


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("sender", Role)
@pytest.mark.parametrize("qos", QoS)
def test_a_message_arrives_once_and_its_sender_learns_it(version: int, sender: Role, qos: QoS) -> None:
    pair = connected(version)
    sent = pair.send(Publish("a/b", b"hi", qos, packet_id=None), sender)
    assert isinstance(sent, Publish)
    arrived = publishes(pair.events[sender.peer])
    assert arrived == [Publish("a/b", b"hi", qos, False, False, sent.packet_id)]
    pair.acknowledge(arrived[0], by=sender.peer)
    told = [event for event in pair.events[sender] if isinstance(event, Delivered)]
    if qos:
        assert told == [Delivered(1, 0, {}, sent)]
    else:
        assert told == []
    assert len(pair.client.session.outgoing) == len(pair.client.session.incoming) == 0
    assert pair.client.session.incoming.remembered == 0


def test_the_core_acknowledges_nothing_by_itself() -> None:
    pair = connected()
    pair.send(Publish("a", b"", ONCE))
    assert pair.client_events() == []
    assert len(pair.server.session.incoming) == 1


def test_acknowledgements_leave_in_the_order_of_arrival() -> None:
    pair = connected()
    for qos in (ONCE, TWICE, ONCE):
        pair.send(Publish("a", b"", qos))
    first, second, third = publishes(pair.server_events())
    pair.server.acknowledge(third)
    pair.server.acknowledge(second)
    assert pair.server.data_to_send(0) == b""
    pair.server.acknowledge(first, 0x10)
    assert pair.server.data_to_send(0) == encode(PubAck(1, 0x10)) + encode(PubRec(2)) + encode(PubAck(3))


def test_a_second_acknowledgement_changes_nothing() -> None:
    pair = connected()
    pair.send(Publish("a", b"", TWICE))
    [message] = publishes(pair.server_events())
    pair.acknowledge(message)
    pair.acknowledge(message, 0x87)
    assert [event.reason_code for event in pair.client_events() if isinstance(event, Delivered)] == [0]


@pytest.mark.parametrize("qos", [ONCE, TWICE])
@pytest.mark.parametrize("code", [0x80, 0x87])
def test_a_refusal_reaches_the_sender_with_its_words(qos: QoS, code: int) -> None:
    pair = connected()
    sent = pair.send(Publish("a", b"", qos))
    [message] = publishes(pair.server_events())
    pair.server.acknowledge(message, code, {"reason_string": "no role"})
    pair.run()
    assert pair.client_events() == [Delivered(1, code, {"reason_string": "no role"}, sent)]  # type: ignore[arg-type]
    assert pair.server.session.incoming.remembered == 0


@pytest.mark.parametrize("code", [0x80, 0x87])
def test_a_message_that_pubrec_refused_is_not_released(code: int) -> None:
    client = connected().client
    client.send(Publish("a", b"", TWICE), 0)
    client.data_to_send(0)
    client.receive_data(encode(PubRec(1, code)), 0)
    assert client.data_to_send(0) == b""
    assert len(client.session.outgoing) == 0


def test_3_1_1_cannot_refuse_a_message() -> None:
    pair = connected(4)
    pair.send(Publish("a", b"", ONCE))
    [message] = publishes(pair.server_events())
    pair.server.acknowledge(message, 0x87)
    assert pair.server.data_to_send(0) == bytes.fromhex("40020001")


@pytest.mark.parametrize("code", [0x8E, 0x04])
def test_an_acknowledgement_has_only_its_own_codes(code: int) -> None:
    pair = connected()
    pair.send(Publish("a", b"", ONCE))
    [message] = publishes(pair.server_events())
    with pytest.raises(LocalProtocolError, match="no reason code"):
        pair.server.acknowledge(message, code)
    with pytest.raises(LocalProtocolError):
        pair.server.acknowledge(message, 0, {"content_type": "x"})
    assert pair.server.data_to_send(0) == b""
    pair.server.acknowledge(message)
    assert pair.server.data_to_send(0) == encode(PubAck(1))


def test_qos_2_reports_what_pubrec_said() -> None:
    pair = connected()
    pair.send(Publish("a", b"", TWICE))
    [message] = publishes(pair.server_events())
    pair.acknowledge(message, ReasonCode.NO_MATCHING_SUBSCRIBERS)
    assert pair.client_events()[0].reason_code == 0x10  # type: ignore[union-attr]


def test_the_two_directions_number_independently() -> None:
    pair = connected()
    pair.send(Publish("a", b"", ONCE))
    pair.send(Publish("b", b"", ONCE), Role.SERVER)
    assert publishes(pair.server_events())[0].packet_id == publishes(pair.client_events())[0].packet_id == 1


class TestPacketIdentifiers:
    """One ledger a direction [MQTT-2.2.1-3]."""

    def test_an_identifier_in_use_is_not_given_out_again_after_wrapping(self) -> None:
        pair = connected()
        pair.client.send(Publish("a", b"", ONCE), 0)
        ledger = pair.client.session.outgoing
        for _ in range(65_534):
            ledger.begin(ledger.new_id(), 9)  # type: ignore[arg-type]
        with pytest.raises(LocalProtocolError, match="all 65,535"):
            ledger.new_id()
        ledger.end(77)
        assert ledger.new_id() == 77

    def test_a_wish_is_granted_unless_the_identifier_is_in_use(self) -> None:
        pair = connected()
        assert pair.client.send(Publish("a", b"", ONCE, packet_id=9), 0).packet_id == 9  # type: ignore[union-attr]
        with pytest.raises(LocalProtocolError, match="packet identifier 9 is in use"):
            pair.client.send(Subscribe(9, [Subscription("a")]), 0)
        assert pair.client.send(Publish("a", b"", ONCE), 0).packet_id == 10  # type: ignore[union-attr]

    def test_the_peer_may_not_use_one_twice(self) -> None:
        pair = connected()
        pair.server.receive_data(encode(Publish("a", b"1", ONCE, packet_id=1)), 0)
        pair.server.receive_data(encode(Publish("a", b"2", ONCE, packet_id=1)), 0)
        error = fault(pair.server)
        assert "packet identifier 1, which is in use" in error.message

    def test_not_even_at_another_qos(self) -> None:
        pair = connected()
        pair.server.receive_data(encode(Publish("a", b"1", TWICE, packet_id=1)), 0)
        pair.server.receive_data(encode(Publish("a", b"2", ONCE, dup=True, packet_id=1)), 0)
        assert "which is in use" in fault(pair.server).message


class TestRepeatedPublish:
    """A message is delivered once however often it is sent."""

    def test_qos_1_with_dup_before_its_acknowledgement(self) -> None:
        pair = connected(4)
        pair.server.receive_data(encode(Publish("a", b"", ONCE, packet_id=1), 4), 0)
        pair.server.receive_data(encode(Publish("a", b"", ONCE, dup=True, packet_id=1), 4), 0)
        [message] = publishes(pair.server.events())
        pair.server.acknowledge(message)
        assert pair.server.data_to_send(0) == encode(PubAck(1), 4)

    def test_qos_1_after_its_acknowledgement_is_a_new_message(self) -> None:
        pair = connected()
        for _ in range(2):
            pair.server.receive_data(encode(Publish("a", b"", ONCE, dup=True, packet_id=1)), 0)
            [message] = publishes(pair.server.events())
            pair.server.acknowledge(message)
            assert pair.server.data_to_send(0) == encode(PubAck(1))

    def test_qos_2_is_answered_each_time_and_delivered_once(self) -> None:
        pair = connected()
        wire = encode(Publish("a", b"", TWICE, packet_id=1))
        pair.server.receive_data(wire * 3, 0)
        [message] = publishes(pair.server.events())
        assert pair.server.data_to_send(0) == b""
        pair.server.acknowledge(message)
        pair.server.receive_data(wire, 0)
        pair.server.receive_data(wire, 0)
        assert pair.server.data_to_send(0) == encode(PubRec(1)) * 3
        assert pair.server.events() == []
        pair.server.receive_data(encode(PubRel(1)), 0)
        assert pair.server.data_to_send(0) == encode(PubComp(1))
        pair.server.receive_data(wire, 0)
        assert len(publishes(pair.server.events())) == 1

    def test_repeats_behind_a_held_message_do_not_pile_up(self) -> None:
        pair = connected()
        answered = encode(Publish("a", b"", TWICE, packet_id=1))
        pair.server.receive_data(answered, 0)
        pair.server.acknowledge(publishes(pair.server.events())[0])
        pair.server.data_to_send(0)
        pair.server.receive_data(encode(Publish("held", b"", ONCE, packet_id=2)), 0)
        [held] = publishes(pair.server.events())
        pair.server.receive_data(answered * 1000, 0)
        pair.server.receive_data(encode(PubRel(1)), 0)
        pair.server.acknowledge(held)
        # The repeat waited behind the held message, and PUBREL ended the exchange meanwhile.
        assert pair.server.data_to_send(0) == encode(PubComp(1)) + encode(PubAck(2))


class TestStrayAcknowledgements:
    """What answers nothing is passed over and counted, or ends the connection where it contradicts the exchange."""

    @pytest.mark.parametrize("version", [4, 5])
    def test_unknown_identifiers_are_counted(self, version: int) -> None:
        pair = connected(version)
        for packet in (PubAck(7), PubComp(7)):
            pair.server.receive_data(encode(packet, version), 0)
        assert pair.server.strays == 2
        assert pair.server.events() == []
        assert pair.server.data_to_send(0) == b""

    @pytest.mark.parametrize(("version", "code"), [(4, 0), (5, 0x92)])
    def test_pubrec_for_nothing_is_released_and_pubrel_for_nothing_completed(self, version: int, code: int) -> None:
        pair = connected(version)
        pair.server.receive_data(encode(PubRec(7), version) + encode(PubRel(8), version), 0)
        expected = encode(PubRel(7, code), version) + encode(PubComp(8, code), version)
        assert pair.server.data_to_send(0) == expected

    def test_the_wrong_acknowledgement_is_a_protocol_error(self) -> None:
        pair = connected()
        pair.client.send(Publish("a", b"", ONCE), 0)
        pair.client.receive_data(encode(PubRec(1)), 0)
        error = fault(pair.client)
        assert error.message == "PUBREC for packet identifier 1, which waits for PUBACK"
        assert error.statement == "MQTT-2.2.1-5"

    @pytest.mark.parametrize("request_", [Subscribe(0, [Subscription("a")]), Unsubscribe(0, ["a"])])
    @pytest.mark.parametrize("answer", [PubAck(1), PubRec(1), PubComp(1)])
    def test_an_acknowledgement_for_a_request_is_a_protocol_error(
        self, request_: Subscribe | Unsubscribe, answer: PubAck | PubRec | PubComp
    ) -> None:
        pair = connected()
        pair.client.send(request_, 0)
        pair.client.receive_data(encode(answer), 0)
        awaited = "SUBACK" if isinstance(request_, Subscribe) else "UNSUBACK"
        assert fault(pair.client).message.endswith(f"for packet identifier 1, which waits for {awaited}")

    def test_pubrel_before_pubrec_is_a_protocol_error(self) -> None:
        pair = connected()
        pair.server.receive_data(encode(Publish("a", b"", TWICE, packet_id=1)) + encode(PubRel(1)), 0)
        assert "before its PUBREC" in fault(pair.server).message

    def test_pubrec_twice_gets_pubrel_twice(self) -> None:
        pair = connected()
        pair.client.send(Publish("a", b"", TWICE), 0)
        pair.client.data_to_send(0)
        pair.client.receive_data(encode(PubRec(1)) * 2, 0)
        assert pair.client.data_to_send(0) == encode(PubRel(1)) * 2


class TestRequests:
    """SUBSCRIBE and UNSUBSCRIBE, and what must answer them."""

    def test_a_subscription_is_made_and_ended(self) -> None:
        pair = connected()
        pair.send(Subscribe(0, [Subscription("a", ONCE), Subscription("b")]))
        assert pair.server_events() == [Subscribe(1, [Subscription("a", ONCE), Subscription("b")])]
        pair.send(SubAck(1, [1, 0x87]), Role.SERVER)
        assert pair.client_events() == [SubAck(1, [1, 0x87])]
        pair.send(Unsubscribe(0, ["a"]))
        pair.send(UnsubAck(2, [0x11]), Role.SERVER)
        assert pair.client_events() == [UnsubAck(2, [0x11])]

    @pytest.mark.parametrize("answer", [SubAck(1, [0]), UnsubAck(1, [0])])
    def test_an_answer_frees_the_identifier_and_cannot_come_again(self, answer: SubAck | UnsubAck) -> None:
        pair = connected()
        pair.send(Subscribe(0, [Subscription("a")]) if isinstance(answer, SubAck) else Unsubscribe(0, ["a"]))
        pair.send(answer, Role.SERVER)
        assert pair.client.session.outgoing.get(1) is None
        with pytest.raises(LocalProtocolError, match="packet identifier 1, which asks for none"):
            pair.server.send(answer, 0)
        pair.client.receive_data(encode(answer), 0)
        assert "packet identifier 1, which waits for none" in fault(pair.client).message

    def test_3_1_1_unsuback_has_no_codes(self) -> None:
        pair = connected(4)
        pair.send(Unsubscribe(0, ["a", "b"]))
        pair.send(UnsubAck(1), Role.SERVER)
        assert pair.client_events() == [UnsubAck(1)]

    @pytest.mark.parametrize(
        ("answer", "statement"),
        [(SubAck(2, [0]), "MQTT-2.2.1-6"), (UnsubAck(1, [0]), "MQTT-2.2.1-6"), (SubAck(1, [0, 0]), "MQTT-3.8.4-6")],
    )
    def test_a_wrong_answer_is_refused_at_both_ends(self, answer: SubAck | UnsubAck, statement: str) -> None:
        pair = connected()
        pair.send(Subscribe(0, [Subscription("a")]))
        with pytest.raises(LocalProtocolError) as caught:
            pair.server.send(answer, 0)
        assert caught.value.statement == statement
        pair.client.receive_data(encode(answer), 0)
        assert fault(pair.client).statement == statement

    def test_unsuback_has_a_code_for_each_filter(self) -> None:
        pair = connected()
        pair.send(Unsubscribe(0, ["a", "b"]))
        with pytest.raises(LocalProtocolError) as caught:
            pair.server.send(UnsubAck(1, [0]), 0)
        assert caught.value.statement == "MQTT-3.11.3-1"
        pair.client.receive_data(encode(UnsubAck(1, [0])), 0)
        assert fault(pair.client).statement == "MQTT-3.11.3-1"

    def test_two_open_requests_may_not_share_an_identifier(self) -> None:
        pair = connected()
        pair.server.receive_data(encode(Subscribe(1, [Subscription("a")])) + encode(Unsubscribe(1, ["a"])), 0)
        assert "packet identifier 1, which is in use" in fault(pair.server).message

    def test_acknowledgements_are_not_for_the_owner_to_send(self) -> None:
        pair = connected()
        with pytest.raises(LocalProtocolError, match="PUBACK leaves by itself"):
            pair.server.send(PubAck(1), 0)


class TestLimitsOfThePeer:
    """What CONNACK and CONNECT forbid is refused before it is sent, and nothing has changed then."""

    @pytest.mark.parametrize(
        ("limit", "packet", "code"),
        [
            ({"maximum_qos": 1}, Publish("a", b"", TWICE), ReasonCode.QOS_NOT_SUPPORTED),
            ({"retain_available": 0}, Publish("a", retain=True), ReasonCode.RETAIN_NOT_SUPPORTED),
            ({}, Publish("a", properties={"topic_alias": 1}), ReasonCode.TOPIC_ALIAS_INVALID),
            ({"topic_alias_maximum": 1}, Publish("a", properties={"topic_alias": 2}), ReasonCode.TOPIC_ALIAS_INVALID),
            ({"maximum_packet_size": 100}, Publish("a", bytes(100)), ReasonCode.PACKET_TOO_LARGE),
            ({"maximum_packet_size": 100}, Publish("a", bytes(100), ONCE), ReasonCode.PACKET_TOO_LARGE),
            (
                {"wildcard_subscription_available": 0},
                Subscribe(0, [Subscription("a/#")]),
                ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
            ),
            (
                {"shared_subscription_available": 0},
                Subscribe(0, [Subscription("$share/g/a")]),
                ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
            ),
            (
                {"subscription_identifier_available": 0},
                Subscribe(0, [Subscription("a")], {"subscription_identifier": 1}),
                ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
            ),
        ],
    )
    def test_what_the_server_does_not_take_is_not_sent(self, limit: Any, packet: Any, code: ReasonCode) -> None:
        pair = connected(connack=limit)
        with pytest.raises(LocalProtocolError) as caught:
            pair.client.send(packet, 0)
        assert caught.value.reason_code is code
        assert pair.client.data_to_send(0) == b""
        assert len(pair.client.session.outgoing) == 0
        assert pair.client.session.outgoing.new_id() == 1

    def test_a_server_keeps_to_what_the_client_takes(self) -> None:
        pair = connected(maximum_packet_size=100, topic_alias_maximum=1)
        with pytest.raises(LocalProtocolError) as caught:
            pair.server.send(Publish("a", bytes(100)), 0)
        assert caught.value.statement == "MQTT-3.1.2-24"
        with pytest.raises(LocalProtocolError) as caught:
            pair.server.send(Publish("a", properties={"topic_alias": 2}), 0)
        assert caught.value.statement == "MQTT-3.1.2-26"

    def test_without_limits_everything_passes(self) -> None:
        pair = connected()
        pair.send(Subscribe(0, [Subscription("a/#"), Subscription("$share/g/a")], {"subscription_identifier": 1}))
        pair.send(Publish("a", bytes(1000), TWICE, retain=True))
        assert len(pair.server_events()) == 2

    def test_what_we_announced_binds_the_peer(self) -> None:
        for packet, code in (
            (Publish("a", b"", TWICE, packet_id=1), ReasonCode.QOS_NOT_SUPPORTED),
            (Publish("a", retain=True), ReasonCode.RETAIN_NOT_SUPPORTED),
            (Publish("a", properties={"topic_alias": 1}), ReasonCode.TOPIC_ALIAS_INVALID),
            (Publish("a", bytes(1000)), ReasonCode.PACKET_TOO_LARGE),
        ):
            pair = connected(connack={"maximum_qos": 1, "retain_available": 0, "maximum_packet_size": 100})
            pair.server.receive_data(encode(packet), 0)
            assert fault(pair.server).reason_code is code
            assert decode(pair.server.data_to_send(0)).reason_code is code  # type: ignore[union-attr]


class TestReceiveMaximum:
    """Flow control (4.9) both ways."""

    @pytest.mark.parametrize("sender", Role)
    def test_the_quota_is_the_peers_receive_maximum(self, sender: Role) -> None:
        limit = {"receive_maximum": 2}
        pair = connected(connack=limit if sender is Role.CLIENT else {}, **(limit if sender is Role.SERVER else {}))
        end = pair.client if sender is Role.CLIENT else pair.server
        assert end.send_quota == 2
        pair.send(Publish("a", b"", ONCE), sender)
        pair.send(Publish("a", b"", TWICE), sender)
        assert end.send_quota == 0
        with pytest.raises(LocalProtocolError) as caught:
            end.send(Publish("a", b"", ONCE), 0)
        assert caught.value.reason_code is ReasonCode.RECEIVE_MAXIMUM_EXCEEDED
        end.send(Publish("a"), 0)
        first, second = publishes(pair.events[sender.peer])[:2]
        pair.acknowledge(first, by=sender.peer)
        assert end.send_quota == 1
        pair.acknowledge(second, by=sender.peer)
        assert end.send_quota == 2

    @pytest.mark.parametrize("receiver", Role)
    def test_a_peer_that_sends_more_is_told_0x93(self, receiver: Role) -> None:
        limit = {"receive_maximum": 1}
        pair = connected(connack=limit if receiver is Role.SERVER else {}, **(limit if receiver is Role.CLIENT else {}))
        end = pair.client if receiver is Role.CLIENT else pair.server
        end.receive_data(
            encode(Publish("a", b"", ONCE, packet_id=1)) + encode(Publish("a", b"", TWICE, packet_id=2)), 0
        )
        error = fault(end)
        assert error.reason_code is ReasonCode.RECEIVE_MAXIMUM_EXCEEDED
        assert error.statement == ("MQTT-3.3.4-9" if receiver is Role.CLIENT else "MQTT-3.3.4-7")

    def test_qos_2_counts_until_pubcomp(self) -> None:
        pair = connected(connack={"receive_maximum": 1})
        pair.server.receive_data(encode(Publish("a", b"", TWICE, packet_id=1)), 0)
        [message] = publishes(pair.server.events())
        pair.server.acknowledge(message)
        assert len(pair.server.session.incoming) == 1
        pair.server.receive_data(encode(PubRel(1)) + encode(Publish("a", b"", ONCE, packet_id=2)), 0)
        assert len(publishes(pair.server.events())) == 1


class TestTopicAliases:
    """Numbers for Topic Names, on one connection and in one direction."""

    def alias(self, topic: str, number: int, qos: QoS = QoS.AT_MOST_ONCE) -> Publish:
        return Publish(topic, b"", qos, properties={"topic_alias": number})

    @pytest.mark.parametrize("qos", QoS)
    def test_the_receiver_sees_names_only(self, qos: QoS) -> None:
        pair = connected(connack={"topic_alias_maximum": 2})
        pair.send(self.alias("long/name", 1, qos))
        pair.send(self.alias("", 1, qos))
        assert [(m.topic, m.properties) for m in publishes(pair.server_events())] == [("long/name", {})] * 2

    def test_an_alias_can_be_given_a_new_meaning(self) -> None:
        pair = connected(connack={"topic_alias_maximum": 2})
        for packet in (self.alias("a", 1), self.alias("b", 1), self.alias("", 1)):
            pair.send(packet)
        assert [message.topic for message in publishes(pair.server_events())] == ["a", "b", "b"]

    def test_an_unknown_alias_is_refused_at_both_ends(self) -> None:
        pair = connected(connack={"topic_alias_maximum": 2})
        with pytest.raises(LocalProtocolError, match="stands for no Topic Name"):
            pair.client.send(self.alias("", 2), 0)
        pair.server.receive_data(encode(self.alias("", 2)), 0)
        assert fault(pair.server).reason_code is ReasonCode.PROTOCOL_ERROR


def test_events_are_handed_over_once() -> None:
    pair = connected()
    pair.server.receive_data(encode(Publish("a")), 0)
    events: list[Event] = pair.server.events()
    assert len(events) == 1
    assert pair.server.events() == []
