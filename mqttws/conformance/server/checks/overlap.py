"""3.3.4 Messages that match several subscriptions of one Client, and Subscription Identifiers."""

from __future__ import annotations

from mqttws.codec import Publish
from mqttws.conformance.server.deliveries import publishes, unsubscribe
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed


async def _copies(probe: ServerProbe, peer: Connected, topic: str, payload: bytes, qos: int = 1) -> list[Publish]:
    """All copies of one message that come to a Client: what comes before a second message and before a PINGRESP."""
    publisher = await probe.connect()
    await probe.publish(publisher, topic, payload, qos)
    before = await probe.fresh_message(peer, topic, publisher, qos)
    late = await peer.fence()
    for found in publishes(late):
        await probe.acknowledge(peer, found)
    copies = [found for found in publishes([*before, *late], topic) if found.payload == payload]
    if not copies:
        raise Failed("the message behind it has come, but not this one")
    return copies


def _identifiers(publish: Publish) -> list[int]:
    return sorted(publish.properties.get("subscription_identifier", []))


@server_check(v5="MQTT-3.3.4-2", v311="MQTT-3.3.5-1", needs=("wildcard", "qos1"))
async def lower_qos_of_two(probe: ServerProbe) -> None:
    """Of two subscriptions that match, the one with the higher QoS decides, be it the newer one or not."""
    for first, second in ((1, 0), (0, 1)):
        topic, peer = probe.topic("one"), await probe.connect()
        parent = topic.rpartition("/")[0]
        granted = [
            int((await probe.subscribe(peer, topic_filter, qos)).reason_codes[0])
            for topic_filter, qos in ((topic, first), (f"{parent}/+", second))
        ]
        came = sorted(copy.qos for copy in await _copies(probe, peer, topic, b"overlap"))
        if came[-1] != max(granted):
            raise Failed(f"QoS {granted} was granted, and the best copy comes at QoS {came[-1]:d}")
        if len(came) > len(granted):
            raise Failed(f"{len(came)} copies came for {len(granted)} subscriptions")


@server_check(v5="MQTT-3.3.4-2", v311="MQTT-3.3.5-1", needs=("wildcard", "qos2"))
async def more_copies_than_subscriptions(probe: ServerProbe) -> None:
    """Three subscriptions that match bring three copies at most, the best of them at QoS 2, and none above its QoS."""
    topic, peer = probe.topic("one"), await probe.connect()
    parent = topic.rpartition("/")[0]
    granted = [
        int((await probe.subscribe(peer, topic_filter, qos)).reason_codes[0])
        for topic_filter, qos in ((f"{parent}/#", 0), (topic, 2), (f"{parent}/+", 1))
    ]
    came = sorted(copy.qos for copy in await _copies(probe, peer, topic, b"overlap", qos=2))
    if came[-1] != max(granted):
        raise Failed(f"QoS {granted} was granted, and the best copy comes at QoS {came[-1]:d}")
    if len(came) > len(granted) or (len(came) > 1 and any(qos not in granted for qos in came)):
        raise Failed(f"QoS {granted} was granted, and copies came at {[int(qos) for qos in came]}")


@server_check(v5=("MQTT-3.3.4-3", "MQTT-3.3.4-4"), needs=("subscription_identifier", "qos1"))
async def identifier_lost(probe: ServerProbe) -> None:
    """A message brings the Subscription Identifier of the subscription that caused it, and none where it has none."""
    peer = await probe.connect()
    for identifier in (1, 127, 128, 268_435_455, None):
        topic = probe.topic()
        await probe.subscribe(peer, topic, identifier=identifier)
        expected = [] if identifier is None else [identifier]
        for copy in await _copies(probe, peer, topic, b"x"):
            if (found := _identifiers(copy)) != expected:
                raise Failed(f"the subscription has {expected}, the message {found}")


@server_check(v5=("MQTT-3.3.4-3", "MQTT-3.8.4-3"), needs=("subscription_identifier", "qos1"))
async def identifier_not_replaced(probe: ServerProbe) -> None:
    """Subscribing again gives the subscription its new identifier, or takes it away."""
    peer, topic = await probe.connect(), probe.topic()
    for identifier in (5, 6, None):
        await probe.subscribe(peer, topic, identifier=identifier)
        expected = [] if identifier is None else [identifier]
        for copy in await _copies(probe, peer, topic, b"x"):
            if (found := _identifiers(copy)) != expected:
                raise Failed(f"the subscription has {expected} now, the message {found}")


@server_check(
    v5=("MQTT-3.3.4-3", "MQTT-3.3.4-4", "MQTT-3.3.4-5"), needs=("subscription_identifier", "wildcard", "qos1")
)
async def identifiers_of_overlap(probe: ServerProbe) -> None:
    """One copy for two subscriptions brings both identifiers; two copies bring one each."""
    topic, peer = probe.topic("one"), await probe.connect()
    await probe.subscribe(peer, topic, identifier=11)
    await probe.subscribe(peer, f"{topic.rpartition('/')[0]}/+", identifier=22)
    came = sorted(_identifiers(copy) for copy in await _copies(probe, peer, topic, b"overlap"))
    if came not in ([[11, 22]], [[11], [22]]):
        raise Failed(f"the subscriptions have 11 and 22, the copies bring {came}")


@server_check(v5=("MQTT-3.3.4-4", "MQTT-3.3.4-5"), needs=("subscription_identifier", "wildcard", "qos1"))
async def identifier_of_unmarked(probe: ServerProbe) -> None:
    """Where one of two matching subscriptions has an identifier, it comes once, and nothing else with it."""
    topic, peer = probe.topic("one"), await probe.connect()
    await probe.subscribe(peer, topic)
    await probe.subscribe(peer, f"{topic.rpartition('/')[0]}/+", identifier=22)
    came = sorted(_identifiers(copy) for copy in await _copies(probe, peer, topic, b"overlap"))
    if came not in ([[22]], [[], [22]]):
        raise Failed(f"one subscription has 22, the other none, and the copies bring {came}")


@server_check(v5=("MQTT-3.3.4-4", "MQTT-3.3.4-3"), needs=("subscription_identifier", "wildcard", "qos1"))
async def identifier_of_dead_subscription(probe: ServerProbe) -> None:
    """The identifier of a subscription that was taken back does not come any more."""
    topic, peer = probe.topic("one"), await probe.connect()
    await probe.subscribe(peer, topic, identifier=11)
    await probe.subscribe(peer, f"{topic.rpartition('/')[0]}/+", identifier=22)
    await unsubscribe(peer, topic)
    came = [_identifiers(copy) for copy in await _copies(probe, peer, topic, b"x")]
    if came != [[22]]:
        raise Failed(f"the subscription that is left has 22, and what comes brings {came}")
