"""How event handlers are configured: where each is, and what it takes.

A hub has an ordered list of them, and the first that takes an event gets it. The name ``_default`` stands for every hub
that has no list of its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from mqttws.endpoint.upstream import Answer, Call
from mqttws.transport import HttpUrl
from mqttws.webpubsub import check_hub

__all__ = ["EVERY_HUB", "SYSTEM_EVENTS", "EventHandler", "Function", "HandlerFault", "Handlers", "check_handlers"]

#: Stands for the hubs without a list of their own (as in Microsoft's emulator); it is no hub's name.
EVERY_HUB: Final = "_default"

SYSTEM_EVENTS: Final = ("connect", "connected", "disconnected")

#: A handler in this process. ``ConnectRequest`` is answered with ``Granted`` or ``Denied``, ``UserEvent`` with
#: ``EventAnswer``, and the other two with nothing.
Function: TypeAlias = Callable[[Call], Awaitable[Answer | None]]

#: What the ``{event}`` of a URL is when the URL is validated (documented).
VALIDATE: Final = "validate"

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
#: Servers resolve these segments, and so would leave the configured path.
_DOTS: Final = re.compile(r"/\.{1,2}(?:/|$)")


class HandlerFault(ValueError):
    """A configuration that cannot be used. ``key`` names the place, the text what is wrong there; neither has a URL."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key
        self.text = text


@dataclass(frozen=True, slots=True, repr=False)
class EventHandler:
    """Where events go, and which.

    ``target`` is a URL (``http`` or ``https``), in which ``{hub}`` and ``{event}`` stand for their names, outside the
    host; or an async function of this process. A URL may carry a ``?code=…``; its query is never shown. ``user_events``
    is ``*`` for all, or names separated by commas, or empty. ``system_events`` are some of ``connect``, ``connected``
    and ``disconnected``. Names of events are case-sensitive. Raises :class:`HandlerFault`.
    """

    target: str | Function
    user_events: str = "*"
    system_events: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.target, str):
            _check_url(self.target)
        elif not callable(self.target):
            raise HandlerFault("url", f"this is a URL or an async function, not {type(self.target).__name__}")
        if not isinstance(self.user_events, str):
            raise HandlerFault("user_events", "this is one text: * or names separated by commas")
        for name in self._names():
            if "/" in name or (not name and self.user_events):
                raise HandlerFault("user_events", f"{name!r} is no name of an event")
        if isinstance(self.system_events, str) or not isinstance(self.system_events, Sequence):
            raise HandlerFault("system_events", "this is a list of names")
        for event in self.system_events:
            if event not in SYSTEM_EVENTS:
                raise HandlerFault("system_events", f"{event!r} is none of {', '.join(SYSTEM_EVENTS)}")
        if not self.user_events and not self.system_events:
            raise HandlerFault("user_events", "the handler takes no event at all")

    def __repr__(self) -> str:
        if isinstance(self.target, str):
            where = str(HttpUrl.parse(_expand(self.target, "hub", "event")))
        else:
            where = getattr(self.target, "__qualname__", type(self.target).__name__)
        return f"<EventHandler {where} for user events {self.user_events!r}, system events {list(self.system_events)}>"

    @classmethod
    def from_table(cls, table: object, where: str) -> EventHandler:
        """A handler as a table of a configuration file says it: ``url``, ``user_events``, ``system_events``.

        ``where`` is the table's place in the file, with which the key of a :class:`HandlerFault` begins.
        """
        if not isinstance(table, Mapping):
            raise HandlerFault(where, "this is a table with the keys url, user_events, system_events")
        known = ["url", *(item.name for item in fields(cls)[1:])]
        for key in table:
            if key not in known:
                raise HandlerFault(f"{where}.{key}", f"there is no such key, only {', '.join(known)}")
        given: dict[str, Any] = dict(table)
        url = given.pop("url", None)
        if not isinstance(url, str):
            raise HandlerFault(f"{where}.url", "the URL is missing" if url is None else "this is a text")
        try:
            return cls(url, **given)
        except HandlerFault as fault:
            raise HandlerFault(f"{where}.{fault.key}", fault.text) from None

    def takes_system(self, name: str) -> bool:
        """Whether ``connect``, ``connected`` or ``disconnected`` is for this handler."""
        return name in self.system_events

    def takes_event(self, hub: str, name: str) -> bool:
        """Whether a user event is for this handler; one whose name would lead out of the URL's path is not."""
        names = self._names()
        if "*" not in names and name not in names:
            return False
        return not isinstance(self.target, str) or not _leaves_path(_expand(self.target, hub, name))

    def _names(self) -> list[str]:
        return [name.strip() for name in self.user_events.split(",")]

    def url(self, hub: str, event: str) -> HttpUrl:
        """Where an event of a hub is posted to; only for a handler that has a URL."""
        assert isinstance(self.target, str)
        return HttpUrl.parse(_expand(self.target, hub, event))


#: For each hub its event handlers in their order.
Handlers: TypeAlias = Mapping[str, Sequence[EventHandler]]


def check_handlers(handlers: Mapping[str, object]) -> None:
    """Raise :class:`HandlerFault` for a hub that there cannot be, or something that is no list of handlers."""
    for hub, of_hub in handlers.items():
        if hub != EVERY_HUB:
            try:
                check_hub(hub)
            except ValueError as problem:
                raise HandlerFault(hub, str(problem)) from None
        if not (isinstance(of_hub, list | tuple) and all(isinstance(each, EventHandler) for each in of_hub)):
            raise HandlerFault(hub, "this is a list of EventHandler")


def _expand(template: str, hub: str, event: str) -> str:
    """The URL with its parameters filled in; whatever they hold, they stay within their segment."""
    return template.replace("{hub}", quote(hub, safe="")).replace("{event}", quote(event, safe=""))


def _leaves_path(url: str) -> bool:
    path = url.partition("://")[2].partition("?")[0]
    return _DOTS.search(path) is not None


def _check_url(template: str) -> None:
    for name in _BRACES.findall(template):
        if name not in ("hub", "event"):
            raise HandlerFault("url", f"there is no parameter {{{name}}}, only {{hub}} and {{event}}")
    if re.search(r"[{}]", _BRACES.sub("", template)):
        raise HandlerFault("url", "a brace stands alone; parameters read {hub} and {event}")
    host = re.split("[/?#]", template.partition("://")[2], maxsplit=1)[0]
    if "{" in host:
        raise HandlerFault("url", "parameters stand behind the host, not in it")
    expanded = _expand(template, "hub", VALIDATE)
    try:
        url = HttpUrl.parse(expanded)
    except ValueError as problem:
        raise HandlerFault("url", str(problem)) from None
    if url.username is not None:
        raise HandlerFault("url", "the URL holds credentials; only a code in its query is known to event handlers")
    if _leaves_path(expanded):
        raise HandlerFault("url", "the path holds a segment of dots")
