"""Chapters 4.7, 4.8 and 1.5: filters and topics that a Client had better not send, and text that it must not change."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import Publish, RawPacket, Subscribe
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.verdict import Failed

__all__: list[str] = []

#: EF BB BF, and characters that want two, three and four bytes.
_TEXT: Final = "\N{ZERO WIDTH NO-BREAK SPACE}a/\N{LATIN SMALL LETTER E WITH ACUTE}/\N{EURO SIGN}/\U0001f600"


@client_check(v5="MQTT-4.7.1-1", v311="MQTT-4.7.1-2")
async def subscribes_to_a_wrong_hash(probe: ClientProbe) -> None:
    """A filter with # elsewhere than as its whole last level is not sent."""
    await _not_subscribed(probe, "a/#/b", "a#", "#/")


@client_check(v5="MQTT-4.7.1-2", v311="MQTT-4.7.1-3")
async def subscribes_to_a_wrong_plus(probe: ClientProbe) -> None:
    """A filter with + as a part of a level is not sent."""
    await _not_subscribed(probe, "a+", "a/+b", "a/b+/c")


@client_check(v5="MQTT-4.7.3-1", v311="MQTT-4.7.3-1")
async def subscribes_to_nothing(probe: ClientProbe) -> None:
    """An empty filter is not sent."""
    await _not_subscribed(probe, "")


@client_check(v5=("MQTT-4.7.3-2", "MQTT-3.8.3-1"), v311=("MQTT-4.7.3-2", "MQTT-3.8.3-1"))
async def subscribes_to_nul(probe: ClientProbe) -> None:
    """A filter with U+0000 is not sent."""
    await _not_subscribed(probe, "a/\0b")


@client_check(v5="MQTT-4.7.3-3", v311="MQTT-4.7.3-3")
async def cuts_a_long_filter(probe: ClientProbe) -> None:
    """A filter of more than 65,535 bytes is not sent, neither whole nor cut."""
    await _not_subscribed(probe, "a" * 65_536)


@client_check(v5="MQTT-4.8.2-1")
async def subscribes_to_a_nameless_share(probe: ClientProbe) -> None:
    """A shared subscription without a ShareName is not sent."""
    await _not_subscribed(probe, "$share//a")


@client_check(v5="MQTT-4.8.2-2")
async def subscribes_to_a_wrong_share(probe: ClientProbe) -> None:
    """A shared subscription with a wildcard in its ShareName, or without a filter behind it, is not sent."""
    await _not_subscribed(probe, "$share/a+/b", "$share/#/b", "$share/a", "$share/a/")


@client_check(v5=("MQTT-4.8.2-1", "MQTT-4.8.2-2"))
async def changes_a_share(probe: ClientProbe) -> None:
    """A shared subscription goes out as it was asked for."""
    visit = await probe.connect()
    await probe.needs_program()
    wanted = f"$share/mqttws/{probe.name()}/+"
    (found,) = (await probe.subscribe(visit, wanted)).subscriptions
    if found.topic_filter != wanted:
        raise Failed(f"the filter is {found.topic_filter!r}, not {wanted!r}")


@client_check(v5="MQTT-3.8.3-4")
async def shares_without_itself(probe: ClientProbe) -> None:
    """A shared subscription is not asked for with No Local."""
    visit = await probe.connect()
    for packet in await probe.attempt(visit, "subscribe", topic_filter="$share/a/b", qos=0, no_local=True):
        if isinstance(packet, RawPacket) or (
            isinstance(packet, Subscribe) and any(one.no_local for one in packet.subscriptions)
        ):
            raise Failed("it asks for a shared subscription with No Local")


@client_check(v5=("MQTT-3.3.2-2", "MQTT-4.7.0-1"), v311=("MQTT-3.3.2-2", "MQTT-4.7.1-1"))
async def publishes_to_wildcards(probe: ClientProbe) -> None:
    """A message to a Topic Name with wildcards is not sent."""
    await _not_published(probe, "a/+", "a/#", "#")


@client_check(v5="MQTT-4.7.3-1", v311="MQTT-4.7.3-1")
async def publishes_to_nothing(probe: ClientProbe) -> None:
    """A message to an empty Topic Name, without an alias, is not sent."""
    await _not_published(probe, "")


@client_check(
    v5=("MQTT-4.7.3-2", "MQTT-3.3.2-1", "MQTT-1.5.4-2"), v311=("MQTT-4.7.3-2", "MQTT-3.3.2-1", "MQTT-1.5.3-2")
)
async def publishes_to_nul(probe: ClientProbe) -> None:
    """A message to a Topic Name with U+0000 is not sent."""
    await _not_published(probe, "a/\0b")


@client_check(v5="MQTT-4.7.3-3", v311="MQTT-4.7.3-3")
async def cuts_a_long_topic(probe: ClientProbe) -> None:
    """A message to a Topic Name of more than 65,535 bytes is not sent, neither whole nor cut."""
    await _not_published(probe, "a" * 65_536)


@client_check(v5="MQTT-3.3.2-14")
async def asks_for_answers_by_wildcard(probe: ClientProbe) -> None:
    """A message with a wildcard in its Response Topic is not sent."""
    await _not_published(probe, "a", response_topic="b/+")


@client_check(v5=("MQTT-3.3.2-13", "MQTT-3.3.2-19"))
async def changes_properties(probe: ClientProbe) -> None:
    """What a message says of itself stands in PUBLISH as it was asked for."""
    visit = await probe.connect()
    said: dict[str, Any] = {
        "message_expiry": 100,
        "content_type": "text/plain; \N{GREEK SMALL LETTER ALPHA}",
        "response_topic": "mqttws/\N{GREEK SMALL LETTER BETA}",
        "correlation_data": bytes((0, 0x7F, 0x80, 0xFF)),
    }
    found: Any = (await probe.publish(visit, qos=0, **said)).properties
    for name, value in said.items():
        its = found.get("message_expiry_interval" if name == "message_expiry" else name)
        if its != value:
            raise Failed(f"its {name.replace('_', ' ')} is {its!r}, not {value!r}")


async def _not_subscribed(probe: ClientProbe, *filters: str) -> None:
    await _refused(probe, [{"topic_filter": one, "qos": 0} for one in filters], "subscribe", (Subscribe,))


async def _not_published(probe: ClientProbe, *topics: str, **said: Any) -> None:
    values = [{"topic": one, "payload": b"x", "qos": 0, **said} for one in topics]
    await _refused(probe, values, "publish", (Publish,))


async def _refused(probe: ClientProbe, tasks: list[dict[str, Any]], task: str, kinds: tuple[type[Any], ...]) -> None:
    """None of these tasks leads to such a packet, good or broken."""
    visit = await probe.connect()
    for values in tasks:
        if visit.ending is not None:  # it has ended the connection rather than do that
            await probe.close()
            visit = await probe.connect()
        sent = await probe.attempt(visit, task, **values)
        if any(isinstance(packet, (RawPacket, *kinds)) for packet in sent):
            asked = str(values.get("topic_filter", values.get("topic")))
            shown = repr(asked) if len(asked) < 50 else f"one of {len(asked):,} bytes"
            raise Failed(f"it sends {task.upper()} with {values.get('response_topic') or shown}")


@client_check(v5=("MQTT-1.5.4-3", "MQTT-1.5.4-1"), v311=("MQTT-1.5.3-3", "MQTT-1.5.3-1"))
async def changes_text(probe: ClientProbe) -> None:
    """A Topic Name goes out and comes in as it is, with the character that some take for a byte order mark."""
    await probe.needs_program()
    visit = await probe.connect()
    subscribe = await probe.subscribe(visit, _TEXT)
    if (found := subscribe.subscriptions[0].topic_filter) != _TEXT:
        raise Failed(f"the filter goes out as {found!a}, not {_TEXT!a}")
    publish = await probe.publish(visit, qos=0, topic=_TEXT)
    if publish.topic != _TEXT:
        raise Failed(f"the topic goes out as {publish.topic!a}, not {_TEXT!a}")
    message = visit.message(b"text", 1)
    await visit.send(message)
    await probe.arrives(visit, message)
