"""Messages that wait to be sent, as the store has them: what this process does not send, the next one does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from mqttws.client.receipts import Receipt, size_of
from mqttws.session import Session, WaitingEnded, WaitingStored

__all__ = ["Backlog"]


class Backlog:
    """Writes into a Session's journal which QoS 1 and 2 messages wait; ``soon`` is called for it to be stored.

    The numbers say in which order they are to be sent, from one process to the next.
    """

    def __init__(self, session: Session, soon: Callable[[], None]) -> None:
        self._session = session
        self._soon = soon
        self._first = min(session.waiting, default=0)
        self._last = max(session.waiting, default=0)

    def left(self, now: float) -> Iterator[Receipt]:
        """The messages that were waiting when the store was opened, in their order.

        Their Message Expiry Interval begins anew: how long nobody was there to send them is not known.
        """
        for number, publish in sorted(self._session.waiting.items()):
            receipt = Receipt(publish, size_of(publish))
            receipt.number = number
            receipt.expires_at = now + publish.properties.get("message_expiry_interval", math.inf)
            yield receipt

    def keep(self, receipt: Receipt, *, first: bool) -> None:
        """A message waits, behind all others or before them."""
        if receipt.number is not None or not receipt.publish.qos:
            return
        if first:
            self._first -= 1
        else:
            self._last += 1
        receipt.number = self._first if first else self._last
        self._session.record(WaitingStored(receipt.number, receipt.publish))
        self._soon()

    def drop(self, receipt: Receipt) -> None:
        """A message waits no more: what has become of it is recorded next, if anything is."""
        if receipt.number is not None:
            self._session.record(WaitingEnded(receipt.number))
            receipt.number = None
            self._soon()
