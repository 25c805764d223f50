"""Topic Names and Topic Filters (chapter 4.7), and the form of shared subscriptions (5.0: 4.8.2).

Everything takes time in proportion to the length of its arguments.
"""

from __future__ import annotations

from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import ReasonCode

__all__ = ["check_filter", "check_topic", "has_wildcard", "is_shared", "matches", "overlap", "shared_filter"]


def check_topic(topic: str) -> None:
    """Raise :class:`LocalProtocolError` unless a Topic Name may stand in a PUBLISH or a Will.

    At least one character [MQTT-4.7.3-1], no wildcard [MQTT-4.7.0-1 in 5.0, MQTT-4.7.1-1 in 3.1.1], no U+0000
    [MQTT-4.7.3-2]. That the name fits into 65,535 bytes of UTF-8 [MQTT-4.7.3-3] is checked where the string is
    written or read.
    """
    if not topic:
        raise LocalProtocolError(
            "a Topic Name is at least one character long",
            reason_code=ReasonCode.TOPIC_NAME_INVALID,
            statement="MQTT-4.7.3-1",
        )
    if "#" in topic or "+" in topic:
        raise LocalProtocolError(
            "a Topic Name holds no wildcard character",
            reason_code=ReasonCode.TOPIC_NAME_INVALID,
            statement="MQTT-4.7.0-1",
        )
    if "\0" in topic:
        raise LocalProtocolError(
            "a Topic Name holds no null character",
            reason_code=ReasonCode.TOPIC_NAME_INVALID,
            statement="MQTT-4.7.3-2",
        )


def check_filter(topic_filter: str) -> None:
    """Raise :class:`LocalProtocolError` unless a Topic Filter is well formed, shared or not.

    ``#`` stands alone in the last level [MQTT-4.7.1-1 in 5.0, -2 in 3.1.1], ``+`` alone in its level [MQTT-4.7.1-2 in
    5.0, -3 in 3.1.1]; the statement named is that of 5.0. The form of ``$share/…`` is looked at by
    :func:`shared_filter`, since it means nothing in 3.1.1.
    """
    if not topic_filter:
        raise _bad_filter("a Topic Filter is at least one character long", "MQTT-4.7.3-1")
    if "\0" in topic_filter:
        raise _bad_filter("a Topic Filter holds no null character", "MQTT-4.7.3-2")
    if "#" in topic_filter and ("#" in topic_filter[:-1] or topic_filter[-2:] not in ("#", "/#")):
        raise _bad_filter("'#' stands alone in the last level of a Topic Filter", "MQTT-4.7.1-1")
    if "+" in topic_filter and topic_filter.split("/").count("+") != topic_filter.count("+"):
        raise _bad_filter("'+' fills a whole level of a Topic Filter", "MQTT-4.7.1-2")


def _bad_filter(message: str, statement: str) -> LocalProtocolError:
    return LocalProtocolError(message, reason_code=ReasonCode.TOPIC_FILTER_INVALID, statement=statement)


def has_wildcard(topic_filter: str) -> bool:
    """Whether a valid Topic Filter can match more than one Topic Name."""
    return "#" in topic_filter or "+" in topic_filter


def is_shared(topic_filter: str) -> bool:
    """Whether a 5.0 Topic Filter asks for a shared subscription."""
    return topic_filter.startswith("$share/")


def shared_filter(topic_filter: str) -> tuple[str, str]:
    """Share name and inner filter of ``$share/{name}/{filter}``, both checked.

    The name has at least one character [MQTT-4.8.2-1], none of ``/ + #``, and a filter follows [MQTT-4.8.2-2].
    """
    name, slash, inner = topic_filter[len("$share/") :].partition("/")
    if not name:
        raise _bad_filter("a share name is at least one character long", "MQTT-4.8.2-1")
    if "+" in name or "#" in name or not slash or not inner:
        raise _bad_filter(
            "a shared subscription reads $share/{name}/{filter}, its name without wildcards", "MQTT-4.8.2-2"
        )
    check_filter(inner)
    return name, inner


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a Topic Name belongs to a Topic Filter.

    ``+`` stands for one level, ``#`` for any number of trailing ones, the parent included. A filter that starts with a
    wildcard does not match topics that start with ``$`` [MQTT-4.7.2-1]. Compared character by character, with no
    normalisation [MQTT-4.7.3-4]. Both arguments must be valid; a shared filter is matched by its inner part, which is
    the caller's to take out.
    """
    if topic_filter == topic:
        return True
    if topic[:1] == "$" and topic_filter[:1] in "+#":
        return False
    wanted = topic_filter.split("/")
    levels = topic.split("/")
    if wanted[-1] == "#":
        del wanted[-1]
        if len(levels) < len(wanted):
            return False
        del levels[len(wanted) :]
    elif len(levels) != len(wanted):
        return False
    return all(want in ("+", level) for want, level in zip(wanted, levels, strict=True))


def overlap(one: str, other: str) -> bool:
    """Whether some Topic Name belongs to both of two valid Topic Filters; shared ones by their inner part."""
    first, second = one.split("/"), other.split("/")
    for wide, narrow in ((first, second), (second, first)):
        if wide[0] in ("+", "#") and narrow[0][:1] == "$":
            return False  # MQTT-4.7.2-1
    for here, there in zip(first, second, strict=False):
        if here == "#" or there == "#":
            return True
        if here not in (there, "+") and there != "+":
            return False
    rest = first[len(second) :] or second[len(first) :]
    return not rest or rest == ["#"]
