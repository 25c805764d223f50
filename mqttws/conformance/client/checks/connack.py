"""Chapter 3.2: what a Client does with CONNACK, and what CONNACK tells it not to do."""

from __future__ import annotations

from typing import Any

from mqttws.codec import ConnAck, Disconnect, Packet, Publish, RawPacket, SubAck, Subscribe
from mqttws.conformance.client.convention import Connected, Disconnected, Error
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict

__all__: list[str] = []


@client_check(v5="MQTT-3.2.2-4")
async def keeps_a_session_it_does_not_have(probe: ClientProbe) -> None:
    """A Client without a Session that is told Session Present 1 closes the connection."""
    visit = await probe.open()
    await visit.send(ConnAck(True))
    await probe.ends(visit, "told of a Session that it does not have", must=True)


@client_check(v5="MQTT-4.13.2-1")
async def goes_on_though_refused(probe: ClientProbe) -> None:
    """A Client whose CONNECT was refused is not connected, and sends nothing more."""
    visit = await probe.open()
    await visit.send(ConnAck(reason_code=0x87))
    if await probe.tells():
        try:
            said: Any = await probe.event(Connected, Disconnected, Error)
        except Inconclusive:
            said = None
        if isinstance(said, Connected) and said.reason_code == 0:
            raise Failed("it tells that it is connected")
        await probe.task("publish", topic="mqttws/refused", payload=b"x", qos=0)
    ending = await visit.end()
    for packet in visit.aside:
        if not isinstance(packet, Disconnect):  # a farewell is needless, and nothing forbids it
            said = f"it sends {type(packet).__name__.upper()} behind a CONNACK with 0x87"
            if not await probe.tells():  # no Client has to wait for CONNACK, unless it is told to
                raise Inconclusive(f"{said}, perhaps before that has come")
            raise Failed(said)
    if ending is None:
        raise NotStrict("it leaves the closing to the Server")


@client_check(v5="MQTT 5.0, 3.2", v311="MQTT 3.1.1, 3.2")
async def takes_a_second_connack(probe: ClientProbe) -> None:
    """A second CONNACK should end the connection."""
    visit = await probe.talk()
    await visit.send(ConnAck())
    await probe.ends(visit, "behind a second CONNACK", must=False)  # in 3.1.1 nothing says that there is only one


@client_check(v5="MQTT 5.0, 3.2", v311="MQTT-4.8.0-1")
async def takes_something_before_connack(probe: ClientProbe) -> None:
    """A packet other than CONNACK (or AUTH) as the Server's first ends the connection."""
    visit = await probe.open()
    await visit.send(SubAck(1, [0]))
    await probe.ends(visit, "behind SUBACK in the place of CONNACK")


# -- what the Server does not do for a Client --------------------------------------------------------------------------


@client_check(v5="MQTT-3.2.2-11")
async def publishes_above_maximum_qos(probe: ClientProbe) -> None:
    """A Client does not publish at a QoS above the Server's Maximum QoS."""
    for maximum in (1, 0):
        visit = await probe.connect(properties={"maximum_qos": maximum})
        for packet in await probe.attempt(visit, "publish", topic=probe.name(), payload=b"x", qos=maximum + 1):
            if isinstance(packet, Publish) and packet.qos > maximum:
                raise Failed(f"it publishes at QoS {int(packet.qos)}, told a Maximum QoS of {maximum}")
        await probe.close()


@client_check(v5="MQTT-3.2.2-14")
async def retains_where_it_cannot(probe: ClientProbe) -> None:
    """A Client does not set RETAIN where the Server does not retain messages."""
    visit = await probe.connect(properties={"retain_available": False})
    for packet in await probe.attempt(visit, "publish", topic=probe.name(), payload=b"x", qos=0, retain=True):
        if isinstance(packet, Publish) and packet.retain:
            raise Failed("it sets RETAIN, told a Retain Available of 0")


@client_check(v5="MQTT-3.2.2-15")
async def sends_too_large_packets(probe: ClientProbe) -> None:
    """A Client sends no packet above the Server's Maximum Packet Size."""
    visit = await probe.connect(properties={"maximum_packet_size": 200})
    for packet in await probe.attempt(visit, "publish", topic=probe.name(), payload=bytes(1000), qos=0):
        size = len(visit.bytes_of(packet))
        if size > 200:
            raise Failed(f"it sends a packet of {size} bytes, told a Maximum Packet Size of 200")


@client_check(v5="MQTT-3.2.2-18")
async def uses_topic_aliases_unasked(probe: ClientProbe) -> None:
    """A Client sends no Topic Alias to a Server that has not given a Topic Alias Maximum."""
    visit = await probe.connect()
    _no_alias(await probe.attempt(visit, "publish", topic=probe.name(), payload=b"x", qos=0, topic_alias=1), 0)


@client_check(v5=("MQTT-3.2.2-17", "MQTT-3.3.2-9"))
async def uses_too_high_topic_aliases(probe: ClientProbe) -> None:
    """A Client's Topic Aliases stay within the Server's Topic Alias Maximum."""
    visit = await probe.connect(properties={"topic_alias_maximum": 3})
    _no_alias(await probe.attempt(visit, "publish", topic=probe.name(), payload=b"x", qos=0, topic_alias=4), 3)


@client_check(v5="MQTT-3.3.2-7")
async def keeps_topic_aliases_after_a_reconnect(probe: ClientProbe) -> None:
    """A Client does not rely on Topic Aliases of an earlier connection."""
    topic, client_id = probe.name(), probe.name()
    visit = await probe.connect(client_id, properties={"topic_alias_maximum": 3})
    await probe.publish(visit, qos=0, topic=topic, topic_alias=1)
    await visit.close()
    await probe.gone()
    visit = await probe.connect(client_id, properties={"topic_alias_maximum": 3})
    publish = await probe.publish(visit, qos=0, topic=topic, topic_alias=1)
    if not publish.topic:
        raise Failed("it leaves the Topic Name out on a new connection, on which it has not given it an alias")


def _no_alias(sent: list[Packet | RawPacket], maximum: int) -> None:
    for packet in sent:
        alias = packet.properties.get("topic_alias", 0) if isinstance(packet, Publish) else 0
        if alias > maximum:
            raise Failed(f"it sends Topic Alias {alias}, with a Topic Alias Maximum of {maximum}")


@client_check(v5="MQTT 5.0, 3.2.2.3.11")
async def subscribes_as_it_cannot(probe: ClientProbe) -> None:
    """A Client had better not ask for wildcards, shared subscriptions or identifiers that the Server does not offer."""
    offers: Any = {
        "wildcard_subscription_available": False,
        "shared_subscription_available": False,
        "subscription_identifier_available": False,
    }
    refusals: list[NotApplicable] = []
    ways = (
        ("a wildcard", {"topic_filter": "mqttws/+"}),
        ("a shared subscription", {"topic_filter": "$share/mqttws/one"}),
        ("a Subscription Identifier", {"topic_filter": "mqttws/one", "subscription_identifier": 5}),
    )
    for what, values in ways:
        visit = await probe.connect(properties=offers)
        try:
            sent = await probe.attempt(visit, "subscribe", qos=0, **values)
        except NotApplicable as refusal:
            refusals.append(refusal)
            sent = []
        await probe.close()
        if any(isinstance(packet, Subscribe) for packet in sent):
            raise NotStrict(f"it asks for {what}, told that there is none")
    if len(refusals) == len(ways):
        raise refusals[0]
