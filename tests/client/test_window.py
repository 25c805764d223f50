"""Window: what a holder is made of."""

from __future__ import annotations

from mqttws.client.inbox import Message
from mqttws.client.window import Holder, holder_of
from mqttws.codec import Publish
from mqttws.vocabulary import QoS


def test_a_holder_counts_its_messages_and_their_payloads() -> None:
    packet = Publish("a", b"123", QoS.AT_LEAST_ONCE)
    message = Message("a", b"123", QoS.AT_LEAST_ONCE, False, False, {}, packet)
    assert holder_of(("a",), [message, message]) == Holder(("a",), 2, 6)
    assert holder_of(None, []) == Holder(None, 0, 0)
