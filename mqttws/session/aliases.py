"""Topic Aliases (5.0: 3.3.2.3.4): numbers that stand for Topic Names on one connection, in one direction."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from mqttws.codec import Publish
from mqttws.errors import LocalProtocolError

__all__ = ["GivenAliases", "TopicAliases"]

#: Aliases that are given out at most, however many the peer would take: what they cost here is names of 64 KiB each.
MOST: Final = 1_000
#: A Topic Name of so many ASCII characters is no longer than the property that would take its place.
NO_GAIN: Final = 3


class TopicAliases:
    """The mappings that one end has set up; every connection begins without any [MQTT-3.3.2-7].

    At most Topic Alias Maximum names are kept, since :meth:`Limits.check_publish` lets no higher number pass.
    """

    __slots__ = ("_topics",)

    def __init__(self) -> None:
        self._topics: dict[int, str] = {}

    def topic_of(self, publish: Publish) -> str:
        """The Topic Name that a PUBLISH means, by its alias if it carries no name of its own. Changes nothing.

        Empty where it has neither, which no encoder lets pass.
        """
        alias = publish.properties.get("topic_alias")
        if publish.topic or alias is None:
            return publish.topic
        try:
            return self._topics[alias]
        except KeyError:
            raise LocalProtocolError(f"Topic Alias {alias} stands for no Topic Name on this connection") from None

    def learn(self, publish: Publish) -> None:
        """Remember what a PUBLISH with both name and alias says."""
        alias = publish.properties.get("topic_alias")
        if alias is not None and publish.topic:
            self._topics[alias] = publish.topic


class GivenAliases(TopicAliases):
    """The mappings of a sender that also gives out numbers by itself, up to ``maximum`` of them.

    A name gets a number when it is sent, and is left out from then on until its number, the one that was used longest
    ago, goes to another name. A number that the owner has ever used himself is left to him.
    """

    __slots__ = ("_numbers", "_spare")

    def __init__(self, maximum: int) -> None:
        super().__init__()
        #: Numbers that stand for nothing yet, the next one last; names by their last use, the latest one last.
        self._spare = list(range(min(maximum, MOST), 0, -1))
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def shortened(self, publish: Publish) -> Publish:
        """A PUBLISH as it may go out now: with an alias, and without its name where that is known. Changes nothing.

        The same object where the owner has set an alias, or none would help.
        """
        topic, properties = publish.topic, publish.properties
        if not (self._spare or self._numbers) or len(topic) <= NO_GAIN or "topic_alias" in properties:
            return publish
        number = self._numbers.get(topic)
        known = number is not None
        if number is None:
            number = self._spare[-1] if self._spare else next(iter(self._numbers.values()))
        properties = properties.copy()
        properties["topic_alias"] = number
        return Publish(
            "" if known else topic,
            publish.payload,
            publish.qos,
            publish.retain,
            publish.dup,
            publish.packet_id,
            properties,
        )

    def used(self, topic: str) -> None:
        """What :meth:`shortened` has made of a message on this topic was sent."""
        if topic in self._numbers:
            self._numbers.move_to_end(topic)
        else:
            number = self._spare.pop() if self._spare else self._numbers.popitem(last=False)[1]
            self._numbers[topic] = number

    def learn(self, publish: Publish) -> None:
        """The owner has used a number himself: it stays his, or his next message without a name would go astray."""
        alias = publish.properties.get("topic_alias")
        if alias in self._spare:
            self._spare.remove(alias)
        for topic in [topic for topic, number in self._numbers.items() if number == alias]:
            del self._numbers[topic]
        super().learn(publish)
