"""Opening, refusing, authenticating and ending a connection."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    RawPacket,
    SubAck,
    Subscribe,
    Subscription,
    decode,
    encode,
)
from mqttws.errors import (
    ConnectionLost,
    ConnectRefused,
    LocalProtocolError,
    PeerSilent,
    RemoteProtocolError,
    ServerDisconnected,
    WireEnded,
    WireTruncated,
)
from mqttws.session import Closed, Connection, Event, Limits, Session, SessionResumed, SessionStarted
from mqttws.vocabulary import PacketType, ProtocolVersion, QoS, ReasonCode, Role
from tests.pair import Pair, publishes

V4 = Connect(version=ProtocolVersion.V3_1_1, client_id="c")


def closing(events: list[Event]) -> Any:
    """The error of the last event, which must be Closed, and the only one."""
    assert [type(event) for event in events].count(Closed) == 1
    last = events[-1]
    assert isinstance(last, Closed)
    return last.error


def server_given(data: bytes) -> Connection:
    server = Connection(Role.SERVER)
    server.start(0)
    server.receive_data(data, 0)
    return server


def client_given(data: bytes, connect: Connect | None = None) -> Connection:
    client = Connection(Role.CLIENT, session=Session())
    client.send(connect or Connect(client_id="c"), 0)
    client.data_to_send(0)
    client.receive_data(data, 0)
    return client


def test_a_client_connects_and_both_ends_are_open() -> None:
    pair = Pair()
    pair.client.send(Connect(client_id="c", keep_alive=10), 0)
    pair.run()
    assert pair.server_events() == [Connect(client_id="c", keep_alive=10)]
    pair.server.send(ConnAck(), 0)
    pair.run()
    assert pair.client_events() == [ConnAck(), SessionStarted()]
    assert pair.client.is_open
    assert pair.server.is_open
    assert repr(pair.client) == "<Connection client OPEN/OPEN>"


def test_connack_settles_identifier_keep_alive_and_expiry_at_both_ends() -> None:
    properties: Any = {"assigned_client_identifier": "given", "server_keep_alive": 7, "session_expiry_interval": 30}
    asked: Any = {"session_expiry_interval": 1000}
    pair = Pair().connect(Connect(client_id="", keep_alive=60, properties=asked), ConnAck(properties=properties))
    for end in (pair.client, pair.server):
        assert (end.client_id, end.keep_alive, end.session_expiry_interval) == ("given", 7, 30)


@pytest.mark.parametrize(("clean", "expiry"), [(True, 0), (False, 0xFFFFFFFF)])
def test_in_3_1_1_clean_session_is_the_expiry(clean: bool, expiry: int) -> None:
    pair = Pair().connect(Connect(version=ProtocolVersion.V3_1_1, client_id="c", clean_start=clean))
    assert pair.server.session_expiry_interval == pair.client.session_expiry_interval == expiry


@pytest.mark.parametrize("version", [4, 5])
def test_a_refusing_connack_ends_both_ends(version: int) -> None:
    code = 5 if version == 4 else 0x87
    pair = Pair()
    pair.client.send(Connect(version=ProtocolVersion(version), client_id="c"), 0)
    pair.run()
    pair.server.send(ConnAck(False, code), 0)
    pair.run()
    error = closing(pair.client_events())
    assert isinstance(error, ConnectRefused)
    assert error.reason_code == code
    assert "Not authorized" in str(error)
    assert closing(pair.server_events()) is None
    assert not pair.client.is_open


def test_a_version_given_beforehand_must_be_the_one_of_connect() -> None:
    with pytest.raises(LocalProtocolError, match="CONNECT for version 4 on a connection of version 5"):
        Connection(Role.CLIENT, 5).send(V4, 0)


def test_nothing_but_connect_goes_first() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Connection(Role.CLIENT).send(PingReq(), 0)
    assert caught.value.statement == "MQTT-3.1.0-1"


def test_a_ping_may_go_ahead_of_connack() -> None:
    client = Connection(Role.CLIENT)
    client.send(Connect(client_id="c"), 0)
    client.data_to_send(0)
    client.send(PingReq(), 0)
    assert client.data_to_send(0) == encode(PingReq())


def test_limits_are_those_of_the_peer() -> None:
    said: Any = {"receive_maximum": 3, "maximum_packet_size": 99, "maximum_qos": 0, "retain_available": 0}
    pair = Pair().connect(connack=ConnAck(properties=said))
    limits = pair.client.limits
    assert (limits.receive_maximum, limits.maximum_packet_size) == (3, 99)
    assert (limits.maximum_qos, limits.retain_available) == (QoS.AT_MOST_ONCE, False)
    assert pair.server.limits == Limits()


def test_a_client_waits_for_connack_before_it_sends_messages() -> None:
    client = Connection(Role.CLIENT)
    client.send(Connect(client_id="c"), 0)
    with pytest.raises(LocalProtocolError, match="PUBLISH before CONNACK"):
        client.send(Publish("a"), 0)
    assert client.send_quota == 0
    assert client.strays == 0


def test_a_server_holds_what_comes_before_its_connack() -> None:
    early = encode(Connect(client_id="c")) + encode(Publish("a", b"early"))
    server = server_given(early)
    server.receive_data(encode(Publish("a", b"later")), 0)
    assert [type(event) for event in server.events()] == [Connect]
    server.send(ConnAck(), 0)
    assert [message.payload for message in publishes(server.events())] == [b"early", b"later"]


def test_what_follows_a_refused_connect_is_not_looked_at() -> None:
    server = server_given(encode(Connect(client_id="c")) + encode(Publish("a")))
    server.send(ConnAck(False, 0x87), 0)
    assert closing(server.events()) is None
    assert server.data_to_send(0) == encode(ConnAck(False, 0x87))


@pytest.mark.parametrize("goodbye", [b"", encode(Disconnect())])
def test_a_client_may_be_gone_before_its_connect_is_answered(goodbye: bytes) -> None:
    server = server_given(encode(Connect(client_id="c")) + encode(Publish("a", b"last words")) + goodbye)
    server.receive_eof(0)
    assert [type(event) for event in server.events()] == [Connect]
    server.send(ConnAck(), 0)
    events = server.events()
    assert [message.payload for message in publishes(events)] == [b"last words"]
    assert isinstance(closing(events), ConnectionLost) is not bool(goodbye)


def test_a_client_that_is_gone_can_be_refused_all_the_same() -> None:
    server = server_given(encode(Connect(client_id="c")))
    server.receive_eof(0)
    server.send(ConnAck(False, 0x87), 0)
    assert closing(server.events()) is None


def test_too_much_before_connack_ends_the_connection() -> None:
    server = Connection(Role.SERVER, maximum_packet_size=1000)
    server.receive_data(encode(Connect(client_id="c")), 0)
    server.receive_data(bytes(70_000), 0)
    error = closing(server.events())
    assert error.reason_code is ReasonCode.QUOTA_EXCEEDED
    assert decode(server.data_to_send(0)).reason_code is ReasonCode.QUOTA_EXCEEDED  # type: ignore[union-attr]


def test_what_may_come_before_connack_is_one_packet_and_64_kibibytes() -> None:
    server = Connection(Role.SERVER, maximum_packet_size=1000)
    server.receive_data(encode(Connect(client_id="c")), 0)
    server.receive_data(bytes(1000 + 65_536), 0)
    assert not server.closed
    server.receive_data(b"\0", 0)
    assert closing(server.events()).reason_code is ReasonCode.QUOTA_EXCEEDED


def test_after_connack_as_much_may_come_at_a_time_as_the_wire_gives() -> None:
    server = Connection(Role.SERVER, maximum_packet_size=1000)
    server.receive_data(encode(Connect(client_id="c")), 0)
    server.send(ConnAck(), 0)
    server.receive_data(encode(Publish("a", bytes(900))) * 100, 0)
    assert len(publishes(server.events())) == 100


def test_the_first_packet_must_be_connect_and_gets_no_answer() -> None:
    server = server_given(encode(PingReq()))
    assert isinstance(closing(server.events()), RemoteProtocolError)
    assert server.data_to_send(0) == b""


def test_a_second_connect_is_a_protocol_error() -> None:
    pair = Pair().connect()
    pair.server.receive_data(encode(Connect(client_id="c")), 0)
    error = closing(pair.server.events())
    assert (error.reason_code, error.statement) == (ReasonCode.PROTOCOL_ERROR, "MQTT-3.1.0-2")
    farewell = decode(pair.server.data_to_send(0))
    assert isinstance(farewell, Disconnect)
    assert farewell.reason_code is ReasonCode.PROTOCOL_ERROR
    assert "MQTT-3.1.0-2" in farewell.properties["reason_string"]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param("100d 0004 4d515454 06 02 0000 0001 63", "20 03 00 84", id="level-6-gets-0x84"),
        pytest.param("100f 0006 4d5149736470 03 02 0000 0001 63", "20 02 00 01", id="mqisdp-gets-1"),
        pytest.param("100c 0004 4d515454 04 00 0000 0000", "20 02 00 02", id="3.1.1-empty-id-without-clean-session"),
        pytest.param("100e 0004 4d515454 05 03 0000 00 0001 63", "20 03 00 81", id="5.0-reserved-flag"),
        pytest.param("100d 0004 4d515454 04 03 0000 0001 63", "", id="3.1.1-reserved-flag-has-no-code"),
    ],
)
def test_a_connect_that_cannot_be_read_is_refused_in_its_own_version(data: str, answer: str) -> None:
    server = server_given(bytes.fromhex(data))
    error = closing(server.events())
    assert isinstance(error, RemoteProtocolError)
    said = server.data_to_send(0)
    assert said[:1] == bytes.fromhex(answer)[:1]
    assert said[2:4] == bytes.fromhex(answer)[2:4]


@pytest.mark.parametrize("version", [4, 5])
def test_a_malformed_packet_ends_the_connection_and_5_0_says_why(version: int) -> None:
    pair = Pair().connect(Connect(version=ProtocolVersion(version), client_id="c"))
    pair.server.receive_data(bytes.fromhex("36 06 0001 61 0001 00"), 0)
    error = closing(pair.server.events())
    assert error.statement == "MQTT-3.3.1-4"
    farewell = pair.server.data_to_send(0)
    if version == 4:
        assert farewell == b""
    else:
        assert decode(farewell).reason_code is ReasonCode.MALFORMED_PACKET  # type: ignore[union-attr]
    assert pair.server.closed
    pair.server.receive_data(encode(PingReq()), 0)
    assert pair.server.events() == []


def test_packets_before_a_malformed_one_still_count() -> None:
    pair = Pair().connect()
    pair.server.receive_data(encode(Publish("a", b"good")) + b"\x36\x00", 0)
    events = pair.server.events()
    assert publishes(events) == [Publish("a", b"good")]
    assert isinstance(closing(events), RemoteProtocolError)


@pytest.mark.parametrize("session_present", [False, True])
def test_session_present_after_clean_start_is_refused_at_both_ends(session_present: bool) -> None:
    server = server_given(encode(Connect(client_id="c", clean_start=True)))
    if session_present:
        with pytest.raises(LocalProtocolError) as caught:
            server.send(ConnAck(True), 0)
        assert caught.value.statement == "MQTT-3.2.2-2"
        client = client_given(encode(ConnAck(True)), Connect(client_id="c", clean_start=True))
        assert closing(client.events()).statement == "MQTT-3.2.2-2"
    else:
        server.send(ConnAck(False), 0)
        assert server.is_open


def test_session_present_for_a_client_without_a_session_ends_the_connection() -> None:
    client = Connection(Role.CLIENT)
    client.send(Connect(client_id="c", clean_start=False), 0)
    client.receive_data(encode(ConnAck(True)), 0)
    assert closing(client.events()).statement == "MQTT-3.2.2-4"


def test_a_server_has_to_assign_an_identifier_where_5_0_gave_none() -> None:
    server = server_given(encode(Connect(client_id="")))
    with pytest.raises(LocalProtocolError) as caught:
        server.send(ConnAck(), 0)
    assert caught.value.statement == "MQTT-3.2.2-16"


@pytest.mark.parametrize("role", Role)
def test_the_end_of_the_wire_is_a_lost_connection(role: Role) -> None:
    pair = Pair().connect()
    end = pair.client if role is Role.CLIENT else pair.server
    end.receive_data(b"\x30", 1)
    end.receive_eof(2)
    end.receive_eof(3)
    error = closing(end.events())
    assert isinstance(error, WireTruncated)
    assert "in the middle of a packet" in str(error)
    assert end.next_deadline() == math.inf


def test_the_end_of_the_wire_between_packets_cuts_none() -> None:
    pair = Pair().connect()
    pair.client.receive_eof(0)
    error = closing(pair.client.events())
    assert isinstance(error, WireEnded)
    assert str(error) == "the connection ended without a DISCONNECT"


def test_whoever_knows_more_about_the_end_says_so() -> None:
    pair = Pair().connect()
    reason = ConnectionLost("closed by the peer", 1001)
    pair.client.receive_eof(0, reason)
    assert closing(pair.client.events()) is reason


def test_a_client_leaves_with_disconnect() -> None:
    pair = Pair().connect()
    pair.send(Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE))
    assert pair.server_events() == [Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE), Closed()]
    assert pair.client_events() == [Closed()]
    with pytest.raises(LocalProtocolError) as caught:
        pair.client.send(PingReq(), 0)
    assert caught.value.statement == "MQTT-3.14.4-1"


def test_behind_its_end_a_connection_is_not_open_and_has_no_quota() -> None:
    pair = Pair().connect()
    assert (pair.client.is_open, pair.client.send_quota) == (True, 65_535)
    pair.send(Disconnect())
    for end in (pair.client, pair.server):
        assert (end.is_open, end.send_quota) == (False, 0)


def test_what_comes_behind_the_end_is_not_kept() -> None:
    pair = Pair().connect()
    pair.client.close(0)
    pair.client.receive_data(b"\x30\x7f", 0)
    assert not pair.client.unfinished
    assert pair.client.events() == [Closed()]


def test_a_server_leaves_with_disconnect_in_5_0() -> None:
    pair = Pair().connect()
    pair.send(Disconnect(ReasonCode.SERVER_SHUTTING_DOWN), Role.SERVER)
    events = pair.client_events()
    error = closing(events)
    assert isinstance(error, ServerDisconnected)
    assert error.reason_code is ReasonCode.SERVER_SHUTTING_DOWN


def test_disconnect_may_shorten_the_session_but_not_begin_one() -> None:
    keeps: Any = {"session_expiry_interval": 30}
    pair = Pair().connect(Connect(client_id="c", properties=keeps))
    ends: Any = {"session_expiry_interval": 5}
    pair.send(Disconnect(properties=ends))
    assert pair.server.session_expiry_interval == pair.client.session_expiry_interval == 5
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError, match="that of CONNECT was 0"):
        pair.client.send(Disconnect(properties=keeps), 0)
    pair.server.receive_data(encode(Disconnect(properties=keeps)), 0)
    assert closing(pair.server.events()).reason_code is ReasonCode.PROTOCOL_ERROR


class TestClose:
    """close() says what version, role and state have words for."""

    @pytest.mark.parametrize("role", Role)
    def test_an_open_connection_of_5_0_says_disconnect(self, role: Role) -> None:
        pair = Pair().connect()
        end = pair.client if role is Role.CLIENT else pair.server
        end.close(0, 0x98, {"reason_string": "enough"})
        end.close(0)
        farewell = Disconnect(0x98, properties={"reason_string": "enough"})
        assert end.data_to_send(0) == encode(farewell)
        assert end.events() == [Closed()]

    def test_a_code_that_role_may_not_send_becomes_unspecified(self) -> None:
        pair = Pair().connect()
        pair.client.close(0, ReasonCode.SESSION_TAKEN_OVER)
        assert decode(pair.client.data_to_send(0)) == Disconnect(ReasonCode.UNSPECIFIED_ERROR)

    def test_properties_that_a_farewell_cannot_have_are_refused(self) -> None:
        pair = Pair().connect()
        with pytest.raises(LocalProtocolError):
            pair.client.close(0, 0, {"content_type": "x"})
        assert pair.client.is_open

    @pytest.mark.parametrize(("code", "said"), [(0, b"\xe0\x00"), (4, b"")])
    def test_a_3_1_1_client_can_only_say_goodbye(self, code: int, said: bytes) -> None:
        pair = Pair().connect(V4)
        pair.client.close(0, code)
        assert pair.client.data_to_send(0) == said

    @pytest.mark.parametrize(
        ("version", "code", "said"),
        [(4, 0x88, b""), (5, 0x88, encode(ConnAck(False, 0x88))), (5, 0, encode(ConnAck(False, 0x80)))],
    )
    def test_a_server_refuses_a_connect_it_has_not_answered(self, version: int, code: int, said: bytes) -> None:
        server = server_given(encode(Connect(version=ProtocolVersion(version), client_id="c")))
        server.close(0, code)
        assert server.data_to_send(0) == said

    @pytest.mark.parametrize("role", Role)
    def test_before_connect_there_is_nothing_to_say(self, role: Role) -> None:
        end = Connection(role)
        end.close(0)
        assert end.data_to_send(0) == b""
        assert end.events() == [Closed()]


class TestAuthentication:
    """AUTH is passed through; the method stays the same."""

    METHOD: ClassVar[Any] = {"authentication_method": "SCRAM"}

    def start(self) -> Pair:
        pair = Pair()
        pair.client.send(Connect(client_id="c", properties=self.METHOD), 0)
        pair.run()
        pair.server_events()
        return pair

    def test_both_ends_exchange_auth_before_connack_and_after(self) -> None:
        pair = self.start()
        more = Auth(ReasonCode.CONTINUE_AUTHENTICATION, properties=self.METHOD)
        pair.send(more, Role.SERVER)
        assert pair.client_events() == [more]
        pair.send(more)
        assert pair.server_events() == [more]
        pair.send(ConnAck(properties=self.METHOD), Role.SERVER)
        again = Auth(ReasonCode.RE_AUTHENTICATE, properties=self.METHOD)
        pair.send(again)
        assert pair.server_events() == [again]

    def test_a_client_that_authenticates_sends_nothing_else(self) -> None:
        pair = self.start()
        pair.server.receive_data(encode(PingReq()), 0)
        assert closing(pair.server.events()).statement == "MQTT-3.1.2-30"

    def test_another_method_is_a_protocol_error(self) -> None:
        pair = self.start()
        other: Any = {"authentication_method": "PLAIN"}
        with pytest.raises(LocalProtocolError) as caught:
            pair.server.send(ConnAck(properties=other), 0)
        assert caught.value.statement == "MQTT-4.12.0-5"
        pair.server.receive_data(encode(Auth(ReasonCode.CONTINUE_AUTHENTICATION, properties=other)), 0)
        assert closing(pair.server.events()).statement == "MQTT-4.12.0-5"

    def test_connack_names_no_method_where_connect_did_not(self) -> None:
        client = client_given(encode(ConnAck(properties=self.METHOD)))
        assert closing(client.events()).statement == "MQTT-4.12.0-6"


class TestDeadlines:
    """connect_timeout: for CONNECT at the Server, for CONNACK at the Client."""

    @pytest.mark.parametrize(("role", "awaited"), [(Role.CLIENT, "CONNACK"), (Role.SERVER, "CONNECT")])
    def test_silence_at_the_beginning_ends_the_connection(self, role: Role, awaited: str) -> None:
        end = Connection(role, connect_timeout=3)
        end.start(100)
        if role is Role.CLIENT:
            end.send(Connect(client_id="c"), 101)
        due = end.next_deadline()
        assert due == (104 if role is Role.CLIENT else 103)
        end.handle_deadline(due - 0.5)
        assert not end.closed
        end.handle_deadline(due)
        error = closing(end.events())
        assert isinstance(error, PeerSilent)
        assert f"no {awaited} within 3 seconds" in str(error)

    def test_the_owner_may_take_its_time_to_answer_connect(self) -> None:
        server = Connection(Role.SERVER, connect_timeout=3)
        server.start(100)
        server.receive_data(encode(Connect(client_id="c", keep_alive=10)), 101)
        assert server.next_deadline() == math.inf
        server.handle_deadline(200)
        server.send(ConnAck(), 200)
        assert server.is_open
        assert server.next_deadline() == 215


@pytest.mark.parametrize(
    ("sender", "packet", "statement"),
    [
        (Role.CLIENT, Disconnect(ReasonCode.SESSION_TAKEN_OVER), "MQTT-3.14.2-1"),
        (Role.SERVER, Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE), "MQTT-3.14.2-1"),
        (Role.SERVER, Auth(ReasonCode.RE_AUTHENTICATE, {"authentication_method": "m"}), "MQTT-3.15.2-1"),
    ],
)
def test_a_code_of_the_other_role_is_not_sent(sender: Role, packet: Any, statement: str) -> None:
    method: Any = {"authentication_method": "m"}
    pair = Pair().connect(Connect(client_id="c", properties=method), ConnAck(properties=method))
    with pytest.raises(LocalProtocolError) as caught:
        pair.send(packet, sender)
    assert caught.value.statement == statement
    assert pair.client.is_open


@pytest.mark.parametrize("packet", [PubAck(1), PingResp()])
def test_what_leaves_by_itself_is_not_for_the_owner_to_send(packet: Any) -> None:
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError, match=r"leaves by itself|from the Server while|check"):
        pair.server.send(packet, 0)
    assert pair.server.bytes_pending == 0


def test_a_session_is_attached_between_connect_and_connack_only() -> None:
    with pytest.raises(LocalProtocolError, match="between CONNECT and CONNACK"):
        Connection(Role.SERVER).attach(Session())
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError, match="between CONNECT and CONNACK"):
        pair.server.attach(Session())
    with pytest.raises(LocalProtocolError, match="before CONNECT by the Client"):
        pair.client.attach(Session())


def test_a_client_that_attaches_its_session_before_connect_holds_it() -> None:
    session = Session()
    session.outgoing.begin(1, PacketType.PUBACK, Publish("a", b"x", QoS.AT_LEAST_ONCE, packet_id=1))
    client = Connection(Role.CLIENT)
    client.attach(session)
    assert client.session is session
    client.send(Connect(client_id="c", clean_start=False), 0)
    client.data_to_send(0)
    client.receive_data(encode(ConnAck(True)), 0)
    assert SessionResumed(1) in client.events()
    assert decode(client.data_to_send(0)) == Publish("a", b"x", QoS.AT_LEAST_ONCE, dup=True, packet_id=1)


class TestTinyMaximumPacketSize:
    """A peer that leaves no room even for answers ends its own connection and nothing else."""

    def pair(self, size: int) -> Pair:
        properties: Any = {"maximum_packet_size": size}
        pair = Pair()
        pair.server.receive_data(encode(Connect(client_id="c", keep_alive=10, properties=properties)), 0)
        pair.server.events()
        return pair

    def test_no_room_for_connack_is_the_callers_news(self) -> None:
        pair = self.pair(4)
        with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 4"):
            pair.server.send(ConnAck(), 0)

    def test_no_room_for_a_farewell_means_none(self) -> None:
        pair = self.pair(1)
        pair.server.close(0, 0x88)
        assert pair.server.data_to_send(0) == b""
        assert pair.server.events() == [Closed()]

    @pytest.mark.parametrize("size", [1, 3])
    def test_no_room_for_a_ping_or_an_acknowledgement_is_the_servers_fault(self, size: int) -> None:
        limits: Any = {"maximum_packet_size": size}
        client = client_given(encode(ConnAck(properties=limits)), Connect(client_id="c", keep_alive=10))
        client.receive_data(encode(Publish("a", b"", QoS.AT_LEAST_ONCE, packet_id=1)), 0)
        message = publishes(client.events())[0]
        if size == 1:
            client.handle_deadline(client.next_deadline())
        else:
            client.acknowledge(message)
        error = closing(client.events())
        assert error.reason_code is ReasonCode.PACKET_TOO_LARGE
        assert "leaves no room for" in str(error)


def test_reason_strings_give_way_to_the_clients_limits() -> None:
    limits: Any = {"maximum_packet_size": 40}
    long: Any = {"reason_string": "x" * 20, "user_property": [("k", "v" * 20)]}
    pair = Pair()
    pair.client.send(Connect(client_id="c", properties=limits), 0)
    pair.run()
    pair.server.send(ConnAck(properties=long), 0)
    assert decode(pair.server.data_to_send(0)).properties == {"reason_string": "x" * 20}  # type: ignore[union-attr]


def test_without_problem_information_only_some_packets_explain_themselves() -> None:
    quiet: Any = {"request_problem_information": 0}
    pair = Pair().connect(Connect(client_id="c", properties=quiet))
    words: Any = {"reason_string": "because", "user_property": [("k", "v")]}
    pair.send(Subscribe(0, [Subscription("a")]))
    pair.send(SubAck(1, [0x87], words), Role.SERVER)
    pair.server.close(0, 0x98, {"reason_string": "because"})
    pair.run()
    answer, farewell, _ = pair.client_events()
    assert answer == SubAck(1, [0x87])
    assert farewell == Disconnect(0x98, properties={"reason_string": "because"})


def test_raw_packets_have_no_place_on_a_connection() -> None:
    pair = Pair().connect()
    with pytest.raises((AttributeError, LocalProtocolError)):
        pair.client.send(RawPacket(0x30, b""), 0)  # type: ignore[arg-type]
