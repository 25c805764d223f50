"""The convention between the kit and a Client under test: a program that takes tasks and tells events, a line each.

The kit starts the program with the URL where ``{url}`` stands in its command, and writes tasks to its standard input::

    connect version=5 client_id=abc clean_start=1 keep_alive=60
    subscribe sensors/hall 1
    publish sensors/hall 21.5 1
    disconnect
    exit

The program prints what happens on its standard output, one JSON object a line, and flushes each::

    {"event": "connected", "session_present": false, "reason_code": 0}
    {"event": "subscribed", "codes": [1]}
    {"event": "published"}
    {"event": "message", "topic": "sensors/hall", "payload": "32312e35", "qos": 1, "retain": false}
    {"event": "disconnected", "reason": ""}

**Tasks** are words between single spaces: the task, what it always needs, then settings as ``name=value``
(:data:`TASKS` and :data:`SETTINGS` list them). A number is decimal, a flag ``0`` or ``1``. Text and bytes stand as they
are if they are printable ASCII without a space; whatever else, also nothing at all and what begins with ``hex:``, is
written ``hex:`` and the bytes (text in UTF-8) in hexadecimal. So no word needs quotes, and every language can split a
line. What is not given is left to the Client; only ``version`` is always there.

**Behaviour.** A program takes each task when it comes and does not wait for the one before to be completed, so that
several messages can be under way; ``connect`` alone may be waited for. It does not connect again by itself unless
``reconnect=1`` says so: the kit wants to see one connection at a time. It prints an event when the thing has happened:
``connected`` when the CONNACK has come, whatever its code, ``published`` when the message has completed its exchange,
``disconnected`` when the Network Connection has ended, whoever ended it. A second ``connect`` comes after the end of
the first connection and goes on with the same Client as far as the library can, so that what it holds of the Session
is there. Where a Session is to go on, already the first ``connect`` has ``clean_start=0``, for there are libraries that
cannot change it later. What the library cannot do is answered with ``unsupported`` and never faked; a task
that fails with ``error`` and the task's name. ``exit``, or the end of its input, ends the program at once, connected
or not. All else that it prints, on either output, is its log: the kit keeps the end of that and shows it with failures.

This file is light and may be imported by programs in Python: see the ready ones in
:mod:`mqttws.conformance.client.subjects`, made to be copied.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import IO, Any, ClassVar, Final, TypeAlias

__all__ = [
    "SETTINGS", "TASKS", "Authenticated", "Connected", "Disconnected", "Error", "Event", "Message", "Published",
    "Subscribed", "Task", "Unsubscribed", "Unsupported", "read_event", "say", "tasks",
]  # fmt: skip

Value: TypeAlias = str | bytes | int | bool

#: What each task needs, in this order.
TASKS: Final[Mapping[str, Mapping[str, type]]] = {
    "connect": {},
    "subscribe": {"topic_filter": str, "qos": int},
    "unsubscribe": {"topic_filter": str},
    "publish": {"topic": str, "payload": bytes, "qos": int},
    "reauthenticate": {},
    "disconnect": {},
    "exit": {},
}

#: What may follow as ``name=value``. All but the first six of CONNECT, its Will and ``retain`` are for 5.0 only.
SETTINGS: Final[Mapping[str, Mapping[str, type]]] = {
    "connect": {
        "version": int,  # the protocol level: 4 is 3.1.1
        "client_id": str,
        "clean_start": bool,  # in 3.1.1 CleanSession
        "keep_alive": int,
        "username": str,
        "password": bytes,
        "will_topic": str,
        "will_payload": bytes,
        "will_qos": int,
        "will_retain": bool,
        "session_expiry": int,
        "receive_maximum": int,
        "maximum_packet_size": int,
        "topic_alias_maximum": int,
        "auth_method": str,
        "auth_data": bytes,  # sent in CONNECT, in answer to each AUTH that asks for more, and to authenticate again
        "reconnect": bool,
    },
    "subscribe": {
        "no_local": bool,
        "retain_as_published": bool,
        "retain_handling": int,
        "subscription_identifier": int,
    },
    "publish": {
        "retain": bool,
        "topic_alias": int,
        "message_expiry": int,
        "content_type": str,
        "response_topic": str,
        "correlation_data": bytes,
    },
    "disconnect": {"reason_code": int},
}

_HEX: Final = "hex:"


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``values`` are those of :data:`TASKS` and :data:`SETTINGS`, by their names."""

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in TASKS[self.name] if name not in self.values]
        unknown = self.values.keys() - TASKS[self.name].keys() - SETTINGS.get(self.name, {}).keys()
        if missing or unknown:
            raise ValueError(f"{self.name}: {', '.join([*missing, *sorted(unknown)])} missing or unknown")

    def get(self, name: str, default: Any = None) -> Any:
        """One of its values, or the default."""
        return self.values.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __str__(self) -> str:
        """The line, without its end."""
        needed = [_word(self.values[name]) for name in TASKS[self.name]]
        settings = [f"{name}={_word(value)}" for name, value in self.values.items() if name not in TASKS[self.name]]
        return " ".join([self.name, *needed, *settings])

    @classmethod
    def parse(cls, line: str) -> Task:
        """Read a line. Raises :class:`ValueError`, and says what is wrong, for what the convention does not know."""
        name, *words = line.split()
        if name not in TASKS:
            raise ValueError(f"there is no task {name!r}")
        kinds = TASKS[name]
        if len(words) < len(kinds):
            raise ValueError(f"{name} needs {' '.join(kinds).upper()}")
        values = {key: _value(kind, word) for (key, kind), word in zip(kinds.items(), words, strict=False)}
        for word in words[len(kinds) :]:
            key, _, text = word.partition("=")
            if key not in SETTINGS.get(name, {}):
                raise ValueError(f"{name} has no setting {key!r}")
            values[key] = _value(SETTINGS[name][key], text)
        return cls(name, values)


def _word(value: Value) -> str:
    """A value as one word."""
    if isinstance(value, int):
        return str(int(value))
    data = value.encode() if isinstance(value, str) else value
    plain = data.isascii() and data.decode("ascii").isprintable() and b" " not in data
    return data.decode("ascii") if data and plain and not data.startswith(_HEX.encode()) else _HEX + data.hex()


def _value(kind: type, word: str) -> Value:
    """The value that a word stands for. Raises :class:`ValueError`."""
    if kind is bool:
        if word not in ("0", "1"):
            raise ValueError(f"{word!r} is neither 0 nor 1")
        return word == "1"
    if kind is int:
        return int(word)
    data = bytes.fromhex(word[len(_HEX) :]) if word.startswith(_HEX) else word.encode()
    return data if kind is bytes else data.decode()


@dataclass(frozen=True, slots=True)
class Event:
    """What a Client has told. The members of the JSON object are the fields, bytes in hexadecimal."""

    name: ClassVar[str]
    answers: ClassVar[str | None] = None  #: the task that it answers

    def __str__(self) -> str:
        """The line, without its end."""
        members = {one.name: getattr(self, one.name) for one in fields(self)}
        shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in members.items()}
        return json.dumps({"event": self.name, **shown})


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """CONNACK has come. A ``reason_code`` but 0 says why it refused, as the library numbers it.

    ``session_present`` is None where the library does not tell.
    """

    name = "connected"
    answers = "connect"
    session_present: bool | None
    reason_code: int = 0


@dataclass(frozen=True, slots=True)
class Subscribed(Event):
    """SUBACK has come, with these codes."""

    name = "subscribed"
    answers = "subscribe"
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribed(Event):
    """The Client counts it as done, as a rule when UNSUBACK has come; 3.1.1 has no codes."""

    name = "unsubscribed"
    answers = "unsubscribe"
    codes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Published(Event):
    """A message has gone out at QoS 0, or been acknowledged to the end. A code from 0x80 on: it was refused."""

    name = "published"
    answers = "publish"
    reason_code: int | None = None


@dataclass(frozen=True, slots=True)
class Message(Event):
    """A message has come."""

    name = "message"
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Authenticated(Event):
    """The Server is content with an authentication on the open connection."""

    name = "authenticated"
    answers = "reauthenticate"


@dataclass(frozen=True, slots=True)
class Disconnected(Event):
    """The Network Connection has ended. ``reason`` is for people, ``reason_code`` that of a Server's DISCONNECT."""

    name = "disconnected"
    answers = "disconnect"
    reason: str = ""
    reason_code: int | None = None


@dataclass(frozen=True, slots=True)
class Error(Event):
    """Something went wrong: a task, if one is named."""

    name = "error"
    message: str
    task: str = ""


@dataclass(frozen=True, slots=True)
class Unsupported(Event):
    """The Client cannot do a task, or not with these settings."""

    name = "unsupported"
    task: str
    why: str = ""


_EVENTS: Final[Mapping[str, type[Event]]] = {
    kind.name: kind
    for kind in (
        Connected, Subscribed, Unsubscribed, Published, Message, Authenticated, Disconnected, Error, Unsupported,
    )
}  # fmt: skip


def read_event(line: bytes) -> Event | None:
    """The event of a line, None if it is something else. Raises :class:`ValueError` for one that is badly made."""
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):  # bytes that are no text among them
        return None
    if not isinstance(members, dict) or "event" not in members:
        return None
    name = members.pop("event")
    kind = _EVENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"there is no event {name!r}")
    known = {one.name: one for one in fields(kind)}
    if unknown := members.keys() - known.keys():
        raise ValueError(f"{name} has no member {min(unknown)!r}")
    for key, one in known.items():
        if key not in members and one.default is MISSING:
            raise ValueError(f"{name} lacks the member {key!r}")
    return kind(**{key: _member(f"{name}: {key}", str(known[key].type), value) for key, value in members.items()})


def _member(what: str, kind: str, value: Any) -> Any:
    """A member's value for a field of a type, which is known by its text."""
    if value is None and kind.endswith("| None"):
        return None
    match kind.removesuffix(" | None"):
        case "bool" if isinstance(value, bool):
            return value
        case "int" if _is_octet(value):
            return value
        case "str" if isinstance(value, str):
            return value
        case "bytes" if isinstance(value, str):
            return bytes.fromhex(value)
        case "tuple[int, ...]" if isinstance(value, list) and all(map(_is_octet, value)):
            return tuple(value)
    raise ValueError(f"{what} is no {kind}")


def _is_octet(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFF


def tasks(source: IO[str] | None = None) -> Iterator[Task]:
    """For programs in Python: the tasks on standard input until ``exit`` or the end; unknown ones are answered."""
    for line in sys.stdin if source is None else source:
        if not line.strip():
            continue
        try:
            task = Task.parse(line)
        except ValueError as error:
            say(Unsupported(line.split()[0], str(error)))
            continue
        if task.name == "exit":
            return
        yield task


def say(event: Event) -> None:
    """For programs in Python: print an event at once; in one piece, so that threads do not mix their lines."""
    sys.stdout.write(f"{event}\n")
    sys.stdout.flush()
