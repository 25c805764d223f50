"""Wrong Clients: the exchanges of QoS 1 and 2, what is sent again, and order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import (
    ConnAck,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)
from mqttws.conformance.wrong.entry import Wrong, wrong_client
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.wire_faults import Method, dropping, each, editing

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _messages()
    yield from _incoming()
    yield from _outgoing()
    yield from _again()
    yield from _order()


def _messages() -> Iterator[Wrong]:
    yield wrong_client(
        "changes_payload", "It publishes another payload than it is told.",
        v5=("MQTT-4.3.2-2", "MQTT-4.3.3-2", "MQTT-4.3.1-1"), v311=("MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-4.3.1-1"),
        also=("*",), from_subject=editing(Publish, payload=lambda data: data + b"x"),
    )  # fmt: skip
    yield wrong_client(
        "sends_first_with_dup", "It sets DUP in a message that it sends for the first time.",
        v5=("MQTT-4.3.2-2", "MQTT-4.3.3-2"), v311=("MQTT-4.3.2-1", "MQTT-4.3.3-1"), also=("*",),
        from_subject=each(Publish, lambda one: replace(one, dup=True) if one.qos else one),
    )  # fmt: skip
    yield wrong_client(
        "lowers_qos", "It publishes at QoS 0 whatever it is told.",
        v5=("MQTT-4.3.2-2", "MQTT-4.3.3-2"), v311=("MQTT-4.3.2-1", "MQTT-4.3.3-1"), also=("*",),
        from_subject=editing(Publish, qos=0, packet_id=None),
    )  # fmt: skip
    yield wrong_client(
        "delivers_other_payloads", "What reaches the application is not what has come.",
        v5=("MQTT-4.3.2-4", "MQTT-4.3.3-8"), v311=("MQTT-4.3.2-2", "MQTT-4.3.3-2"), also=("*",),
        from_tester=editing(Publish, payload=lambda data: data + b"x"),
    )  # fmt: skip
    yield wrong_client(
        "uses_one_identifier", "All that it sends has one Packet Identifier.",
        v5=("MQTT-2.2.1-3", "MQTT-4.3.2-1", "MQTT-4.3.3-1"), v311=("MQTT-2.3.1-2", "MQTT-4.3.2-1", "MQTT-4.3.3-1"),
        also=("*",), from_subject=_one_id_out, from_tester=_one_id_in,
    )  # fmt: skip


def _one_id_out(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish | PubRel | Subscribe | Unsubscribe) and packet.packet_id is not None:
        if not isinstance(packet, PubRel):
            tamper.__dict__.setdefault("ids", []).append(packet.packet_id)
        return (replace(packet, packet_id=1),)
    return (packet,)


def _one_id_in(tamper: Any, packet: Item) -> Iterable[Item]:
    ids = tamper.__dict__.get("ids", [])
    if isinstance(packet, PubAck | PubComp | PubRec | SubAck | UnsubAck) and ids:
        oldest = ids[0]
        if not isinstance(packet, PubRec):
            ids.pop(0)
        return (replace(packet, packet_id=oldest),)
    return (packet,)


def _incoming() -> Iterator[Wrong]:
    yield wrong_client(
        "drops_new_with_dup", "It takes each PUBLISH with DUP at QoS 1 for one that it has.",
        v5="MQTT-4.3.2-5", v311="MQTT-4.3.2-2", also=("*",), from_tester=_drop_dup,
    )  # fmt: skip
    yield wrong_client(
        "remembers_qos_2", "It takes a new message at QoS 2 for an old one with that identifier.",
        v5="MQTT-4.3.3-12", v311="MQTT-4.3.3-2", also=("*",), from_tester=_drop_completed,
    )  # fmt: skip
    yield wrong_client(
        "delivers_repeated", "It delivers a message at QoS 2 again that is sent again before its PUBREL.",
        v5="MQTT-4.3.3-10", v311="MQTT-4.3.3-2", also=("*",), from_tester=_repeated_as_new(here=True),
        from_subject=_numbered_back,
    )  # fmt: skip
    yield wrong_client(
        "forgets_received", "It delivers a message again that it has received on an earlier connection.",
        v5=("MQTT-4.1.0-1", "MQTT-3.1.2-23"), v311=("MQTT-4.1.0-1", "MQTT-4.1.0-2", "MQTT-3.1.2-4"), also=("*",),
        from_tester=_repeated_as_new(here=False), from_subject=_numbered_back,
    )  # fmt: skip
    yield wrong_client(
        "loses_second_of_two", "It loses a message at QoS 2 that comes while another one is under way.",
        v5="MQTT-4.3.3-8", v311="MQTT-4.3.3-2", also=("*",), from_tester=_drop_second,
    )  # fmt: skip
    yield wrong_client(
        "answers_no_late_pubrel", "It does not answer a PUBREL whose message it does not know.",
        v5="MQTT-4.3.3-11", v311="MQTT-4.3.3-2", also=("*",), from_tester=_drop_late_pubrel,
    )  # fmt: skip
    yield wrong_client(
        "gives_up_expiring", "It ends no exchange at QoS 2 of a message that can expire.",
        v5="MQTT-4.3.3-13", also=("*",), from_tester=_note_expiring, from_subject=_no_pubcomp_for_expiring,
    )  # fmt: skip


def _drop_dup(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.dup and packet.qos == 1 and packet.packet_id is not None:
        tamper.replies.append(PubAck(packet.packet_id))
        return ()
    return (packet,)


def _drop_completed(tamper: Any, packet: Item) -> Iterable[Item]:
    done = tamper.__dict__.setdefault("done", set())
    if isinstance(packet, PubRel):
        if packet.packet_id in tamper.__dict__.get("dropped", ()):
            tamper.replies.append(PubComp(packet.packet_id))
            return ()
        done.add(packet.packet_id)
    if isinstance(packet, Publish) and packet.packet_id is not None and packet.packet_id in done:
        tamper.__dict__.setdefault("dropped", set()).add(packet.packet_id)
        tamper.replies.append(PubRec(packet.packet_id))
        return ()
    return (packet,)


def _repeated_as_new(*, here: bool) -> Method:
    """A repeated PUBLISH gets another identifier on its way: of one that has come on this connection, or before."""

    def method(tamper: Any, packet: Item) -> Iterable[Item]:
        renamed: dict[int, int] = tamper.__dict__.setdefault("renamed", {})
        seen: set[int] = tamper.__dict__.setdefault("seen", set())
        if isinstance(packet, PubRel):
            seen.discard(packet.packet_id)
            tamper.shared.pop((tamper.version, packet.packet_id), None)
            return (replace(packet, packet_id=renamed.get(packet.packet_id, packet.packet_id)),)
        if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id is not None:
            before = (tamper.version, packet.packet_id) in tamper.shared
            known = packet.packet_id in seen if here else before and packet.packet_id not in seen
            seen.add(packet.packet_id)
            tamper.shared[tamper.version, packet.packet_id] = True
            if known:
                renamed[packet.packet_id] = new = packet.packet_id % 30_000 + 30_001
                return (replace(packet, packet_id=new, dup=False),)
        return (packet,)

    return method


def _numbered_back(tamper: Any, packet: Item) -> Iterable[Item]:
    renamed: dict[int, int] = tamper.__dict__.get("renamed", {})
    if isinstance(packet, PubRec | PubComp):
        known = next((old for old, new in renamed.items() if new == packet.packet_id), packet.packet_id)
        return (replace(packet, packet_id=known),)
    return (packet,)


def _drop_second(tamper: Any, packet: Item) -> Iterable[Item]:
    held, lost = tamper.__dict__.setdefault("held", set()), tamper.__dict__.setdefault("lost", set())
    if isinstance(packet, PubRel):
        held.discard(packet.packet_id)
        if packet.packet_id in lost:
            lost.discard(packet.packet_id)
            tamper.replies.append(PubComp(packet.packet_id))
            return ()
    if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id is not None:
        if held - {packet.packet_id}:
            lost.add(packet.packet_id)
            tamper.replies.append(PubRec(packet.packet_id))
            return ()
        held.add(packet.packet_id)
    return (packet,)


def _drop_late_pubrel(tamper: Any, packet: Item) -> Iterable[Item]:
    here = tamper.__dict__.setdefault("here", set())
    if isinstance(packet, Publish):
        here.add(packet.packet_id)
    return () if isinstance(packet, PubRel) and packet.packet_id not in here else (packet,)


def _note_expiring(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and "message_expiry_interval" in packet.properties:
        tamper.__dict__.setdefault("expiring", set()).add(packet.packet_id)
    return (packet,)


def _no_pubcomp_for_expiring(tamper: Any, packet: Item) -> Iterable[Item]:
    expiring = tamper.__dict__.get("expiring", ())
    return () if isinstance(packet, PubComp) and packet.packet_id in expiring else (packet,)


def _outgoing() -> Iterator[Wrong]:
    yield wrong_client(
        "reuses_identifier_before_pubcomp", "It uses an identifier again before PUBCOMP has come.",
        v5="MQTT-4.3.3-5", v311="MQTT-4.3.3-1", also=("*",), from_subject=_reused,
    )  # fmt: skip
    yield wrong_client(
        "takes_any_puback", "It takes a PUBACK with another identifier for its own.",
        v5="MQTT-4.3.2-3", v311="MQTT-4.3.2-1", also=("*",), from_subject=_note_open, from_tester=_any_puback,
    )  # fmt: skip
    yield wrong_client(
        "takes_success_for_refusal", "It takes PUBREC with 0x10 for a refusal.",
        v5="MQTT-4.3.3-4", from_tester=dropping(PubRec, lambda packet: packet.reason_code == 0x10),
    )  # fmt: skip
    yield wrong_client(
        "releases_refused", "It answers a PUBREC that refuses by PUBREL.",
        v5="MQTT 5.0, 4.3.3", also=("*",), unwise=True,
        from_tester=each(PubRec, lambda packet: replace(packet, reason_code=0)),
    )  # fmt: skip


def _reused(tamper: Any, packet: Item) -> Iterable[Item]:
    released: list[int] = tamper.__dict__.setdefault("released", [])
    if isinstance(packet, PubRel):
        released.append(packet.packet_id)
    if isinstance(packet, Publish) and packet.qos and released:
        return (replace(packet, packet_id=released[0]),)
    return (packet,)


def _note_open(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.qos == 1:
        tamper.open = packet.packet_id
    return (packet,)


def _any_puback(tamper: Any, packet: Item) -> Iterable[Item]:
    is_open = getattr(tamper, "open", None)
    return (replace(packet, packet_id=is_open),) if isinstance(packet, PubAck) and is_open else (packet,)


def _again() -> Iterator[Wrong]:
    yield wrong_client(
        "sends_again_without_dup", "It sends messages again without DUP.",
        v5="MQTT-3.3.1-1", v311="MQTT-3.3.1-1", from_subject=editing(Publish, dup=False),
    )  # fmt: skip
    yield wrong_client(
        "sends_nothing_again", "It sends nothing again when it comes back.",
        v5=("MQTT-4.4.0-1", "MQTT-4.3.2-3", "MQTT-4.3.3-3", "MQTT-4.3.3-5"),
        v311=("MQTT-4.4.0-1", "MQTT-4.3.2-1", "MQTT-4.3.3-1"), also=("*",),
        from_subject=_nothing_again, from_tester=_note_pubrec,
    )  # fmt: skip
    yield wrong_client(
        "sends_again_with_new_identifier", "What it sends again has another identifier.",
        v5="MQTT-4.4.0-1", v311=("MQTT-4.4.0-1", "MQTT-2.3.1-3"), also=("*",),
        from_subject=each(Publish, lambda one: replace(one, packet_id=one.packet_id + 500) if one.dup else one),
    )  # fmt: skip
    yield wrong_client(
        "publishes_behind_pubrel", "It sends a PUBLISH again that was answered by PUBREC.",
        v5="MQTT-4.3.3-6", v311="MQTT-4.3.3-1", also=("*",), from_tester=_note_resumed,
        from_subject=_publish_for_pubrel,
    )  # fmt: skip
    yield wrong_client(
        "sends_acknowledged_again", "It sends messages again that were acknowledged.",
        v5="MQTT-4.4.0-2", v311="MQTT-4.3.2-1", also=("*",), from_subject=_keep_message, from_tester=_send_kept,
    )  # fmt: skip
    yield wrong_client(
        "drops_expiring_under_way", "It does not send a message at QoS 2 again that can expire.",
        v5="MQTT-4.3.3-7", also=("*",), from_subject=each(Publish, _without_expiring),
    )  # fmt: skip


def _note_pubrec(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubRec):
        tamper.__dict__.setdefault("received", set()).add(packet.packet_id)
    return (packet,)


def _nothing_again(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.dup:
        return ()
    is_late = isinstance(packet, PubRel) and packet.packet_id not in tamper.__dict__.get("received", ())
    return () if is_late else (packet,)


def _note_resumed(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, ConnAck):
        tamper.is_resumed = packet.session_present
    return (packet,)


def _publish_for_pubrel(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubRel) and getattr(tamper, "is_resumed", False):
        return (Publish("again", b"again", 2, False, True, packet.packet_id),)  # type: ignore[arg-type]
    return (packet,)


def _keep_message(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.qos:
        tamper.shared["kept"] = packet
    return (packet,)


def _send_kept(tamper: Any, packet: Item) -> Iterable[Item]:
    kept = tamper.shared.get("kept")
    if isinstance(packet, ConnAck) and packet.session_present and kept is not None:
        tamper.replies.append(replace(kept, dup=True))
    return (packet,)


def _without_expiring(packet: Publish) -> Publish | None:
    return None if packet.dup and packet.qos == 2 and "message_expiry_interval" in packet.properties else packet


def _order() -> Iterator[Wrong]:
    for kind, v5 in ((PubAck, "MQTT-4.6.0-2"), (PubRec, "MQTT-4.6.0-3"), (PubRel, "MQTT-4.6.0-4")):
        name = kind.packet_type.name
        yield wrong_client(
            f"turns_{name.lower()}s_round", f"Its {name}s go out in another order.", v5=v5, v311=v5, also=("*",),
            from_subject=_swapping(kind),
        )  # fmt: skip
    yield wrong_client(
        "sends_again_out_of_order", "It sends messages again in another order.",
        v5="MQTT-4.6.0-1", v311="MQTT-4.6.0-1", also=("*",),
        from_subject=_swapping(Publish, lambda packet: bool(packet.dup)),
    )  # fmt: skip


def _swapping(kind: type[Any], where: Callable[[Any], bool] = bool) -> Method:
    """One of a kind waits until the next has gone."""

    def method(tamper: Any, packet: Item) -> Iterable[Item]:
        held: list[Item] = tamper.__dict__.setdefault("waits", [])
        if not isinstance(packet, kind) or not where(packet):
            return (packet,)
        if not held:
            held.append(packet)
            return ()
        out = [packet, *held]
        held.clear()
        return out

    return method
