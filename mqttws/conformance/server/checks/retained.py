"""3.3.1.3 RETAIN: what becomes the retained message of a topic, who gets it, and with which flag."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mqttws.codec import Publish
from mqttws.conformance.server.deliveries import nothing_but, publishes, subscriber
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, Outcome
from mqttws.vocabulary import QOS, RetainHandling


class _Retaining:
    """A topic of its own, a Client that publishes there, and one that sees when the Server has dealt with it."""

    def __init__(self, probe: ServerProbe, topic: str, publisher: Connected, witness: Connected) -> None:
        self.topic, self.publisher = topic, publisher
        self._probe, self._witness = probe, witness

    async def put(self, payload: bytes, qos: int = 1, *, retain: bool = True) -> None:
        """Publish, and wait for a message behind it to arrive: a PUBACK does not say that this one was handed on."""
        await self._probe.publish(self.publisher, self.topic, payload, qos, retain=retain)
        await self._probe.fresh_message(self._witness, f"{self.topic}/mark", self.publisher)


@asynccontextmanager
async def _retaining(probe: ServerProbe) -> AsyncIterator[_Retaining]:
    """The topic has no retained message any more when the block is left."""
    topic, publisher = probe.topic(), await probe.connect()
    try:
        yield _Retaining(probe, topic, publisher, await subscriber(probe, f"{topic}/mark"))
    finally:
        with suppress(Outcome):
            await publisher.send(Publish(topic, b"", QOS[0], retain=True))
            await publisher.fence()


async def _kept(probe: ServerProbe, topic: str, expected: bytes, qos: int = 1) -> Publish:
    """What a new subscriber is sent at once. Raises :class:`Failed` unless it is this payload."""
    peer = await subscriber(probe, topic, qos)
    found = await probe.message(peer, topic)
    if found.payload != expected:
        raise Failed(f"a new subscriber gets {found.payload!r}; the last retained message was {expected!r}")
    return found


@server_check(v5="MQTT-3.3.1-5", v311=("MQTT-3.3.1-5", "MQTT-3.3.1-6"), needs=("retain", "qos1"))
async def not_retained(probe: ServerProbe) -> None:
    """A message published with RETAIN set comes to whoever subscribes later."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        await _kept(probe, at.topic, b"kept")


@server_check(v5="MQTT-3.3.1-5", v311=("MQTT-3.3.1-5", "MQTT-3.3.1-6"), needs=("retain", "qos1"))
async def not_replaced(probe: ServerProbe) -> None:
    """Each retained message replaces the one before; a later subscriber gets the last one alone."""
    async with _retaining(probe) as at:
        for payload in (b"first", b"second", b"third"):
            await at.put(payload)
        peer = await subscriber(probe, at.topic)
        if (found := await probe.message(peer, at.topic)).payload != b"third":
            raise Failed(f"a new subscriber gets {found.payload!r}; the last retained message was b'third'")
        await nothing_but(probe, peer, at.topic, at.publisher, "a new subscriber gets more than one retained message")


@server_check(v5="MQTT-3.3.1-5", v311="MQTT-3.3.1-7", needs=("retain", "qos1"))
async def not_displaced_by_qos0(probe: ServerProbe) -> None:
    """A retained message of QoS 0 displaces an earlier one of QoS 1."""
    async with _retaining(probe) as at:
        await at.put(b"earlier", 1)
        await at.put(b"later", 0)
        peer = await subscriber(probe, at.topic)
        before = await probe.fresh_message(peer, at.topic, at.publisher)
        if any(found.payload == b"earlier" for found in publishes([*before, *await peer.fence()])):
            raise Failed("a new subscriber gets the earlier message")


@server_check(v5=("MQTT-3.3.1-5", "MQTT-3.8.4-8"), v311=("MQTT-3.3.1-5", "MQTT-3.8.4-6"), needs=("retain", "qos1"))
async def retained_qos_lost(probe: ServerProbe) -> None:
    """A message that was retained with QoS 1 comes at QoS 1 to who was granted that."""
    async with _retaining(probe) as at:
        await at.put(b"kept", 1)
        peer = await probe.connect()
        granted = (await probe.subscribe(peer, at.topic, 1)).reason_codes[0]
        found = await probe.message(peer, at.topic)
        if found.qos != granted:
            raise Failed(f"it comes at QoS {found.qos:d}, though QoS {granted} was granted")


@server_check(v5="MQTT-3.3.1-6", v311="MQTT-3.3.1-10", needs=("retain", "qos1"))
async def not_deleted(probe: ServerProbe) -> None:
    """An empty retained message deletes the one that is kept: who subscribes later gets nothing."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        await at.put(b"")
        peer = await subscriber(probe, at.topic)
        await nothing_but(probe, peer, at.topic, at.publisher, "the retained message is there still")


@server_check(v5="MQTT-3.3.1-6", v311="MQTT-3.3.1-10", needs=("retain", "qos1"))
async def deletion_not_delivered(probe: ServerProbe) -> None:
    """An empty retained message comes to subscribers as any other message does."""
    async with _retaining(probe) as at:
        peer = await subscriber(probe, at.topic)
        await at.put(b"")
        before = await probe.fresh_message(peer, at.topic, at.publisher)
        if not any(found.payload == b"" for found in publishes(before)):
            raise Failed("a subscriber gets the message behind it, but not the empty one")


@server_check(v5="MQTT-3.3.1-7", v311="MQTT-3.3.1-11", needs=("retain", "qos1"))
async def empty_retained(probe: ServerProbe) -> None:
    """An empty message is never retained itself, whatever its QoS."""
    async with _retaining(probe) as at:
        for qos in (0, 1):
            await at.put(b"", qos)
        peer = await subscriber(probe, at.topic)
        await nothing_but(probe, peer, at.topic, at.publisher, "a new subscriber gets an empty retained message")


@server_check(v5="MQTT-3.3.1-8", v311="MQTT-3.3.1-12", needs=("retain", "qos1"))
async def retained_without_flag(probe: ServerProbe) -> None:
    """A message with RETAIN clear is not kept."""
    async with _retaining(probe) as at:
        await at.put(b"passing", retain=False)
        peer = await subscriber(probe, at.topic)
        await nothing_but(probe, peer, at.topic, at.publisher, "a new subscriber gets a message that was not retained")


@server_check(v5="MQTT-3.3.1-8", v311="MQTT-3.3.1-12", needs=("retain", "qos1"))
async def replaced_without_flag(probe: ServerProbe) -> None:
    """A message with RETAIN clear, empty or not, leaves the retained one of its topic as it is."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        await at.put(b"passing", retain=False)
        await at.put(b"", retain=False)
        await _kept(probe, at.topic, b"kept")


@server_check(v5="MQTT 5.0, 3.3.1.3", v311=("MQTT-3.3.1-8", "MQTT-3.3.1-6"), needs=("retain", "qos1"))
async def flag_clear_on_kept(probe: ServerProbe) -> None:
    """A retained message that is sent because of a new subscription has RETAIN set."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        if not (await _kept(probe, at.topic, b"kept")).retain:
            raise Failed("RETAIN is clear")


@server_check(v5="MQTT-3.3.1-12", v311="MQTT-3.3.1-9", needs=("retain", "qos1"))
async def flag_passed_on(probe: ServerProbe) -> None:
    """A message for a subscription that exists has RETAIN clear, unless Retain As Published asks for it."""
    async with _retaining(probe) as at:
        peer = await subscriber(probe, at.topic)
        await at.put(b"live")
        if (await probe.message(peer, at.topic)).retain:
            raise Failed("RETAIN is set")


@server_check(v5="MQTT-3.3.1-13", needs=("retain", "qos1"))
async def flag_not_passed_on(probe: ServerProbe) -> None:
    """With Retain As Published the flag comes as the publisher has set it, set or clear."""
    async with _retaining(probe) as at:
        peer = await subscriber(probe, at.topic, retain_as_published=True)
        for retain in (True, False):
            await at.put(b"live", retain=retain)
            if (await probe.message(peer, at.topic)).retain is not retain:
                raise Failed(f"RETAIN was {retain:d} and comes as {not retain:d}")


@server_check(v311="MQTT-3.1.2-7", v5="MQTT 5.0, 4.1", needs=("retain", "qos1"))
async def retained_ends_with_session(probe: ServerProbe) -> None:
    """A retained message outlives the Session of its publisher."""
    async with _retaining(probe) as at:
        passing = await probe.connect()
        await probe.publish(passing, at.topic, b"kept", retain=True)
        await passing.send(b"\xe0\x00")
        await passing.close()
        await _kept(probe, at.topic, b"kept")


@server_check(v5="MQTT-3.3.1-9", v311="MQTT-3.3.1-6", needs=("retain", "qos1"))
async def not_sent_again(probe: ServerProbe) -> None:
    """Each SUBSCRIBE is followed by the retained message, one to a filter that is subscribed to already, too."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        peer = await probe.connect()
        for _ in range(3):
            await probe.subscribe(peer, at.topic, retain_handling=RetainHandling.SEND)
            if (await probe.message(peer, at.topic)).payload != b"kept":
                raise Failed("something else came than the retained message")


@server_check(v5="MQTT-3.3.1-10", needs=("retain", "qos1"))
async def sent_to_existing(probe: ServerProbe) -> None:
    """With Retain Handling 1 a new subscription gets the retained message, one that exists does not again."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        peer = await probe.connect()
        await probe.subscribe(peer, at.topic, retain_handling=RetainHandling.SEND_IF_NEW)
        if (await probe.message(peer, at.topic)).payload != b"kept":
            raise Failed("something else came than the retained message")
        await probe.subscribe(peer, at.topic, retain_handling=RetainHandling.SEND_IF_NEW)
        await nothing_but(probe, peer, at.topic, at.publisher, "the second SUBSCRIBE brings the retained message again")


@server_check(v5="MQTT-3.3.1-11", needs=("retain", "qos1"))
async def sent_unwanted(probe: ServerProbe) -> None:
    """With Retain Handling 2 a SUBSCRIBE brings no retained message."""
    async with _retaining(probe) as at:
        await at.put(b"kept")
        peer = await subscriber(probe, at.topic, retain_handling=RetainHandling.DO_NOT_SEND)
        await nothing_but(probe, peer, at.topic, at.publisher, "the retained message comes")
