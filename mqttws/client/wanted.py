"""What the Server is asked for with one SUBSCRIBE, and what stands behind each Topic Filter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import trio

from mqttws.client.failure import Failure
from mqttws.client.inbox import Messages
from mqttws.codec import SubAck, Subscribe, Subscription
from mqttws.codec.properties import SubscribeProperties
from mqttws.session import Connection
from mqttws.vocabulary import ProtocolVersion, RetainHandling

__all__ = ["Request", "Wanted", "takes_identifiers"]


def takes_identifiers(connection: Connection) -> bool:
    """Whether a SUBSCRIBE on this connection may have a Subscription Identifier."""
    return connection.version is ProtocolVersion.V5 and connection.limits.subscription_identifiers_available


@dataclass(slots=True, eq=False)
class Request:
    """A SUBSCRIBE: what it asks for, and what SUBACK says to each filter once it is there.

    It has ``identifier`` for its Subscription Identifier, if any, unless ``properties`` have one. ``renewal`` says that
    the subscriptions are there already: nobody wants their retained messages again. It may be sent more than once.
    """

    properties: SubscribeProperties
    identifier: int | None = None
    renewal: bool = False
    asked: list[tuple[Wanted, Subscription]] = field(default_factory=list)
    sent: bool = False
    answered: trio.Event = field(default_factory=trio.Event)
    reason_codes: dict[str, int] = field(default_factory=dict)
    answer: SubAck | None = None
    failure: Failure | None = None

    async def wait(self) -> None:
        """Wait for the answer; raise what prevented it."""
        await self.answered.wait()
        if self.failure is not None:
            raise self.failure.fresh()

    def fail(self, failure: Failure) -> None:
        """There will be no answer."""
        self.failure = failure
        self.answered.set()

    def packet(self, connection: Connection) -> Subscribe:
        """The SUBSCRIBE for a connection."""
        properties = self.properties
        if self.identifier is not None and takes_identifiers(connection):
            own: SubscribeProperties = {"subscription_identifier": self.identifier}
            properties = own | properties
        subscriptions = [subscription for _, subscription in self.asked]
        if self.renewal:
            subscriptions = [replace(each, retain_handling=RetainHandling.DO_NOT_SEND) for each in subscriptions]
        return Subscribe(0, subscriptions, properties)


@dataclass(slots=True, eq=False)
class Wanted:
    """One Topic Filter: the options asked for last, the SUBSCRIBE that did, and the streams that want it.

    ``granted`` are the last options that the Server took, with their SUBSCRIBE; None while there are none.
    """

    subscription: Subscription
    request: Request
    granted: tuple[Subscription, Request] | None = None
    keep: bool = False
    streams: list[Messages] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the Server has been asked, has answered, and there is no subscription."""
        return self.granted is None and self.request.answered.is_set()
