"""Each promise, broken by hand: the finding that says so, and what excuses it."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from trio.testing import trio_test

from mqttws.errors import PublishRefused, SessionLost, WireReset
from mqttws.simulation.invariants import Facts, findings_of
from mqttws.simulation.ledger import Delivery, Entry, Ledger, Outcome, number_of, payload_of
from mqttws.vocabulary import ReasonCode


def book(*outcomes: Outcome, qos: int = 1, expires: bool = False, error: Exception | None = None) -> Ledger:
    """A ledger with one publish after another, each accepted before the next."""
    ledger = Ledger()
    for number, outcome in enumerate(outcomes):
        place = 10 * number
        ledger.entries[number] = Entry(number, "a", qos, expires, 1, place, place + 1, place + 9, outcome, error)
    return ledger


def deliver(ledger: Ledger, *numbers: int, qos: int = 1) -> Ledger:
    ledger.deliveries += [Delivery(number, "a", qos, False) for number in numbers]
    return ledger


def facts(**changes: object) -> Facts:
    made = Facts(connections=9, subscribers_last_session=1)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def kinds(ledger: Ledger, given: Facts | None = None) -> list[str]:
    return [finding.kind for finding in findings_of(ledger, given if given is not None else facts())]


def test_all_is_well_when_everything_arrives_once_and_in_order() -> None:
    assert kinds(deliver(book(Outcome.COMPLETED, Outcome.COMPLETED), 0, 1)) == []


def test_a_completed_message_that_never_arrived_has_vanished() -> None:
    lost = book(Outcome.COMPLETED)
    assert kinds(lost) == ["vanished"]
    assert kinds(book(Outcome.COMPLETED, qos=0)) == []
    assert kinds(book(Outcome.COMPLETED, expires=True)) == []
    assert kinds(lost, facts(subscribers_last_session=2)) == []  # it had a Session that is no more
    assert kinds(lost, facts(masked=Counter(subscriber=1))) == []
    lost.entries[0].session = None
    assert kinds(lost) == []


def test_nothing_comes_twice_but_qos_1_after_a_cut() -> None:
    for qos, expected in ((0, ["twice"]), (1, []), (2, ["twice"])):
        ledger = deliver(book(Outcome.COMPLETED, qos=qos), 0, 0, qos=qos)
        assert kinds(ledger) == expected
        assert kinds(ledger, facts(connections=2)) == ["twice"]
    ledger = deliver(book(Outcome.COMPLETED, qos=2), 0, 0, qos=2)
    assert kinds(ledger, facts(masked=Counter(publisher=1))) == []


def test_an_earlier_message_comes_first_while_the_sessions_live() -> None:
    ledger = deliver(book(Outcome.COMPLETED, Outcome.COMPLETED), 1, 0, 1)
    assert kinds(ledger) == ["order"]
    assert kinds(ledger, facts(lost=Counter(publisher=1))) == []
    assert kinds(ledger, facts(masked=Counter(subscriber=1))) == []
    ledger.entries[0].accepted = 11  # called at the same time: either order is right
    assert kinds(ledger) == []
    ledger.entries[0].accepted = None
    assert kinds(ledger) == []
    ledger.entries[0].accepted = 1
    ledger.entries[0].topic = "b"
    assert "order" not in kinds(ledger)


def test_what_was_not_sent_is_not_delivered() -> None:
    assert kinds(deliver(book(Outcome.FULL), 0)) == ["ghost"]
    assert kinds(deliver(book(Outcome.EXPIRED), 0)) == ["ghost"]
    assert kinds(book(Outcome.FULL, Outcome.EXPIRED)) == []


def test_what_arrives_was_published_like_that() -> None:
    assert kinds(deliver(book(), 7)) == ["garbled"]
    ledger = book(Outcome.CANCELLED)
    ledger.deliveries.append(Delivery(None, "a", 1, False))
    ledger.deliveries.append(Delivery(0, "b", 1, False))
    assert kinds(ledger) == ["garbled", "garbled"]
    assert kinds(deliver(book(Outcome.CANCELLED), 0, qos=0)) == ["garbled"]


def test_every_publish_has_an_outcome() -> None:
    assert kinds(book(Outcome.OPEN)) == ["open"]
    assert kinds(book(Outcome.OPEN), facts(crash=ValueError("x"))) == ["crash"]


def test_a_loss_is_only_told_where_there_was_one_and_only_at_qos_2() -> None:
    lost = facts(lost=Counter(publisher=1))
    assert kinds(book(Outcome.LOST, qos=2, error=SessionLost())) == ["false loss"]
    assert kinds(book(Outcome.LOST, qos=2, error=SessionLost()), lost) == []
    assert kinds(book(Outcome.LOST, error=SessionLost()), lost) == ["not resent"]
    assert kinds(book(Outcome.LOST, error=SessionLost(), expires=True), lost) == []


def test_any_other_error_is_a_failure_unless_no_client_could_know_better() -> None:
    assert kinds(book(Outcome.FAILED, error=WireReset("gone"))) == ["failed"]
    unknown = PublishRefused(ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)
    assert kinds(book(Outcome.FAILED, error=unknown, qos=2)) == ["failed"]
    assert kinds(book(Outcome.FAILED, error=unknown, qos=2), facts(masked=Counter(publisher=1))) == []
    refused = PublishRefused(ReasonCode.NOT_AUTHORIZED)
    assert kinds(book(Outcome.FAILED, error=refused), facts(masked=Counter(publisher=1))) == ["failed"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unfinished": 2}, "leak: 2 publishes are unfinished at the end"),
        ({"held": 3}, "leak: 3 messages are unacknowledged though consumed"),
        ({"tasks_left": 1}, "leak: 1 tasks are left"),
        ({"server_empty": False}, "leak: the server still holds a connection or a Session of clients that are gone"),
        ({"stuck": True}, "stuck: the run has not come to its end"),
        ({"crash": ExceptionGroup("g", [ValueError("x")])}, "crash: ValueError: x"),
    ],
)
def test_what_is_left_over_or_breaks_is_a_finding(changes: dict[str, object], expected: str) -> None:
    assert [str(finding) for finding in findings_of(Ledger(), facts(**changes))] == [expected]


def test_a_subscriber_that_hears_nothing_any_more_is_a_finding() -> None:
    ledger = book(Outcome.CANCELLED)
    assert kinds(ledger, facts(unheard=list(ledger.entries.values()))) == ["deaf"]


def test_payloads_say_which_message_they_are() -> None:
    assert number_of(payload_of(17, 500)) == 17
    assert number_of(payload_of(0, 0)) == 0
    for payload in (b"", b"17", b"x:", b"17:x", b":\0"):
        assert number_of(payload) is None


@trio_test
async def test_the_digest_is_that_of_the_story() -> None:
    one, two = Ledger(), Ledger()
    for ledger in (one, two):
        ledger.story.append("the same")
    assert one.digest == two.digest
    two.tell(f"something at {trio.current_time()}")
    assert one.digest != two.digest
