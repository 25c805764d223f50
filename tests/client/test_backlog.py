"""Messages that wait, as the store has them: which, in which order, and from one process to the next."""

from __future__ import annotations

import math
from typing import Any

from mqttws.client.backlog import Backlog
from mqttws.client.receipts import Receipt
from mqttws.codec import Publish
from mqttws.session import Change, Session, SessionState, WaitingEnded, WaitingStored
from mqttws.vocabulary import QoS


def receipt_of(payload: bytes, qos: QoS = QoS.AT_LEAST_ONCE, **properties: Any) -> Receipt:
    return Receipt(Publish("a", payload, qos, properties=properties), 1)  # type: ignore[arg-type]


class Store:
    """A backlog with the changes it has made, and how often it has asked for them to be stored."""

    def __init__(self, waiting: dict[int, Publish] | None = None) -> None:
        self.session = Session(SessionState(waiting=waiting or {}), durable=True)
        self.calls = 0
        self.backlog = Backlog(self.session, self.count)

    def count(self) -> None:
        self.calls += 1

    def changes(self) -> list[Change]:
        changes = self.session.journal.changes()
        self.session.journal.committed()
        return changes


def test_a_message_is_kept_while_it_waits() -> None:
    store, receipt = Store(), receipt_of(b"1")
    store.backlog.keep(receipt, first=False)
    assert store.changes() == [WaitingStored(1, receipt.publish)]
    store.backlog.drop(receipt)
    assert store.changes() == [WaitingEnded(1)]
    assert store.calls == 2
    store.backlog.drop(receipt)
    assert store.changes() == []


def test_a_message_at_qos_0_is_not_kept() -> None:
    store, receipt = Store(), receipt_of(b"1", QoS.AT_MOST_ONCE)
    store.backlog.keep(receipt, first=False)
    store.backlog.drop(receipt)
    assert (store.changes(), store.calls) == ([], 0)


def test_numbers_say_the_order_of_sending_also_for_what_overtakes() -> None:
    store = Store()
    for payload, first in ((b"3", False), (b"2", True), (b"1", True), (b"4", False)):
        store.backlog.keep(receipt_of(payload), first=first)
    kept = {change.number: change.publish.payload for change in store.changes() if isinstance(change, WaitingStored)}
    assert [kept[number] for number in sorted(kept)] == [b"1", b"2", b"3", b"4"]


def test_what_an_earlier_process_has_left_comes_in_order_and_is_not_kept_twice() -> None:
    soon: Any = {"message_expiry_interval": 5}
    store = Store({7: Publish("a", b"2", QoS.AT_LEAST_ONCE, properties=soon), -3: Publish("a", b"1", QoS.EXACTLY_ONCE)})
    left = list(store.backlog.left(now=100))
    assert [(receipt.publish.payload, receipt.size, receipt.expires_at) for receipt in left] == [
        (b"1", 2, math.inf),
        (b"2", 2, 105),
    ]
    for receipt in left:
        store.backlog.keep(receipt, first=False)
    assert store.changes() == []
    store.backlog.keep(receipt_of(b"3"), first=False)
    store.backlog.keep(receipt_of(b"0"), first=True)
    assert [change.number for change in store.changes() if isinstance(change, WaitingStored)] == [8, -4]
    store.backlog.drop(left[0])
    assert store.changes() == [WaitingEnded(-3)]
