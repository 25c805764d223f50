"""Wrong Clients: CONNECT and what follows from its answer, requests, Topic Aliases, AUTH, DISCONNECT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    Publish,
    Subscribe,
    Unsubscribe,
    Will,
)
from mqttws.conformance.client.convention import Task
from mqttws.conformance.wrong.entry import Wrong, wrong_client
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.tampers import kind_of, swallower
from mqttws.conformance.wrong.wire_faults import dropping, each, editing, first, offering, without
from mqttws.vocabulary import PacketType

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _connect()
    yield from _session()
    yield from _limits()
    yield from _requests()
    yield from _aliases()
    yield from _auth()
    yield from _ends()


def _connect() -> Iterator[Wrong]:
    yield wrong_client(
        "pings_before_connect", "It sends PINGREQ before CONNECT.", v5="MQTT-3.1.0-1", v311="MQTT-3.1.0-1",
        also=("*",), from_subject=first(Connect, lambda packet: (PingReq(), packet)),
    )  # fmt: skip
    yield wrong_client(
        "changes_client_id", "It connects with another Client Identifier.",
        v5="MQTT-3.1.3-3", v311="MQTT-3.1.3-3", also=("forgets_*",),
        from_subject=editing(Connect, client_id=lambda said: f"{said}x"),
    )  # fmt: skip
    yield wrong_client(
        "changes_will", "Its Will has another payload.", v5="MQTT-3.1.2-9", v311="MQTT-3.1.2-9",
        from_subject=each(Connect, lambda one: replace(one, will=one.will and replace(one.will, payload=b"other"))),
    )  # fmt: skip
    yield wrong_client(
        "swaps_will_and_user_name", "Will Topic and User Name stand in each other's place.",
        v5="MQTT-3.1.3-1", v311="MQTT-3.1.3-1", from_subject=each(Connect, _swapped_fields),
    )  # fmt: skip
    yield wrong_client(
        "changes_user_name", "It gives another User Name.", v5="MQTT-3.1.2-17", v311="MQTT-3.1.2-19",
        from_subject=each(Connect, lambda one: replace(one, username=one.username and one.username.upper())),
    )  # fmt: skip
    yield wrong_client(
        "changes_password", "It gives another Password.", v5="MQTT-3.1.2-19", v311="MQTT-3.1.2-21",
        from_subject=each(Connect, lambda one: replace(one, password=one.password and one.password + b"x")),
    )  # fmt: skip
    yield wrong_client(
        "adds_credentials", "It gives a User Name and a Password that nobody has told it.",
        v5=("MQTT-3.1.2-16", "MQTT-3.1.2-18"), v311=("MQTT-3.1.2-18", "MQTT-3.1.2-20"), unwise=True,
        from_subject=editing(Connect, username=lambda said: said or "x", password=lambda said: said or b"x"),
    )  # fmt: skip
    yield wrong_client(
        "adds_will", "It has a Will that nobody has told it.",
        v5=("MQTT-3.1.2-11", "MQTT-3.1.2-13"), v311=("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15"), unwise=True,
        from_subject=editing(Connect, will=lambda said: said or Will("x", b"x", 1, True)),  # type: ignore[arg-type]
    )  # fmt: skip
    yield wrong_client(
        "sends_no_pings", "It sends no PINGREQ.", v5="MQTT-3.1.2-20", v311="MQTT-3.1.2-23",
        also="waits_for_pingresp_for_ever",
        task=_with(keep_alive=lambda seconds: 100 * seconds),
        from_subject=editing(Connect, keep_alive=lambda seconds: seconds // 100),
    )  # fmt: skip
    yield wrong_client(
        "keeps_own_keep_alive", "It does not go by the Server Keep Alive.",
        v5=("MQTT-3.1.2-21", "MQTT-3.2.2-21"), from_tester=without(ConnAck, "server_keep_alive"),
    )  # fmt: skip
    yield wrong_client(
        "waits_for_ever", "It stays connected though its PINGREQ is not answered.",
        v5="MQTT 5.0, 3.1.2.10", v311="MQTT 3.1.1, 3.1.2.10", unwise=True, from_subject=_answer_ping,
    )  # fmt: skip


def _swapped_fields(packet: Connect) -> Connect:
    if packet.will is None or packet.username is None:
        return packet
    return replace(packet, will=replace(packet.will, topic=packet.username), username=packet.will.topic)


def _with(**values: Callable[[Any], Any]) -> Callable[[Task], Task]:
    """Values of a task are understood otherwise."""

    def understand(task: Task) -> Task:
        changed = {name: change(task[name]) for name, change in values.items() if name in task.values}
        return Task(task.name, {**task.values, **changed})

    return understand


def _answer_ping(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PingReq):
        tamper.echoes.append(PingResp())
    return (packet,)


def _session() -> Iterator[Wrong]:
    yield wrong_client(
        "keeps_session_in_clean_start", "It goes on with its Session although it asks for a new one.",
        v5="MQTT-3.1.2-4", v311="MQTT-3.1.2-6", also=("*",),
        task=_with(clean_start=lambda _clean: False, session_expiry=lambda _seconds: 60),
        from_subject=_ask_for_clean_start, from_tester=_present_to_the_known,
    )  # fmt: skip
    yield wrong_client(
        "believes_in_any_session", "It does not look at Session Present.",
        v5="MQTT-3.2.2-4", from_tester=editing(ConnAck, session_present=False),
    )  # fmt: skip
    yield wrong_client(
        "keeps_lost_session", "It goes on with a Session that the Server has lost.",
        v5="MQTT-3.2.2-5", also=("*",), from_subject=_note_connect, from_tester=_present_to_the_known,
    )  # fmt: skip


def _note_connect(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect):
        tamper.client_id, tamper.is_clean = packet.client_id, packet.clean_start
    return (packet,)


def _ask_for_clean_start(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect):
        tamper.client_id, tamper.is_clean = packet.client_id, False
        return (replace(packet, clean_start=True),)
    return (packet,)


def _present_to_the_known(tamper: Any, packet: Item) -> Iterable[Item]:
    """A Client that was here before is told that its Session is present."""
    if isinstance(packet, ConnAck) and not packet.reason_code:
        known = tamper.client_id in tamper.shared and not tamper.is_clean
        tamper.shared[tamper.client_id] = True
        return (replace(packet, session_present=known),)
    return (packet,)


def _limits() -> Iterator[Wrong]:
    for name, words, statement, properties in (
        ("knows_no_maximum_qos", "Maximum QoS", "MQTT-3.2.2-11", {"maximum_qos": None}),
        ("knows_no_retain_available", "Retain Available", "MQTT-3.2.2-14", {"retain_available": None}),
        ("knows_no_maximum_packet_size", "Maximum Packet Size", "MQTT-3.2.2-15", {"maximum_packet_size": None}),
        ("knows_no_receive_maximum", "Receive Maximum", ("MQTT-3.3.4-7", "MQTT-4.9.0-1", "MQTT-4.9.0-2"),
         {"receive_maximum": None}),
    ):  # fmt: skip
        yield wrong_client(
            name, f"It does not keep to the Server's {words}.", v5=statement, also=("*",),
            from_tester=offering(**properties),
        )  # fmt: skip
    yield wrong_client(
        "uses_aliases_unasked", "It uses Topic Aliases though the Server wants none.",
        v5="MQTT-3.2.2-18", from_tester=each(ConnAck, lambda one: _plus_alias(one, most=0)),
    )  # fmt: skip
    yield wrong_client(
        "uses_high_aliases", "It uses Topic Aliases above the Server's maximum.",
        v5=("MQTT-3.2.2-17", "MQTT-3.3.2-9"), from_tester=each(ConnAck, lambda one: _plus_alias(one, least=1)),
    )  # fmt: skip
    yield wrong_client(
        "subscribes_as_server_cannot", "It asks for subscriptions that the Server does not offer.",
        v5="MQTT 5.0, 3.2.2.3.11", unwise=True,
        from_tester=without(ConnAck, "wildcard_subscription_available", "shared_subscription_available",
                            "subscription_identifier_available"),
    )  # fmt: skip


def _plus_alias(packet: ConnAck, *, least: int = 0, most: int = 65_535) -> ConnAck:
    if not least <= packet.properties.get("topic_alias_maximum", 0) <= most:
        return packet
    return replace(packet, properties={**packet.properties, "topic_alias_maximum": 65_535})


def _requests() -> Iterator[Wrong]:
    yield wrong_client(
        "subscribes_to_another_filter", "It subscribes to another filter.",
        v5="MQTT-3.8.3-2", v311="MQTT-3.8.3-3", also=("*",), from_subject=each(Subscribe, _other_filter),
    )  # fmt: skip
    yield wrong_client(
        "subscribes_at_another_qos", "It asks for another QoS.",
        v5="MQTT-3.8.3-2", v311="MQTT-3.8.3-3", also=("*",), from_subject=each(Subscribe, _other_qos),
    )  # fmt: skip
    yield wrong_client(
        "unsubscribes_from_another_filter", "It unsubscribes from another filter.",
        v5="MQTT-3.10.3-1", v311="MQTT-3.10.3-1", also=("*",),
        from_subject=editing(Unsubscribe, topic_filters=lambda all_: [f"x{one}" for one in all_]),
    )  # fmt: skip
    yield wrong_client(
        "strips_byte_order_mark", "It takes U+FEFF out of topics.",
        v5="MQTT-1.5.4-3", v311="MQTT-1.5.3-3", also=("*",),
        from_subject=editing(Publish, topic=lambda topic: topic.replace("\ufeff", "")),
    )  # fmt: skip
    yield wrong_client(
        "strips_byte_order_mark_of_others", "It takes U+FEFF out of the topics of what comes.",
        v5="MQTT-1.5.4-3", v311="MQTT-1.5.3-3", also=("*",),
        from_tester=editing(Publish, topic=lambda topic: topic.replace("\ufeff", "")),
    )  # fmt: skip


def _other_filter(packet: Subscribe) -> Subscribe:
    return replace(packet, subscriptions=[replace(one, topic_filter=f"x{one.topic_filter}")
                                          for one in packet.subscriptions])  # fmt: skip


def _other_qos(packet: Subscribe) -> Subscribe:
    subscriptions: Any = [replace(one, qos=(one.qos + 1) % 3) for one in packet.subscriptions]  # type: ignore[arg-type]
    return replace(packet, subscriptions=subscriptions)


def _aliases() -> Iterator[Wrong]:
    yield wrong_client(
        "relies_on_old_aliases", "It uses the Topic Aliases of its last connection.",
        v5="MQTT-3.3.2-7", also=("*",), from_subject=_with_old_alias,
    )  # fmt: skip
    yield wrong_client(
        "keeps_old_aliases", "It keeps the Server's Topic Aliases of the last connection.",
        v5="MQTT-3.3.2-7", also=("*",), from_tester=_older_alias,
    )  # fmt: skip
    yield wrong_client(
        "refuses_aliases", "It takes no Topic Alias although it has said so.",
        v5="MQTT-3.3.2-10", also=("*",),
        from_tester=each(Publish, lambda one: b"\0\0" if "topic_alias" in one.properties else one),
    )  # fmt: skip


def _with_old_alias(tamper: Any, packet: Item) -> Iterable[Item]:
    if not isinstance(packet, Publish) or "topic_alias" not in packet.properties:
        return (packet,)
    known = tamper.__dict__.setdefault("known", set())
    alias = packet.properties["topic_alias"]
    is_old = alias not in known and tamper.shared.get(alias) == packet.topic
    known.add(alias)
    if packet.topic:
        tamper.shared[alias] = packet.topic
    return (replace(packet, topic=""),) if is_old else (packet,)


def _older_alias(tamper: Any, packet: Item) -> Iterable[Item]:
    if not isinstance(packet, Publish) or "topic_alias" not in packet.properties:
        return (packet,)
    known = tamper.__dict__.setdefault("known", set())
    alias = packet.properties["topic_alias"]
    if packet.topic:
        known.add(alias)
        tamper.shared[alias] = packet.topic
    elif alias not in known and alias in tamper.shared:
        return (replace(packet, topic=tamper.shared[alias]),)
    return (packet,)


def _auth() -> Iterator[Wrong]:
    yield wrong_client(
        "speaks_before_connack", "It sends PINGREQ while it authenticates itself.",
        v5="MQTT-3.1.2-30", also=("*",), from_subject=each(Connect, _with_ping),
    )  # fmt: skip
    yield wrong_client(
        "answers_auth_by_other_code", "It answers AUTH by AUTH with 0x19.",
        v5="MQTT-4.12.0-3", from_subject=editing(Auth, reason_code=0x19),
    )  # fmt: skip
    yield wrong_client(
        "answers_auth_by_other_method", "It answers AUTH with another Authentication Method.",
        v5="MQTT-4.12.0-5",
        from_subject=each(Auth, lambda one: replace(one, properties={**one.properties, "authentication_method": "x"})),
    )  # fmt: skip
    yield wrong_client(
        "answers_auth_unasked", "It answers AUTH although it has named no Authentication Method.",
        v5="MQTT-4.12.0-7", also=("*",), from_subject=_note_method, from_tester=_answer_any_auth,
    )  # fmt: skip
    broken = swallower(None, when=lambda packet: packet.packet_type is PacketType.AUTH)
    yield wrong_client(
        "passes_over_auth_with_flags", "It passes over an AUTH that breaks a rule by itself.",
        v5="MQTT-3.15.1-1", also=("*",), shows=False, from_tester=broken.from_tester,
    )  # fmt: skip


def _with_ping(packet: Connect) -> tuple[Packet, ...]:
    return (packet, PingReq()) if "authentication_method" in packet.properties else (packet,)


def _note_method(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect):
        tamper.method = packet.properties.get("authentication_method")
    return (packet,)


def _answer_any_auth(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Auth) and tamper.method is None:
        tamper.replies.append(replace(packet, reason_code=0x18))
        return ()
    return (packet,)


def _ends() -> Iterator[Wrong]:
    yield wrong_client(
        "speaks_behind_disconnect", "It sends PINGREQ behind DISCONNECT.",
        v5="MQTT-3.14.4-1", v311="MQTT-3.14.4-2", from_subject=each(Disconnect, lambda packet: (packet, PingReq())),
    )  # fmt: skip
    yield wrong_client(
        "stays_behind_disconnect", "It leaves the connection open behind its DISCONNECT.",
        v5="MQTT-3.14.4-2", v311="MQTT-3.14.4-1", also=("*",), from_subject=_note_disconnect,
        control_from_subject=lambda self, frame: None if getattr(self, "is_hidden", False) else frame,
        hides_end=lambda self: getattr(self, "is_hidden", False),
    )  # fmt: skip
    yield wrong_client(
        "changes_reason_of_disconnect", "Its DISCONNECT always says 0x00.",
        v5="MQTT-3.14.2-1", unwise=True, from_subject=editing(Disconnect, reason_code=0),
    )  # fmt: skip
    yield wrong_client(
        "stays_though_sent_away", "It passes over a DISCONNECT of the Server.",
        v5="MQTT 5.0, 3.14.4", also=("*",), unwise=True, from_tester=dropping(Disconnect),
    )  # fmt: skip
    yield wrong_client(
        "stays_though_refused", "It takes a CONNACK that refuses for one that lets it in.",
        v5="MQTT-4.13.2-1", also=("*",), from_tester=editing(ConnAck, reason_code=0),
    )  # fmt: skip
    broken = swallower(None, when=lambda packet: kind_of(packet) is PacketType.DISCONNECT)
    yield wrong_client(
        "passes_over_disconnect_with_flags", "It passes over a DISCONNECT that breaks a rule by itself.",
        v5="MQTT-3.14.1-1", also=("*",), shows=False, from_tester=broken.from_tester,
    )  # fmt: skip


def _note_disconnect(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Disconnect):
        tamper.is_hidden = True
    return (packet,)
