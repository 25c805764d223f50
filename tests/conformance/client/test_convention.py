"""Tasks and events: what is written is read again, and what is not in the convention is no event."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.conformance.client import convention
from mqttws.conformance.client.convention import (
    SETTINGS,
    TASKS,
    Authenticated,
    Connected,
    Disconnected,
    Error,
    Event,
    Message,
    Published,
    Subscribed,
    Task,
    Unsubscribed,
    Unsupported,
    read_event,
)

VALUES: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**32 - 1),
    bool: st.booleans(),
    str: st.text(),
    bytes: st.binary(),
}


@st.composite
def any_task(draw: st.DrawFn) -> Task:
    """Any task, with any of its settings."""
    name = draw(st.sampled_from(sorted(TASKS)))
    settings = {key: kind for key, kind in SETTINGS.get(name, {}).items() if draw(st.booleans())}
    return Task(name, {key: draw(VALUES[kind]) for key, kind in {**TASKS[name], **settings}.items()})


@given(any_task())
def test_every_task_is_one_line_of_ascii_and_is_read_again(task: Task) -> None:
    line = str(task)
    assert line.isascii()
    assert line.isprintable()
    assert Task.parse(f"{line}\n") == task


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (
            Task("connect", {"version": 5, "clean_start": True, "client_id": ""}),
            "connect version=5 clean_start=1 client_id=hex:",
        ),
        (Task("subscribe", {"topic_filter": "a/+/b c", "qos": 1}), "subscribe hex:612f2b2f622063 1"),
        (Task("publish", {"topic": "a", "payload": b"21.5", "qos": 0, "retain": True}), "publish a 21.5 0 retain=1"),
        (Task("publish", {"topic": "hex:", "payload": b"\xff", "qos": 2}), "publish hex:6865783a hex:ff 2"),
        (Task("exit"), "exit"),
    ],
)
def test_a_task_reads_as_the_convention_says(task: Task, line: str) -> None:
    assert str(task) == line
    assert Task.parse(line) == task


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dance", "no task 'dance'"),
        ("subscribe a", "TOPIC_FILTER QOS"),
        ("subscribe a one", "invalid literal"),
        ("connect version=5 mood=good", "no setting 'mood'"),
        ("connect clean_start=yes", "neither 0 nor 1"),
        ("unsubscribe hex:ff", "utf-8"),
        ("publish a hex:0 1", "hex"),
        ("exit now", "no setting"),
    ],
)
def test_a_task_that_is_unknown_says_why(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Task.parse(line)


def test_a_task_is_not_made_without_what_it_needs_or_with_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="subscribe: qos missing or unknown"):
        Task("subscribe", {"topic_filter": "a"})
    with pytest.raises(ValueError, match="disconnect: mood missing or unknown"):
        Task("disconnect", {"mood": 1})


def test_the_values_of_a_task_are_asked_for_by_name() -> None:
    task = Task("publish", {"topic": "a", "payload": b"", "qos": 1})
    assert (task["topic"], task.get("retain", False), task.get("content_type")) == ("a", False, None)


EVENTS = [
    Connected(False),
    Connected(None, 0x87),
    Subscribed((0, 0x80)),
    Unsubscribed(),
    Published(0x10),
    Message("a/ü", b"\0\xff", 1, True),
    Authenticated(),
    Disconnected("by the Server", 0x8B),
    Error("no route", "connect"),
    Unsupported("publish", "no QoS 2"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_one_line_and_is_read_again(event: Event) -> None:
    assert "\n" not in str(event)
    assert read_event(str(event).encode()) == event


def test_an_event_may_leave_out_what_has_a_default() -> None:
    assert read_event(b'{"event": "published"}\r') == Published()
    assert read_event(b'{"event": "message", "topic": "a", "payload": "6869"}') == Message("a", b"hi")


@pytest.mark.parametrize(
    "line", [b"", b"connected", b"[1]", b'"event"', b"{}", b'{"level": "info"}', b"\xff{}", b"[" * 100_000]
)
def test_whatever_else_a_program_prints_is_no_event(line: bytes) -> None:
    assert read_event(line) is None


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"event": "conected"}, "no event 'conected'"),
        ({"event": 7}, "no event 7"),
        ({"event": "connected"}, "lacks the member 'session_present'"),
        ({"event": "connected", "session_present": 1}, "session_present is no bool"),
        ({"event": "connected", "session_present": False, "reason_code": True}, "reason_code is no int"),
        ({"event": "connected", "session_present": False, "reason_code": 256}, "reason_code is no int"),
        ({"event": "published", "mid": 4}, "no member 'mid'"),
        ({"event": "subscribed", "codes": "1"}, "codes is no tuple"),
        ({"event": "subscribed", "codes": [-1]}, "codes is no tuple"),
        ({"event": "message", "topic": None, "payload": ""}, "topic is no str"),
        ({"event": "message", "topic": "a", "payload": "xy"}, "hex"),
    ],
)
def test_an_event_that_is_badly_made_says_why(members: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_event(json.dumps(members).encode())


def test_a_program_in_python_gets_its_tasks_until_exit_and_the_unknown_ones_are_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = io.StringIO("connect version=4\n\ndance all=night\ndisconnect\nexit\nconnect version=5\n")
    assert list(convention.tasks(source)) == [Task("connect", {"version": 4}), Task("disconnect")]
    assert read_event(capsys.readouterr().out.encode()) == Unsupported("dance", "there is no task 'dance'")


def test_its_input_is_standard_input_and_may_end_without_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("disconnect\n"))
    assert list(convention.tasks()) == [Task("disconnect")]
