"""3.3.2.3 PUBLISH Properties: what a Server passes on unchanged, and how long a message may wait."""

from __future__ import annotations

from typing import Any, Final

import trio

from mqttws.codec import Publish, RawPacket
from mqttws.conformance.server.deliveries import come_back, is_taken, lasting, resume, subscriber
from mqttws.conformance.server.hostile import ends_behind_each, leave, text
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.conformance.wire.peer import Sendable

#: How long a message waits in these checks, and how much the Server's clock may differ, in seconds.
_WAIT: Final = 2.5
_ROUNDING: Final = 2
_PAIRS: Final = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("ключ", "значение"), ("a", "0")]


async def _forwarded(probe: ServerProbe, payload: bytes = b"x", **properties: Any) -> Publish:
    """What comes out of a message that is published with these properties."""
    topic = probe.topic()
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    await probe.publish(publisher, topic, payload, **properties)
    return await probe.message(peer, topic)


async def _kept(probe: ServerProbe, name: str, *values: Any, payload: bytes = b"x") -> None:
    """A property comes out with each of these values, and does not come out of nothing."""
    for value in values:
        found = dict((await _forwarded(probe, payload, **{name: value})).properties)
        if found.get(name) != value:
            raise Failed(f"{name} was {value!r} and comes as {found.get(name)!r}")
    found = dict((await _forwarded(probe)).properties)
    if name in found:
        raise Failed(f"{name} comes as {found[name]!r}, though the publisher has set none")


@server_check(v5="MQTT-3.3.2-4", needs="qos1")
async def payload_format_changed(probe: ServerProbe) -> None:
    """The Payload Format Indicator comes to subscribers as it was sent."""
    value = (await _forwarded(probe, b"text", payload_format_indicator=1)).properties.get("payload_format_indicator")
    if value != 1:
        raise Failed(f"it was 1 and comes as {value!r}")
    value = (await _forwarded(probe, b"\xff")).properties.get("payload_format_indicator", 0)
    if value != 0:
        raise Failed("it was not set, which means 0, and comes as 1")


@server_check(v5="MQTT-3.3.2-15", needs="qos1")
async def response_topic_changed(probe: ServerProbe) -> None:
    """The Response Topic comes to subscribers as it was sent."""
    await _kept(probe, "response_topic", probe.topic("answers"), "r")


@server_check(v5="MQTT-3.3.2-16", needs="qos1")
async def correlation_data_changed(probe: ServerProbe) -> None:
    """The Correlation Data come to subscribers as they were sent, of any bytes and length."""
    await _kept(probe, "correlation_data", b"\x00\xff\x80one", bytes(range(256)))


@server_check(v5="MQTT-3.3.2-20", needs="qos1")
async def content_type_changed(probe: ServerProbe) -> None:
    """The Content Type comes to subscribers as it was sent, whether it is a media type or not."""
    await _kept(probe, "content_type", "text/plain; charset=utf-8", "no media type, ÄÖ")


@server_check(v5=("MQTT-3.3.2-17", "MQTT-3.3.2-18"), needs="qos1")
async def user_properties_changed(probe: ServerProbe) -> None:
    """User Properties come to subscribers unchanged, all of them and in their order, same names included."""
    found = (await _forwarded(probe, user_property=_PAIRS)).properties.get("user_property", [])
    if sorted(found) != sorted(_PAIRS):
        raise Failed(f"{_PAIRS} was sent, {found} came")
    if list(found) != _PAIRS:
        raise Failed(f"they come in another order: {found}")


@server_check(v5=("MQTT-3.3.2-17", "MQTT-3.3.2-18", "MQTT-3.3.2-15", "MQTT-3.3.2-16"), needs=("qos1", "session_expiry"))
async def properties_lost_while_waiting(probe: ServerProbe) -> None:
    """Properties are there still when a message has waited for its subscriber to come back."""
    said: dict[str, Any] = {
        "payload_format_indicator": 1,
        "response_topic": probe.topic(),
        "correlation_data": b"\x00\x01",
        "content_type": "text/plain",
        "user_property": _PAIRS,
    }
    topic = probe.topic()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic)
        await leave(peer)
        await probe.publish(await probe.connect(), topic, **said)
        found = dict((await probe.message(await come_back(probe, client_id), topic)).properties)
    if {name: found.get(name) for name in said} != said:
        raise Failed(f"{said} was sent, {found} came")


@server_check(v5=("MQTT-3.3.2-5", "MQTT-4.1.0-1"), needs=("qos1", "session_expiry"))
async def expired_delivered(probe: ServerProbe) -> None:
    """A message whose Message Expiry Interval is over is not sent to a subscriber that comes back later."""
    topic = probe.topic()
    async with lasting(probe) as client_id:
        peer, publisher = await resume(probe, client_id), await probe.connect()
        await probe.subscribe(peer, topic)
        await leave(peer)
        await probe.publish(publisher, topic, b"short", message_expiry_interval=1)
        await probe.publish(publisher, topic, b"long")
        await trio.sleep(1 + _WAIT)
        peer = await come_back(probe, client_id)
        if (found := await probe.message(peer, topic)).payload != b"long":
            raise Failed(f"{found.payload!r} comes {_WAIT:g} s after its time")


@server_check(v5="MQTT-3.3.2-6", needs=("qos1", "session_expiry"))
async def expiry_not_counted_down(probe: ServerProbe) -> None:
    """The Message Expiry Interval of a message that has waited is less by the time it has waited."""
    topic, interval = probe.topic(), 1000
    async with lasting(probe) as client_id:
        peer, publisher = await resume(probe, client_id), await probe.connect()
        await probe.subscribe(peer, topic)
        await leave(peer)
        began = trio.current_time()
        await probe.publish(publisher, topic, message_expiry_interval=interval)
        published = trio.current_time()
        await trio.sleep(_WAIT)
        peer, back = await come_back(probe, client_id), trio.current_time()
        found = (await probe.message(peer, topic)).properties.get("message_expiry_interval")
        most, least = interval - (back - published) + 1, interval - (trio.current_time() - began) - _ROUNDING
    if found is None:
        raise Failed(f"it was {interval} and is not there")
    if not least <= found <= most:
        raise Failed(f"it was {interval}, the message has waited {back - published:.1f} s, and {found} came")


@server_check(v5="MQTT-3.3.2-6", needs="qos1")
async def expiry_lost(probe: ServerProbe) -> None:
    """The Message Expiry Interval of a message that need not wait comes to subscribers."""
    found = (await _forwarded(probe, message_expiry_interval=1000)).properties.get("message_expiry_interval")
    if found is None or not 1000 - _ROUNDING - probe.patience <= found <= 1000:
        raise Failed(f"it was 1000 and comes as {found}")


@server_check(v5=("MQTT-3.3.2-5", "MQTT 5.0, 3.3.1.3"), needs=("retain", "qos1"))
async def expired_retained_delivered(probe: ServerProbe) -> None:
    """A retained message whose Message Expiry Interval is over is not sent to who subscribes later."""
    topic, publisher = probe.topic(), await probe.connect()
    await probe.publish(publisher, topic, b"short", retain=True, message_expiry_interval=1)
    await trio.sleep(1 + _WAIT)
    peer = await subscriber(probe, topic)
    before = await probe.fresh_message(peer, topic, publisher)
    await probe.publish(publisher, topic, b"", retain=True)
    if before:
        raise Failed(f"it comes {_WAIT:g} s after its time")


@server_check(v5=("MQTT-3.3.2-13", "MQTT-3.3.2-14", "MQTT-3.3.2-19", "MQTT-4.13.1-1"))
async def property_no_text(probe: ServerProbe) -> None:
    """A PUBLISH whose Response Topic or Content Type is no valid UTF-8 ends the connection."""

    def publish(properties: bytes) -> RawPacket:
        return RawPacket(0x30, text(probe.topic().encode()) + bytes((len(properties),)) + properties + b"x")

    wrong: dict[str, Sendable] = {
        "a Response Topic that is no UTF-8": publish(b"\x08" + text(b"r\xc3\x28")),
        "a Content Type that is no UTF-8": publish(b"\x03" + text(b"\xff")),
        "a Content Type with a surrogate": publish(b"\x03" + text(b"\xed\xa0\x80")),
    }
    await ends_behind_each(probe, wrong)


@server_check(v5="MQTT-3.3.2-14", needs="qos1")
async def wildcard_response_topic(probe: ServerProbe) -> None:
    """A message whose Response Topic has a wildcard in it is refused, or ends the connection; nobody gets it so."""
    topic = probe.topic()
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    properties = b"\x08" + text(b"r/+")
    packet = RawPacket(0x32, text(topic.encode()) + b"\0\1" + bytes((len(properties),)) + properties + b"x")
    taken = await is_taken(publisher, packet)
    # A PUBLISH that has it breaks the rule by itself, wherever it comes.
    before = await probe.fresh_message(peer, topic, await probe.connect())
    if taken:
        raise NotStrict("it takes the message, and " + ("leaves the topic out" if before else "forwards nothing"))
