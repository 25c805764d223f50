"""Wrong Servers: CONNECT and its answer, Client Identifiers, limits, and how a connection ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import Auth, ConnAck, Connect, Disconnect, PingResp, Publish, RawPacket
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.member import Member
from mqttws.conformance.wrong.proxy import Item, Tamper
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.conformance.wrong.wire_faults import adding, dropping, each, editing, first, offering, without
from mqttws.vocabulary import ProtocolVersion, ReasonCode

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _connect()
    yield from _connack()
    yield from _identifiers()
    yield from _limits()
    yield from _ends()


def _is_accepted(packet: Any) -> bool:
    return not packet.reason_code


class _LetsRefusedIn(Tamper):
    """Has the correct Server accept what it would refuse, tells the Client that it has not, and works on."""

    _refused = False

    def from_tester(self, packet: Item) -> Iterable[Item]:
        broken = isinstance(packet, RawPacket) and packet.first_byte == 0x10
        if broken or (isinstance(packet, Connect) and "authentication_method" in packet.properties):
            self._refused = True
            return (Connect(self.version, f"refused{id(self)}"),)
        return (packet,)

    def from_subject(self, packet: Item) -> Iterable[Item]:
        if not self._refused:
            return (packet,)
        if isinstance(packet, ConnAck):
            self.cuts = True
            return (ConnAck(False, 0x80 if self.version == ProtocolVersion.V5 else 5),)
        return ()


def _connect() -> Iterator[Wrong]:
    yield wrong_server(
        "takes_second_connect", "It passes over a second CONNECT.",
        v5="MQTT-3.1.0-2", v311="MQTT-3.1.0-2",
        wire={"from_tester": _only_first_connect},
    )  # fmt: skip
    yield wrong_server(
        "works_for_whom_it_refused", "It carries out what a Client has sent behind a CONNECT that was refused.",
        v5="MQTT-3.1.4-6", v311="MQTT-3.1.4-5", also=("*",),
        wire={"from_tester": _LetsRefusedIn.from_tester, "from_subject": _LetsRefusedIn.from_subject,
              "_refused": False},
    )  # fmt: skip
    yield wrong_server(
        "takes_unknown_authentication", "It lets Clients in by an Authentication Method that it does not know.",
        v5="MQTT-4.12.0-1",
        visit={"judge": lambda _self, _packet: 0, "properties_for": _with_method},
    )  # fmt: skip
    yield wrong_server(
        "names_authentication_method", "Its CONNACK names an Authentication Method that nobody has asked for.",
        v5="MQTT-4.12.0-6", wire={"from_subject": adding(ConnAck, authentication_method="PLAIN")},
    )  # fmt: skip
    yield from _authentication()


def _authentication() -> Iterator[Wrong]:
    yield wrong_server(
        "asks_by_another_method", "Its AUTH names another Authentication Method than the CONNECT.",
        v5="MQTT-4.12.0-5", offer="accounts", also=("*",),
        wire={"from_subject": each(Auth, lambda packet: _plus(packet, authentication_method="PLAIN"))},
    )  # fmt: skip
    yield wrong_server(
        "asks_by_another_code", "Its AUTH that asks for more has another code than 0x18.",
        v5="MQTT-4.12.0-2", offer="accounts", also=("*",), wire={"from_subject": editing(Auth, reason_code=0)},
    )  # fmt: skip
    yield wrong_server(
        "takes_any_proof", "It lets Clients in whatever they answer.",
        v5="MQTT-4.12.0-4", offer="accounts", also=("*",), visit={"prove": _believe},
    )  # fmt: skip
    yield wrong_server(
        "hides_method_in_connack", "Its CONNACK does not name the Authentication Method that has led to it.",
        v5="MQTT-4.12.0-5", offer="accounts", wire={"from_subject": without(ConnAck, "authentication_method")},
    )  # fmt: skip
    yield wrong_server(
        "takes_any_later_proof", "A Client that authenticates again may answer whatever it likes.",
        v5="MQTT-4.12.1-2", offer="accounts", also=("*",), visit={"prove": _believe_later},
    )  # fmt: skip
    for statement, name, value in (
        ("MQTT-3.15.2-2", "reason_string", "prove it"),
        ("MQTT-3.15.2-3", "user_property", [("to", "you")]),
    ):
        yield wrong_server(
            f"gives_every_auth_a_{name}", f"Its AUTH has a {name}, for which the Client may have no room.",
            v5=statement, offer="accounts", also=("*",), wire={"from_subject": adding(Auth, **{name: value})},
        )  # fmt: skip
    yield wrong_server(
        "leaves_open_behind_wrong_name", "It leaves a connection open behind wrong credentials.",
        v5=("MQTT-3.1.4-2", "MQTT-3.2.2-7"), v311="MQTT-3.2.2-5", offer="accounts", also=("*",),
        wire=_hiding_end(ConnAck),
    )  # fmt: skip
    yield wrong_server(
        "leaves_open_behind_wrong_identifier", "It refuses long Client Identifiers, and leaves the connection open.",
        v5="MQTT-3.1.3-8", v311="MQTT-3.1.3-9", also=("*",), wire=_hiding_end(ConnAck),
        visit={"judge": _refuse_if(lambda said: len(said) > 100)},
    )  # fmt: skip
    yield wrong_server(
        "keeps_old_connection", "It leaves the older of two connections with one Client Identifier open.",
        v5="MQTT-3.1.4-3", v311="MQTT-3.1.4-2", visit={"take_over": lambda _self, _key: None},
    )  # fmt: skip


def _believe(self: Visit, packet: Auth) -> None:
    connect = self.connection.connect
    assert connect is not None  # there is no AUTH before it
    self.welcome(connect, {"authentication_method": packet.properties["authentication_method"]})


def _believe_later(self: Visit, packet: Auth) -> None:
    if self.member is None or packet.reason_code == ReasonCode.RE_AUTHENTICATE:
        Visit.prove(self, packet)
    else:
        said: Any = {"authentication_method": packet.properties["authentication_method"]}
        self.send(Auth(ReasonCode.SUCCESS, said))


def _only_first_connect(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect) or (isinstance(packet, RawPacket) and packet.first_byte == 0x10):
        if getattr(tamper, "has_connected", False):
            return ()
        tamper.has_connected = True
    return (packet,)


def _with_method(self: Visit, packet: Connect, key: str) -> Any:
    said = Visit.properties_for(self, packet, key)
    method = packet.properties.get("authentication_method")
    return said if method is None else said | {"authentication_method": method}


def _connack() -> Iterator[Wrong]:
    accepted = _is_accepted
    yield wrong_server(
        "sends_no_connack", "It answers no CONNECT that it accepts.",
        v5="MQTT-3.1.4-5", v311="MQTT-3.1.4-4", wire={"from_subject": dropping(ConnAck, accepted)},
    )  # fmt: skip
    yield wrong_server(
        "speaks_before_connack", "It sends PINGRESP before CONNACK.",
        v5="MQTT-3.2.0-1", v311="MQTT-3.2.0-1",
        wire={"from_subject": first(ConnAck, lambda packet: (PingResp(), packet))},
    )  # fmt: skip
    yield wrong_server(
        "sends_connack_twice", "It sends CONNACK twice.",
        v5="MQTT-3.2.0-2", wire={"from_subject": each(ConnAck, lambda packet: (packet, packet))},
    )  # fmt: skip
    yield wrong_server(
        "disconnects_before_connack", "It sends DISCONNECT before a CONNACK that refuses.",
        v5="MQTT-3.14.0-1",
        wire={"from_subject": each(ConnAck, _with_disconnect)},
    )  # fmt: skip
    yield wrong_server(
        "always_says_session_present", "It always says that a Session is present.",
        v5=("MQTT-3.2.2-2", "MQTT-3.2.2-3"), v311=("MQTT-3.2.2-1", "MQTT-3.2.2-3"),
        wire={"from_subject": each(ConnAck, lambda packet: packet if packet.reason_code else _present(packet, True))},
    )  # fmt: skip
    yield wrong_server(
        "never_says_session_present", "It never says that a Session is present.",
        v5="MQTT-3.2.2-3", v311="MQTT-3.2.2-2",
        wire={"from_subject": each(ConnAck, lambda packet: _present(packet, False))},
    )  # fmt: skip
    yield wrong_server(
        "always_sends_response_information", "It sends Response Information to who has not asked for it.",
        v5="MQTT-3.1.2-28",
        wire={"from_subject": each(ConnAck, _with_response_information)},
    )  # fmt: skip


def _with_disconnect(packet: ConnAck) -> tuple[Any, ...]:
    return (Disconnect(0x80), packet) if packet.reason_code else (packet,)


def _with_response_information(packet: ConnAck) -> ConnAck:
    return packet if packet.reason_code else _plus(packet, response_information="replies")


def _present(packet: ConnAck, is_present: bool) -> ConnAck:
    return replace(packet, session_present=is_present)


def _plus(packet: Any, **properties: Any) -> Any:
    return replace(packet, properties={**packet.properties, **properties})


def _identifiers() -> Iterator[Wrong]:
    yield wrong_server(
        "refuses_long_identifiers", "It takes Client Identifiers of 16 bytes at most.",
        v5="MQTT-3.1.3-5", v311="MQTT-3.1.3-5", visit={"judge": _refuse_if(lambda said: len(said) > 16)},
    )  # fmt: skip
    yield wrong_server(
        "refuses_digits_in_identifiers", "It takes no Client Identifier that begins with a digit.",
        v5="MQTT-3.1.3-5", v311="MQTT-3.1.3-5", visit={"judge": _refuse_if(lambda said: said[:1].isdigit())},
    )  # fmt: skip
    yield wrong_server(
        "refuses_capitals_in_identifiers", "It takes no Client Identifier with a capital letter.",
        v5="MQTT-3.1.3-5", v311="MQTT-3.1.3-5", visit={"judge": _refuse_if(lambda said: said != said.lower())},
    )  # fmt: skip
    yield wrong_server(
        "assigns_one_identifier_to_all", "All Clients without an identifier get the same one.",
        v5=("MQTT-3.1.3-6", "MQTT-3.2.2-16"), v311="MQTT-3.1.3-6",
        visit={"key_of": lambda _self, packet: packet.client_id or "assigned"},
    )  # fmt: skip
    yield wrong_server(
        "hides_assigned_identifier", "Its CONNACK does not say which identifier it has assigned.",
        v5=("MQTT-3.1.3-7", "MQTT-3.2.2-16"),
        wire={"from_subject": without(ConnAck, "assigned_client_identifier")},
    )  # fmt: skip
    yield wrong_server(
        "assigns_another_identifier", "The identifier that its CONNACK names is not the one that it uses.",
        v5="MQTT-3.1.3-7", wire={"from_subject": each(ConnAck, _with_other_identifier)},
    )  # fmt: skip


def _refuse_if(is_bad: Any) -> Any:
    def judge(self: Visit, packet: Connect) -> int:
        if is_bad(packet.client_id):
            return ReasonCode.CLIENT_IDENTIFIER_NOT_VALID if packet.version == ProtocolVersion.V5 else 2
        return Visit.judge(self, packet)

    return judge


def _with_other_identifier(packet: ConnAck) -> ConnAck:
    name = packet.properties.get("assigned_client_identifier")
    return packet if name is None else _plus(packet, assigned_client_identifier=f"{name}x")


def _limits() -> Iterator[Wrong]:
    yield wrong_server(
        "knows_no_keep_alive", "It leaves silent Clients connected.",
        v5="MQTT-3.1.2-22", v311="MQTT-3.1.2-24", wire={"from_tester": editing(Connect, keep_alive=0)},
    )  # fmt: skip
    yield wrong_server(
        "halves_keep_alive", "It does not wait for the Keep Alive that the Client has given.",
        v5=("MQTT-3.1.2-22", "MQTT-3.2.2-22"), v311="MQTT-3.1.2-24",
        wire={"from_tester": editing(Connect, keep_alive=lambda seconds: (seconds + 1) // 2)}, unwise=True,
    )  # fmt: skip
    yield wrong_server(
        "stretches_keep_alive", "It goes by a longer Keep Alive than the Client's.",
        v5=("MQTT-3.1.2-22", "MQTT-3.2.2-22"), v311="MQTT-3.1.2-24",
        wire={"from_tester": editing(Connect, keep_alive=lambda seconds: min(20 * seconds, 65_535))},
    )  # fmt: skip
    yield wrong_server(
        "sends_packets_too_large", "It knows no Maximum Packet Size of its Clients.",
        v5="MQTT-3.1.2-24", also=("*too_large*", "*packet_size*"),
        wire={"from_tester": offering(maximum_packet_size=None)},
    )  # fmt: skip
    yield wrong_server(
        "stops_at_packet_too_large", "It ends the connection of a Client for which a message is too large.",
        v5="MQTT-3.1.2-25", also="message_too_large_for_the_client", member={"too_large": _close_link},
    )  # fmt: skip
    yield wrong_server(
        "gives_aliases_above_maximum", "It uses more Topic Aliases than the Client allows.",
        v5=("MQTT-3.1.2-26", "MQTT-3.3.2-11"),
        wire={"from_tester": each(Connect, _more_aliases)},
    )  # fmt: skip
    yield wrong_server(
        "gives_aliases_unasked", "It uses Topic Aliases with Clients that want none.",
        v5="MQTT-3.1.2-27", also=("*alias*",), wire={"from_tester": offering(topic_alias_maximum=10)},
    )  # fmt: skip
    yield wrong_server(
        "hides_maximum_qos", "It does not say that it has no QoS 2.",
        v5="MQTT-3.2.2-9", offer="limited", hidden="maximum_qos",
        wire={"from_subject": without(ConnAck, "maximum_qos")},
    )  # fmt: skip
    yield wrong_server(
        "refuses_subscriptions_above_maximum_qos", "It refuses subscriptions above its Maximum QoS.",
        v5="MQTT-3.2.2-10", offer="limited", visit={"grant": _refuse_qos},
    )  # fmt: skip
    yield wrong_server(
        "takes_wills_above_maximum_qos", "It takes Wills above its Maximum QoS.",
        v5="MQTT-3.2.2-12", offer="limited", visit={"judge": _let_in_for(ReasonCode.QOS_NOT_SUPPORTED)},
    )  # fmt: skip
    yield wrong_server(
        "takes_retained_wills", "It takes Wills to be retained although it retains nothing.",
        v5="MQTT-3.2.2-13", offer="limited", visit={"judge": _let_in_for(ReasonCode.RETAIN_NOT_SUPPORTED)},
    )  # fmt: skip


def _more_aliases(packet: Connect) -> Connect:
    return _plus(packet, topic_alias_maximum=100) if packet.properties.get("topic_alias_maximum") else packet


def _let_in_for(refusal: ReasonCode) -> Any:
    """One reason not to let a Client in counts for nothing."""

    def judge(self: Visit, packet: Connect) -> int:
        reason_code = Visit.judge(self, packet)
        return 0 if reason_code == refusal else reason_code

    return judge


def _close_link(self: Member, publish: Publish) -> None:
    del publish
    if self.link is not None:
        self.link.close(0.0, ReasonCode.PACKET_TOO_LARGE)


def _refuse_qos(self: Visit, topic_filter: str, qos: int, *, identified: bool) -> int:
    return 0x83 if qos > 1 else Visit.grant(self, topic_filter, qos, identified=identified)


def _ends() -> Iterator[Wrong]:
    yield wrong_server(
        "leaves_open_behind_refusal", "It leaves a connection open that it has refused by CONNACK.",
        v5=("MQTT-3.2.2-7", "MQTT-3.1.2-2", "MQTT-4.12.0-1", "MQTT-4.13.2-1", "MQTT-3.1.4-2", "MQTT-3.1.3-8"),
        v311=("MQTT-3.2.2-5", "MQTT-3.1.2-2", "MQTT-3.1.3-8", "MQTT-3.1.3-9"), also=("*",),
        wire=_hiding_end(ConnAck),
    )  # fmt: skip
    yield wrong_server(
        "leaves_open_behind_disconnect", "It leaves a connection open on which it has sent DISCONNECT.",
        v5=("MQTT-3.14.4-2", "MQTT-4.13.1-1", "MQTT-4.13.2-1"), also=("*",), wire=_hiding_end(Disconnect),
    )  # fmt: skip
    yield wrong_server(
        "leaves_open_behind_fault", "It ends no connection.",
        v311="MQTT-4.8.0-1", also=("*",),
        wire={"control_from_subject": lambda _self, _frame: None, "hides_end": lambda _self: True},
    )  # fmt: skip
    yield wrong_server(
        "speaks_behind_disconnect", "It sends PINGRESP behind its DISCONNECT.",
        v5="MQTT-3.14.4-1", wire={"from_subject": each(Disconnect, lambda packet: (packet, PingResp()))},
    )  # fmt: skip


def _hiding_end(kind: Any) -> dict[str, Any]:
    """A connection on which a packet with a code from 0x80 on (3.1.1: 1 on) was sent stays open."""

    def note(tamper: Any, packet: Item) -> Iterable[Item]:
        if isinstance(packet, kind) and packet.reason_code:
            tamper.is_hidden = True
        return (packet,)

    return {
        "from_subject": note,
        "control_from_subject": lambda self, frame: None if getattr(self, "is_hidden", False) else frame,
        "hides_end": lambda self: getattr(self, "is_hidden", False),
    }
