"""What an application asks of others: requests with a response, user events with an answer."""

from __future__ import annotations

from mqttws.client.inbox import Message
from mqttws.client.lifetime import Lifetime
from mqttws.client.publishing import Payload, Publishing
from mqttws.client.request import Requests
from mqttws.client.server_events import ServerEvents
from mqttws.client.subscribing import Subscribing
from mqttws.codec.properties import PublishProperties
from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import ProtocolVersion
from mqttws.webpubsub.server_topics import event_name_fault, event_topic

__all__ = ["Asking"]


class Asking(Publishing, Subscribing):
    """The part of a :class:`~mqttws.client.client.Client` that sends and waits for what comes back."""

    def __init__(self, life: Lifetime) -> None:
        Publishing.__init__(self, life)
        Subscribing.__init__(self, life)
        self._requests = Requests(self.subscribe)
        self._server_events = ServerEvents(self.messages)

    @property
    def late_answers(self) -> int:
        """Responses to requests, and answers to events, that nobody waited for any more."""
        return self._requests.late + self._server_events.late

    async def request(
        self,
        topic: str,
        payload: Payload = b"",
        qos: int | None = None,
        *,
        response_topic: str | None = None,
        properties: PublishProperties | None = None,
    ) -> Message:
        """Publish a request and return the response to it (5.0: 4.10).

        The request says where the response is to be published, and has correlation data that tells responses apart: any
        number of requests may wait at a time. ``response_topic`` None is a topic of this client's own, below the
        Response Information of the Server if ``properties={"request_response_information": 1}`` of ``open_client`` has
        asked for it. The first request subscribes to its response topic, and the subscription stays. At most 16 do:
        one that nobody waits for makes room, or :class:`~mqttws.errors.QueueFull` says that there is none.

        There is no deadline but cancellation, after which a response is dropped and counted in :attr:`late_answers`.
        Raises what :meth:`publish` and :meth:`subscribe` do, and :class:`~mqttws.errors.LocalProtocolError` in 3.1.1,
        which knows no responses.
        """
        life = self._life
        if life.options.version != ProtocolVersion.V5:
            raise LocalProtocolError("3.1.1 has no Response Topic: requests need version 5")
        _check_free(properties, "response_topic", "correlation_data")
        life.check_open()
        connack = life.connection.connack
        information = None if connack is None else connack.properties.get("response_information")
        answer_to = response_topic if response_topic is not None else self._requests.topic(information)
        answers = self._requests.answers_on(answer_to, life.nursery)
        key = answers.new_key()
        said: PublishProperties = (properties or {}) | {"response_topic": answer_to, "correlation_data": key}

        async def ask() -> None:
            await self.publish(topic, payload, qos, properties=said)

        return await answers.exchange(key, ask)

    async def send_event(
        self,
        name: str,
        data: Payload = b"",
        *,
        qos: int | None = None,
        properties: PublishProperties | None = None,
    ) -> Message:
        """Send a user event to the event handler of the hub, and return its answer (Web PubSub only).

        The event is published to ``$webpubsub/server/events/{name}``, at QoS 1 unless said otherwise; the answer needs
        no subscription. In 5.0 text goes as ``text/plain`` unless ``properties`` have a ``content_type``. 3.1.1 has
        nothing to tell the answers to events of one name apart but their order: there one that never comes puts the
        later ones out of step.

        Raises :class:`~mqttws.errors.EventFailed` with the status where the answer is that it failed, what
        :meth:`publish` does, and :class:`~mqttws.errors.LocalProtocolError` for a name that is none or another kind of
        Server. There is no deadline but cancellation.
        """
        life = self._life
        life.profile.check_events()
        if (fault := event_name_fault(name)) is not None:
            raise LocalProtocolError(f"Web PubSub: {fault}")
        _check_free(properties, "correlation_data")
        life.check_open()
        in_order = life.options.version != ProtocolVersion.V5

        async def ask(key: bytes) -> None:
            if in_order:
                # Queued at once or not at all: a place among the answers is only for what will be sent.
                await self.publish_soon(event_topic(name), data, qos, properties=properties).wait()
                return
            said: PublishProperties = (properties or {}) | {"correlation_data": key}
            if isinstance(data, str):
                said.setdefault("content_type", "text/plain")
            await self.publish(event_topic(name), data, qos, properties=said)

        return await self._server_events.send(name, ask, life.nursery, in_order=in_order)

    async def _hang_up(self) -> None:
        """Before the block is left: nobody will answer any more."""
        await self._requests.close()
        await self._server_events.close()


def _check_free(properties: PublishProperties | None, *names: str) -> None:
    for name in names:
        if name in (properties or {}):
            raise ValueError(f"{name} does not belong into properties: it is what finds the answer")
