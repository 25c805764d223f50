"""4.7 Topic Names and Topic Filters: which match, which are told apart, which are none."""

from __future__ import annotations

from mqttws.codec import PubAck, Publish, Subscription
from mqttws.conformance.server.deliveries import (
    absent,
    answer_to,
    is_granted,
    publishes,
    refused_filter,
    subscribe_answer,
    subscriber,
)
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotTested
from mqttws.vocabulary import QOS


async def _dollar(probe: ServerProbe) -> tuple[str, str, str]:
    """A topic, the same below a first level that begins with $, and what is below the first level.

    Raises :class:`NotTested` if the second one leads nowhere.
    """
    topic = probe.topic()
    first, _, rest = topic.partition("/")
    dollar = f"${first}/{rest}"
    peer = await probe.connect()
    answer = await subscribe_answer(peer, Subscription(dollar, QOS[1]))
    publisher = await probe.connect()
    published = await answer_to(publisher, Publish(dollar, b"x", QOS[1], packet_id=1))
    if answer is None or answer.reason_codes[0] >= 0x80 or not isinstance(published, PubAck) or published.reason_code:
        raise NotTested("it takes no messages to topics that begin with $")
    try:
        await probe.message(peer, dollar)
    except Failed:
        raise NotTested("it hands on no messages to topics that begin with $") from None
    return topic, dollar, rest


async def _wide(probe: ServerProbe, topic_filter: str, qos: int) -> Connected:
    """A subscriber to more than our own topics, which a Server may have reasons to refuse."""
    peer = await probe.connect()
    if not await is_granted(probe, peer, topic_filter, qos):
        raise NotTested(f"it does not let this Client subscribe to {topic_filter!r}")
    return peer


@server_check(v5="MQTT-4.7.2-1", v311="MQTT-4.7.2-1", needs=("wildcard", "qos1"))
async def dollar_matched_by_plus(probe: ServerProbe) -> None:
    """A filter that begins with + does not match a topic that begins with $, and matches the others."""
    topic, dollar, rest = await _dollar(probe)
    peer, publisher = await _wide(probe, f"+/{rest}", 1), await probe.connect()
    await probe.publish(publisher, dollar)
    await probe.fresh_message(peer, topic, publisher)
    await absent(peer, "a message to a topic with $ comes", dollar)


@server_check(v5="MQTT-4.7.2-1", v311="MQTT-4.7.2-1", needs=("wildcard", "qos1"), alone=True)
async def dollar_matched_by_hash(probe: ServerProbe) -> None:
    """The filter # does not match a topic that begins with $, and matches the others."""
    topic, dollar, _ = await _dollar(probe)
    # At QoS 0, so that messages of others need no answer.
    peer, publisher = await _wide(probe, "#", 0), await probe.connect()
    await probe.publish(publisher, dollar)
    await probe.fresh_message(peer, topic, publisher)
    if strays := [found.topic for found in publishes(peer.arrived) if found.topic.startswith("$")]:
        raise Failed(f"a message to {strays[0]!r} comes")


async def _told_apart(probe: ServerProbe, topic: str, *others: str) -> None:
    """A subscriber of a topic gets what is published there, under that very name, and nothing of the others."""
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    for other in others:
        await probe.publish(publisher, other)
    await probe.fresh_message(peer, topic, publisher)
    if strays := [found.topic for found in publishes([*peer.arrived, *await peer.fence()]) if found.topic != topic]:
        raise Failed(f"a message to {strays[0]!r} came to a subscriber of {topic!r}")


@server_check(v5="MQTT-4.7.3-4", v311="MQTT-4.7.3-4", needs="qos1")
async def topics_normalised(probe: ServerProbe) -> None:
    """Topics are compared character by character: accents put together or not, full width, and case are different."""
    topic = probe.topic()
    await _told_apart(probe, f"{topic}/caf\u00e9", f"{topic}/cafe\u0301", f"{topic}/cafe", f"{topic}/CAF\u00c9")
    await _told_apart(probe, f"{topic}/\uff21b", f"{topic}/Ab", f"{topic}/\uff41b")
    await _told_apart(probe, f"{topic}/stra\u00dfe", f"{topic}/strasse", f"{topic}/STRASSE")


@server_check(v5="MQTT-4.7.3-4", v311="MQTT-4.7.3-4", needs="qos1")
async def topics_tidied(probe: ServerProbe) -> None:
    """Empty levels, dots, blanks and percent signs are part of a topic, and nothing is taken away or decoded."""
    topic = probe.topic()
    await _told_apart(probe, f"{topic}//a", f"{topic}/a", f"{topic}/a/", f"{topic}///a")
    await _told_apart(
        probe, f"{topic}/a", f"{topic}/a/", f"{topic}/./a", f"{topic}/b/../a", f"{topic}/a ", f"{topic}/ a"
    )
    await _told_apart(probe, f"{topic}/a b", f"{topic}/a%20b", f"{topic}/a%2Bb", f"{topic}/a  b")


@server_check(v5=("MQTT-4.7.3-1", "MQTT-4.13.1-1"), v311=("MQTT-4.7.3-1", "MQTT-4.8.0-1"))
async def empty_filter(probe: ServerProbe) -> None:
    """An empty filter is not granted."""
    peer = await probe.connect()
    if await is_granted(probe, peer, ""):
        raise Failed("it grants an empty filter")


@server_check(v5="MQTT-4.7.1-1", v311="MQTT-4.7.1-2", needs="wildcard")
async def hash_inside(probe: ServerProbe) -> None:
    """A filter with # at another place than alone in the last level is no valid one."""
    topic = probe.topic()
    await refused_filter(probe, f"{topic}/a#", f"{topic}/abc")
    await refused_filter(probe, f"{topic}/#/c", f"{topic}/a/c")


@server_check(v5="MQTT-4.7.1-2", v311="MQTT-4.7.1-3", needs="wildcard")
async def plus_inside(probe: ServerProbe) -> None:
    """A filter with + that does not fill a level alone is no valid one."""
    topic = probe.topic()
    await refused_filter(probe, f"{topic}/a+", f"{topic}/abc")
    await refused_filter(probe, f"{topic}/+a/c", f"{topic}/ba/c")


async def _matches(probe: ServerProbe, topic_filter: str, good: list[str], bad: list[str]) -> None:
    """A filter matches these topics, and not those."""
    peer, publisher = await subscriber(probe, topic_filter), await probe.connect()
    for topic in bad:
        await probe.publish(publisher, topic)
    for topic in good:
        await probe.fresh_message(peer, topic, publisher)
    if strays := [found.topic for found in publishes([*peer.arrived, *await _late(peer)]) if found.topic in bad]:
        raise Failed(f"{topic_filter!r} is taken to match {strays[0]!r}")


async def _late(peer: Connected) -> list[Publish]:
    return publishes(await peer.fence())


@server_check(v5="MQTT-3.3.2-3", v311="MQTT-3.3.2-3", needs=("wildcard", "qos1"))
async def plus_over_levels(probe: ServerProbe) -> None:
    """+ stands for exactly one level, which may be empty."""
    topic = probe.topic()
    await _matches(probe, f"{topic}/+", [f"{topic}/a", f"{topic}/"], [topic, f"{topic}/a/b", f"{topic}/a/"])
    await _matches(
        probe, f"{topic}/+/b", [f"{topic}/a/b", f"{topic}//b"], [f"{topic}/b", f"{topic}/a/c/b", f"{topic}/a"]
    )


@server_check(v5="MQTT-3.3.2-3", v311="MQTT-3.3.2-3", needs=("wildcard", "qos1"))
async def hash_beside(probe: ServerProbe) -> None:
    """# stands for any number of levels, none included, and for nothing beside its own branch."""
    topic = probe.topic()
    good = [topic, f"{topic}/", f"{topic}/a", f"{topic}/a/b/c"]
    await _matches(probe, f"{topic}/#", good, [f"{topic}x", topic[:-1], f"{topic}x/a"])
