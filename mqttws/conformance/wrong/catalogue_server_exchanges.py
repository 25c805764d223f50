"""Wrong Servers: the exchanges of QoS 1 and 2, what is sent again, order, and the Client's Receive Maximum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import (
    ConnAck,
    Connect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    UnsubAck,
)
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.member import Member
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.conformance.wrong.wire_faults import dropping, each, editing, offering
from mqttws.session import Session
from mqttws.vocabulary import ProtocolVersion

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _identifiers()
    yield from _qos_1()
    yield from _qos_2()
    yield from _again()
    yield from _order()
    yield from _quota()


def _identifiers() -> Iterator[Wrong]:
    for kind, v5, v311 in (
        (PubAck, ("MQTT-2.2.1-5", "MQTT-4.3.2-4"), ("MQTT-2.3.1-6", "MQTT-4.3.2-2")),
        (PubRec, ("MQTT-2.2.1-5", "MQTT-4.3.3-8"), ("MQTT-2.3.1-6", "MQTT-4.3.3-2")),
        (PubRel, ("MQTT-2.2.1-5", "MQTT-4.3.3-4"), ("MQTT-2.3.1-6", "MQTT-4.3.3-1")),
        (PubComp, ("MQTT-2.2.1-5", "MQTT-4.3.3-11"), ("MQTT-4.3.3-2",)),
        (SubAck, ("MQTT-2.2.1-6", "MQTT-3.8.4-2"), ("MQTT-2.3.1-7", "MQTT-3.8.4-2")),
        (UnsubAck, ("MQTT-2.2.1-6", "MQTT-3.10.4-5"), ("MQTT-2.3.1-7", "MQTT-3.10.4-4")),
    ):
        name = kind.packet_type.name
        yield wrong_server(
            f"numbers_{name.lower()}_wrongly", f"The identifier in its {name} is another one.", v5=v5, v311=v311,
            also=("*",), wire={"from_subject": editing(kind, packet_id=lambda said: said % 65_535 + 1)},
        )  # fmt: skip
    yield wrong_server(
        "numbers_all_messages_alike", "All of its messages have one identifier.",
        v5=("MQTT-2.2.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1"), v311=("MQTT-2.3.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1"),
        also=("*",), wire={"from_subject": _one_id_out, "from_tester": _one_id_in},
    )  # fmt: skip


def _one_id_out(tamper: Any, packet: Item) -> Iterable[Item]:
    """Every exchange of the Server is shown as number 1; answers belong to the oldest."""
    if isinstance(packet, Publish | PubRel) and packet.packet_id is not None:
        if isinstance(packet, Publish):
            tamper.__dict__.setdefault("ids", []).append(packet.packet_id)
        return (replace(packet, packet_id=1),)
    return (packet,)


def _one_id_in(tamper: Any, packet: Item) -> Iterable[Item]:
    ids = tamper.__dict__.get("ids", [])
    if isinstance(packet, PubAck | PubComp | PubRec) and ids:
        oldest = ids[0]
        if not isinstance(packet, PubRec):
            ids.pop(0)
        return (replace(packet, packet_id=oldest),)
    return (packet,)


def _qos_1() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_first_with_dup", "It sets DUP in a message that it sends for the first time.",
        v5=("MQTT-4.3.2-2", "MQTT-4.3.3-2", "MQTT-3.3.1-3"), v311=("MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-3.3.1-3"),
        also=("*",), wire={"from_subject": each(Publish, lambda one: replace(one, dup=True) if one.qos else one)},
    )  # fmt: skip
    yield wrong_server(
        "takes_dup_for_old", "It takes each PUBLISH with DUP for one that it has.",
        v5="MQTT-4.3.2-5", v311="MQTT-4.3.2-2", visit={"publish": _not_if(lambda packet: packet.dup)},
    )  # fmt: skip
    yield wrong_server(
        "remembers_identifiers_at_qos_1", "It takes a message whose identifier it has seen before for an old one.",
        v5="MQTT-4.3.2-5", v311="MQTT-4.3.2-2", visit={"publish": _only_new(1)},
    )  # fmt: skip


def _not_if(is_old: Any) -> Any:
    def publish(self: Visit, packet: Publish, member: Member) -> None:
        if packet.qos and is_old(packet):
            self.link.acknowledge(packet)
        else:
            Visit.publish(self, packet, member)

    return publish


def _only_new(qos: int) -> Any:
    def publish(self: Visit, packet: Publish, member: Member) -> None:
        known = self.__dict__.setdefault("known", set())
        if packet.qos == qos and packet.packet_id in known:
            self.link.acknowledge(packet)
        else:
            known.add(packet.packet_id)
            Visit.publish(self, packet, member)

    return publish


def _qos_2() -> Iterator[Wrong]:
    yield wrong_server(
        "releases_nothing", "It answers no PUBREC.",
        v5="MQTT-4.3.3-4", v311="MQTT-4.3.3-1", also=("*",), wire={"from_subject": dropping(PubRel)},
    )  # fmt: skip
    yield wrong_server(
        "completes_nothing", "It answers no PUBREL.",
        v5="MQTT-4.3.3-11", v311="MQTT-4.3.3-2", also=("*",), wire={"from_subject": dropping(PubComp)},
    )  # fmt: skip
    yield wrong_server(
        "delivers_qos_2_twice", "It delivers a message at QoS 2 again that is sent again before its PUBREL.",
        v5="MQTT-4.3.3-10", v311="MQTT-4.3.3-2", also=("*",),
        wire={"from_tester": _repeated_as_new, "from_subject": _numbered_back},
    )  # fmt: skip
    yield wrong_server(
        "answers_repeated_qos_2_never", "It does not answer a message at QoS 2 that is sent again.",
        v5="MQTT-4.3.3-10", v311="MQTT-4.3.3-2", also=("*",),
        wire={"from_tester": each(Publish, lambda packet: None if packet.qos == 2 and packet.dup else packet)},
    )  # fmt: skip
    yield wrong_server(
        "remembers_identifiers_at_qos_2", "It takes a new message at QoS 2 for an old one with that identifier.",
        v5="MQTT-4.3.3-12", v311="MQTT-4.3.3-2", visit={"publish": _only_new(2)},
    )  # fmt: skip
    yield wrong_server(
        "drops_expired_at_qos_2", "It ends no exchange at QoS 2 of a message that can expire.",
        v5=("MQTT-4.3.3-13", "MQTT-4.3.3-11"), also=("*",),
        wire={"from_tester": _note_expiring, "from_subject": _without_expired},
    )  # fmt: skip


def _repeated_as_new(tamper: Any, packet: Item) -> Iterable[Item]:
    """A repeated PUBLISH gets an identifier of its own, which the Client never sees."""
    renamed: dict[int, int] = tamper.__dict__.setdefault("renamed", {})
    held: set[int] = tamper.__dict__.setdefault("held", set())
    if isinstance(packet, PubRel):
        held.discard(packet.packet_id)
    if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id is not None:
        if packet.packet_id in held:
            new = 60_000 + len(renamed)
            renamed[new] = packet.packet_id
            return (replace(packet, packet_id=new, dup=False),)
        held.add(packet.packet_id)
    return (packet,)


def _numbered_back(tamper: Any, packet: Item) -> Iterable[Item]:
    renamed: dict[int, int] = tamper.__dict__.get("renamed", {})
    if isinstance(packet, PubRec) and packet.packet_id in renamed:
        return (replace(packet, packet_id=renamed[packet.packet_id]),)
    return (packet,)


def _note_expiring(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and "message_expiry_interval" in packet.properties:
        tamper.__dict__.setdefault("expiring", set()).add(packet.packet_id)
    return (packet,)


def _without_expired(tamper: Any, packet: Item) -> Iterable[Item]:
    expiring = tamper.__dict__.get("expiring", ())
    return () if isinstance(packet, PubComp) and packet.packet_id in expiring else (packet,)


def _again() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_again_without_dup", "It sends messages again without DUP.",
        v5="MQTT-3.3.1-1", v311="MQTT-3.3.1-1", wire={"from_subject": editing(Publish, dup=False)},
    )  # fmt: skip
    yield wrong_server(
        "sends_nothing_again", "It forgets what is under way when a connection ends.",
        v5=("MQTT-4.4.0-1", "MQTT-4.3.2-3", "MQTT-4.3.3-3", "MQTT-4.3.3-5", "MQTT-4.8.2-4"),
        v311=("MQTT-4.4.0-1", "MQTT-4.3.2-1", "MQTT-4.3.3-1"), also=("*",), broker={"resume": _resume_empty},
    )  # fmt: skip
    yield wrong_server(
        "sends_again_with_new_identifier", "What it sends again has another identifier.",
        v5="MQTT-4.4.0-1", v311=("MQTT-4.4.0-1", "MQTT-2.3.1-4"), also=("*",),
        wire={"from_subject": each(Publish, _renumbered)},
    )  # fmt: skip
    yield wrong_server(
        "sends_again_at_once", "It sends a message again on the same connection.",
        v5="MQTT-4.4.0-1", also=("*",), wire={"from_subject": each(Publish, _twice)},
    )  # fmt: skip
    yield wrong_server(
        "sends_refused_again", "It sends a message again that the Client has refused.",
        v5="MQTT-4.4.0-2", also=("*",),
        wire={"from_tester": dropping((PubAck, PubRec), lambda packet: packet.reason_code >= 0x80)},
    )  # fmt: skip
    yield wrong_server(
        "sends_publish_behind_pubrel", "It sends a PUBLISH again that was answered by PUBREC.",
        v5="MQTT-4.3.3-6", v311="MQTT-4.3.3-1", also=("*",), wire={"from_subject": _publish_for_pubrel},
    )  # fmt: skip
    yield wrong_server(
        "drops_expired_under_way", "It gives up a message at QoS 2 under way that has expired.",
        v5="MQTT-4.3.3-7", broker={"resume": _resume_without_expiring},
    )  # fmt: skip
    yield wrong_server(
        "keeps_no_messages", "It keeps no message for a Client that is away.",
        v5="MQTT-4.5.0-1", v311=("MQTT-3.1.2-5", "MQTT-4.5.0-1"), also=("*",), member={"put": _put_connected},
    )  # fmt: skip


def _resume_empty(self: Broker, member: Member, version: ProtocolVersion) -> None:
    member.session = Session()
    Broker.resume(self, member, version)


def _resume_without_expiring(self: Broker, member: Member, version: ProtocolVersion) -> None:
    outgoing = member.session.outgoing
    for packet_id in range(1, 100):
        exchange = outgoing.get(packet_id)
        publish = None if exchange is None else exchange.publish
        if publish is not None and "message_expiry_interval" in publish.properties:
            outgoing.end(packet_id)
    Broker.resume(self, member, version)


def _renumbered(packet: Publish) -> Publish:
    return replace(packet, packet_id=(packet.packet_id or 0) + 500) if packet.dup else packet


def _twice(packet: Publish) -> tuple[Publish, ...]:
    return (packet, replace(packet, dup=True)) if packet.qos and not packet.dup else (packet,)


def _publish_for_pubrel(tamper: Any, packet: Item) -> Iterable[Item]:
    """On a connection that resumes, PUBREL comes back as the PUBLISH."""
    if isinstance(packet, ConnAck):
        tamper.is_resumed = packet.session_present
    if isinstance(packet, PubRel) and getattr(tamper, "is_resumed", False):
        return (Publish("again", b"again", 2, False, True, packet.packet_id),)  # type: ignore[arg-type]
    return (packet,)


def _put_connected(self: Member, waiting: Any) -> None:
    if self.link is not None:
        Member.put(self, waiting)


def _order() -> Iterator[Wrong]:
    yield wrong_server(
        "turns_messages_round", "It sends each second message before the one that it should follow.",
        v5=("MQTT-4.6.0-5", "MQTT-4.6.0-6"), v311=("MQTT-4.6.0-5", "MQTT-4.6.0-6"), also=("*",),
        wire={"from_subject": _swapped},
    )  # fmt: skip
    yield wrong_server(
        "sends_again_in_wrong_order", "It sends messages again with the last one first.",
        v311="MQTT-4.6.0-6", also=("*",), broker={"resume": _resume_turned},
    )  # fmt: skip


def _swapped(tamper: Any, packet: Item) -> Iterable[Item]:
    """A message waits until the next packet has gone."""
    held: list[Item] = tamper.__dict__.setdefault("waits", [])
    if isinstance(packet, Publish) and not held:
        held.append(packet)
        return ()
    out = [packet, *held]
    held.clear()
    return out


def _resume_turned(self: Broker, member: Member, version: ProtocolVersion) -> None:
    outgoing = member.session.outgoing
    exchanges = outgoing._exchanges
    outgoing._exchanges = dict(reversed(exchanges.items()))
    Broker.resume(self, member, version)


def _quota() -> Iterator[Wrong]:
    yield wrong_server(
        "knows_no_receive_maximum", "It sends more messages at once than the Client takes.",
        v5=("MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2"), also=("*",),
        wire={"from_tester": offering(receive_maximum=None)},
    )  # fmt: skip
    yield wrong_server(
        "holds_everything_back", "Where no more messages may be sent it sends nothing at all.",
        v5=("MQTT-3.3.4-10", "MQTT-4.9.0-3"), also=("*",),
        wire={"from_tester": _count_in, "from_subject": _hold_back},
    )  # fmt: skip


def _count_in(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Connect):
        tamper.most = packet.properties.get("receive_maximum", 65_535)
        tamper.sent = 0
    if isinstance(packet, PubAck | PubComp):
        tamper.sent -= 1
    return (packet,)


def _hold_back(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.qos:
        tamper.sent += 1
    is_full = getattr(tamper, "sent", 0) >= getattr(tamper, "most", 65_535)
    return () if is_full and not isinstance(packet, Publish | PubRel) else (packet,)
