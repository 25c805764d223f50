"""Topic Aliases (5.0: 3.3.2.3.4): numbers that stand for Topic Names on one connection, in one direction."""

from __future__ import annotations

from mqttws.codec import Publish
from mqttws.errors import LocalProtocolError

__all__ = ["TopicAliases"]


class TopicAliases:
    """The mappings that one end has set up; every connection begins without any [MQTT-3.3.2-7].

    At most Topic Alias Maximum names are kept, since :meth:`Limits.check_publish` lets no higher number pass.
    """

    __slots__ = ("_topics",)

    def __init__(self) -> None:
        self._topics: dict[int, str] = {}

    def topic_of(self, publish: Publish) -> str:
        """The Topic Name that a PUBLISH means, by its alias if it carries no name of its own. Changes nothing."""
        if publish.topic:
            return publish.topic
        alias = publish.properties.get("topic_alias", 0)
        try:
            return self._topics[alias]
        except KeyError:
            raise LocalProtocolError(f"Topic Alias {alias} stands for no Topic Name on this connection") from None

    def learn(self, publish: Publish) -> None:
        """Remember what a PUBLISH with both name and alias says."""
        alias = publish.properties.get("topic_alias")
        if alias is not None and publish.topic:
            self._topics[alias] = publish.topic
