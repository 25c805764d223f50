"""Topic Names, Topic Filters and subscriptions that break the rules of chapter 4.7 and 4.8."""

from __future__ import annotations

from typing import Final

from mqttws.fuzz.anatomy import Anatomy, Part
from mqttws.fuzz.mutations.registry import BROKEN, EITHER, MALFORMED, PROTOCOL_ERROR, Breach, mutation, numbered
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType

_P = PacketType
_TOPICS: Final = EITHER | {0x90}
_FILTERS: Final = EITHER | {0x8F}
_SUBSCRIPTIONS: Final = (_P.SUBSCRIBE, _P.UNSUBSCRIBE)
#: Statements of 5.0 on wildcards in a Topic Name; the general one elsewhere.
_WILDCARDS: Final = {"topic": "MQTT-3.3.2-2", "response_topic": "MQTT-3.3.2-14"}


def _topic(source: Source, anatomy: Anatomy) -> Part | None:
    topics = [value for value, _ in anatomy.values() if value.name in ("topic", "will.topic", "response_topic")]
    return source.choice(topics) if topics else None


def _without_alias(anatomy: Anatomy) -> None:
    for each in anatomy.lists():
        each.items = [item for item in each.items if item.name != "topic_alias"]


@mutation("topic-empty", "a Topic Name has at least one character", codes=_TOPICS, packets=[_P.PUBLISH, _P.CONNECT])
def topic_empty(source: Source, anatomy: Anatomy) -> Breach | None:
    """An empty Topic Name, in a PUBLISH without a Topic Alias."""
    part = _topic(source, anatomy)
    if part is None:
        return None
    part.data = b""
    if part.name != "topic":
        return Breach("MQTT-4.7.3-1", debatable=part.name == "response_topic")
    _without_alias(anatomy)
    # 5.0 calls it a Protocol Error (3.3.2.1) and gives that no number
    return Breach("MQTT-4.7.3-1") if anatomy.version == 4 else Breach(codes=PROTOCOL_ERROR)


@mutation("topic-wildcard", "a Topic Name holds no wildcard", codes=_TOPICS, packets=[_P.PUBLISH, _P.CONNECT])
def topic_wildcard(source: Source, anatomy: Anatomy) -> Breach | None:
    """``#`` or ``+`` in a Topic Name."""
    part = _topic(source, anatomy)
    if part is None or len(part.data) > 65_500:  # with room for more
        return None
    part.data += source.choice((b"#", b"/#", b"+", b"/+", b"/+/a"))
    return Breach(numbered(_WILDCARDS.get(part.name, "MQTT-4.7.0-1"), anatomy.version))


def _set_filter(source: Source, anatomy: Anatomy, filters: tuple[bytes, ...]) -> Breach:
    part = source.choice([part for part in anatomy.texts() if part.name in ("topic_filter", "topic_filters")])
    part.data = source.choice(filters)
    _allow_local(anatomy)
    return BROKEN


def _allow_local(anatomy: Anatomy) -> None:
    """Take No Local away, which a filter that has become a shared one may not have."""
    for part in anatomy.parts:
        if isinstance(part, Part) and part.name == "options":
            part.data = bytes((part.data[0] & ~0x04,))


@mutation(
    "filter-empty",
    "a Topic Filter has at least one character",
    codes=_FILTERS,
    v5="MQTT-4.7.3-1",
    v3_1_1="MQTT-4.7.3-1",
    packets=_SUBSCRIPTIONS,
)
def filter_empty(source: Source, anatomy: Anatomy) -> Breach:
    """An empty Topic Filter."""
    return _set_filter(source, anatomy, (b"",))


@mutation(
    "filter-hash",
    "'#' stands alone in the last level of a Topic Filter",
    codes=_FILTERS,
    v5="MQTT-4.7.1-1",
    v3_1_1="MQTT-4.7.1-2",
    packets=_SUBSCRIPTIONS,
)
def filter_hash(source: Source, anatomy: Anatomy) -> Breach:
    """``#`` beside other characters of its level, or before the last one."""
    return _set_filter(source, anatomy, (b"a#", b"a/b#", b"#/a", b"a/#/b", b"##", b"#a", b"/a#/", b"#/"))


@mutation(
    "filter-plus",
    "'+' fills a whole level of a Topic Filter",
    codes=_FILTERS,
    v5="MQTT-4.7.1-2",
    v3_1_1="MQTT-4.7.1-3",
    packets=_SUBSCRIPTIONS,
)
def filter_plus(source: Source, anatomy: Anatomy) -> Breach:
    """``+`` beside other characters of its level."""
    return _set_filter(source, anatomy, (b"a+", b"+a", b"a/b+/c", b"++", b"+/+a", b"a/+b/#"))


@mutation(
    "share-name-empty",
    "a share name has at least one character",
    codes=_FILTERS,
    v5="MQTT-4.8.2-1",
    versions=[5],
    packets=_SUBSCRIPTIONS,
)
def share_name_empty(source: Source, anatomy: Anatomy) -> Breach:
    """``$share//a``."""
    return _set_filter(source, anatomy, (b"$share//a", b"$share/", b"$share//", b"$share//#"))


@mutation(
    "share-form",
    "a shared subscription reads $share/{name}/{filter}, its name without wildcards",
    codes=_FILTERS,
    v5="MQTT-4.8.2-2",
    versions=[5],
    packets=_SUBSCRIPTIONS,
)
def share_form(source: Source, anatomy: Anatomy) -> Breach:
    """A wildcard in the share name, or no filter behind it."""
    return _set_filter(source, anatomy, (b"$share/a", b"$share/a/", b"$share/+/a", b"$share/a+/b", b"$share/g#/f"))


@mutation(
    "share-no-local",
    "No Local is not set for a shared subscription",
    codes=PROTOCOL_ERROR,
    v5="MQTT-3.8.3-4",
    versions=[5],
    packets=[_P.SUBSCRIBE],
)
def share_no_local(source: Source, anatomy: Anatomy) -> Breach:
    """No Local on a shared subscription."""
    index = source.choice([index for index, part in enumerate(anatomy.parts) if part.name == "topic_filter"])
    wanted, options = anatomy.parts[index : index + 2]
    assert isinstance(wanted, Part)
    assert isinstance(options, Part)
    if not wanted.data.startswith(b"$share/"):
        wanted.data = b"$share/g/" + wanted.data
    options.data = bytes((options.data[0] | 0x04,))
    return BROKEN


@mutation(
    "filters-missing",
    "SUBSCRIBE and UNSUBSCRIBE have at least one Topic Filter",
    codes=PROTOCOL_ERROR,
    packets=_SUBSCRIPTIONS,
)
def filters_missing(_source: Source, anatomy: Anatomy) -> Breach:
    """No Topic Filter in the payload."""
    anatomy.parts = [part for part in anatomy.parts if not part.repeats]
    statement = "MQTT-3.8.3-2" if anatomy.packet_type is _P.SUBSCRIBE else "MQTT-3.10.3-2"
    return Breach(numbered(statement, anatomy.version))


def _options(source: Source, anatomy: Anatomy, bits: int) -> Breach:
    wanted = [part for part in anatomy.parts if isinstance(part, Part) and part.name in ("options", "requested_qos")]
    part = source.choice(wanted)
    part.data = bytes((part.data[0] | bits,))
    return BROKEN


@mutation(
    "subscription-qos-3", "a requested QoS is 0, 1 or 2", v3_1_1="MQTT-3.8.3-4", packets=[_P.SUBSCRIBE],
    codes=PROTOCOL_ERROR,
)  # fmt: skip
def subscription_qos_3(source: Source, anatomy: Anatomy) -> Breach:
    """Both QoS bits of a subscription."""
    return _options(source, anatomy, 0x03)


@mutation(
    "subscription-reserved-bits",
    "the reserved bits beside a requested QoS are 0",
    codes=MALFORMED,
    v5="MQTT-3.8.3-5",
    v3_1_1="MQTT-3.8.3-4",
    packets=[_P.SUBSCRIBE],
)
def subscription_reserved_bits(source: Source, anatomy: Anatomy) -> Breach:
    """A reserved bit of the Subscription Options, in 3.1.1 of the byte of the requested QoS."""
    reserved = (0x40, 0x80, 0xC0) if anatomy.version == 5 else (0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFC)
    return _options(source, anatomy, source.choice(reserved))


@mutation(
    "retain-handling-3", "Retain Handling is 0, 1 or 2", codes=PROTOCOL_ERROR, versions=[5], packets=[_P.SUBSCRIBE]
)
def retain_handling_3(source: Source, anatomy: Anatomy) -> Breach:
    """Both bits of Retain Handling."""
    return _options(source, anatomy, 0x30)
