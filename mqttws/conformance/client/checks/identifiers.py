"""Chapter 2: Packet Identifiers of a Client, and what is in flight at a time."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import PubAck, PubComp, Publish, PubRec, PubRel, Subscribe, UnsubAck, Unsubscribe
from mqttws.conformance.client.convention import Unsubscribed
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed

__all__: list[str] = []

#: What is begun at a time; no Client has to wait for acknowledgements before.
_AT_ONCE: Final = 3


@client_check(
    v5=("MQTT-2.2.1-3", "MQTT-4.3.2-1", "MQTT-4.3.3-1"), v311=("MQTT-2.3.1-2", "MQTT-2.3.1-1", "MQTT-2.3.1-3")
)
async def uses_an_identifier_twice(probe: ClientProbe) -> None:
    """Identifiers of what is in flight are all different, and above 0, until each is acknowledged."""
    await probe.needs_program()
    visit = await probe.connect()
    open_ids: dict[int, str] = {}
    for number in range(_AT_ONCE):
        await _begin(probe, visit, open_ids, 1 + number % 2)
    await probe.task("subscribe", topic_filter=probe.name(), qos=0)
    subscribe = await probe.sent(visit, Subscribe, "subscribe")
    _take(open_ids, subscribe.packet_id, "SUBSCRIBE")
    # one is acknowledged to the end, one half of the way; the others stay as they are
    first, second = [packet_id for packet_id, what in open_ids.items() if what.startswith("PUBLISH")][:2]
    await visit.send(PubAck(first), PubRec(second))
    del open_ids[first]
    await visit.expect(PubRel, where=lambda found: found.packet_id == second)
    for _ in range(_AT_ONCE):
        await _begin(probe, visit, open_ids, 1)
    await visit.send(PubComp(second))


async def _begin(probe: ClientProbe, visit: Visit, open_ids: dict[int, str], qos: int) -> None:
    publish: Publish = await probe.publish(visit, qos=qos)
    _take(open_ids, publish.packet_id, f"PUBLISH at QoS {qos}")


def _take(open_ids: dict[int, str], packet_id: int | None, what: str) -> None:
    if not packet_id:
        raise Failed(f"{what} has no identifier above 0")
    if packet_id in open_ids:
        raise Failed(f"{what} has the identifier {packet_id}, which {open_ids[packet_id]} has at the time")
    open_ids[packet_id] = what


@client_check(v5=("MQTT-2.2.1-3", "MQTT-3.10.3-1"), v311=("MQTT-2.3.1-1", "MQTT-3.10.3-1"))
async def unsubscribes_from_something_else(probe: ClientProbe) -> None:
    """UNSUBSCRIBE names the filter that it was asked for, has an identifier, and is over with its UNSUBACK."""
    visit = await probe.talk()
    await probe.task("unsubscribe", topic_filter=visit.topic)
    unsubscribe = await probe.sent(visit, Unsubscribe, "unsubscribe")
    if unsubscribe.topic_filters != [visit.topic]:
        raise Failed(f"it unsubscribes from {unsubscribe.topic_filters!r}, not {visit.topic!r}")
    if not unsubscribe.packet_id:
        raise Failed("UNSUBSCRIBE has no identifier above 0")
    await visit.send(UnsubAck(unsubscribe.packet_id, [0] if probe.is_v5 else []))
    if await probe.tells():
        await probe.event(Unsubscribed)
    await probe.before(visit)


@client_check(v5=("MQTT-3.8.3-2", "MQTT-3.8.1-1"), v311=("MQTT-3.8.3-3", "MQTT-3.8.1-1"))
async def subscribes_otherwise(probe: ClientProbe) -> None:
    """SUBSCRIBE has the filter, the QoS and the options that it was asked for."""
    await probe.needs_program()
    for qos in (0, 1, 2):
        visit = await probe.connect()
        options: Any = {"no_local": True, "retain_as_published": True, "retain_handling": 2} if probe.is_v5 else {}
        wanted = f"mqttws/{probe.name()}/+/#"
        (found,) = (await probe.subscribe(visit, wanted, qos, **options)).subscriptions
        if found.topic_filter != wanted:
            raise Failed(f"the filter is {found.topic_filter!r}, not {wanted!r}")
        if found.qos != qos:
            raise Failed(f"the QoS is {int(found.qos)}, not {qos}")
        for name, value in options.items():
            if getattr(found, name) != value:
                raise Failed(f"{name} is {getattr(found, name)!r}, not {value!r}")
        await probe.close()
