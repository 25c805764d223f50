"""The file that ``mqttws serve --config`` reads, in TOML.

Keys are those of the options with underscores. A file that cannot be used in whole is not used at all: a typing error
in it must not open a door.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from mqttws.cli.outcome import UsageError
from mqttws.endpoint import EventHandler, HandlerFault

__all__ = ["EXAMPLE", "ServeConfig", "load"]

#: Bytes of a file; configurations are small.
_FILE_LIMIT: Final = 1_048_576

EXAMPLE: Final = """\
host = "localhost"
port = 8080
profile = "webpubsub"
hubs = ["chat", "news"]
access_key_file = "primary.key"
secondary_key_file = "secondary.key"

[settings]
anonymous = false
queue_messages = 100

[[event_handlers.chat]]
url = "http://localhost:3000/eventhandler/{event}"
user_events = "*"
system_events = ["connect", "connected", "disconnected"]
"""


@dataclass(slots=True, kw_only=True)
class ServeConfig:
    """What the file says; None where it says nothing."""

    host: str | None = None
    port: int | None = None
    profile: str | None = None
    hubs: list[str] | None = None
    access_key: str | None = field(default=None, repr=False)
    access_key_file: str | None = None
    secondary_key: str | None = field(default=None, repr=False)
    secondary_key_file: str | None = None
    lifetime: float | None = None
    cert: str | None = None
    key: str | None = None
    tls: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    event_handlers: dict[str, list[EventHandler]] = field(default_factory=dict)


#: What each key holds, in words and as types.
_KINDS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "port": ("a number", (int,)),
    "lifetime": ("a number of seconds", (int, float)),
    "hubs": ("a list of names", (list,)),
    "settings": ("a table", (dict,)),
    "event_handlers": ("a table of lists of tables, by hub", (dict,)),
}
_TEXT: Final = ("a text", (str,))


def load(path: str) -> ServeConfig:
    """The configuration in a file; :class:`UsageError` that names the key where something is wrong."""
    table = _read(path)
    known = [item.name for item in fields(ServeConfig)]
    for name, value in table.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise _wrong(path, name, f"there is no such key{f'; did you mean {close[0]}?' if close else ''}")
        words, kinds = _KINDS.get(name, _TEXT)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise _wrong(path, name, f"this is {words}")
    config = ServeConfig(**{**table, "event_handlers": _event_handlers(path, table.get("event_handlers", {}))})
    if config.port is not None and not 0 <= config.port <= 65_535:
        raise _wrong(path, "port", "this is a number from 0 to 65,535")
    if config.hubs is not None and not (config.hubs and all(isinstance(hub, str) for hub in config.hubs)):
        raise _wrong(path, "hubs", "this is a list of names, with at least one; without the key every hub is served")
    if config.lifetime is not None and not 0 < config.lifetime < 1e9:
        raise _wrong(path, "lifetime", "this is a number of seconds above 0")
    for name, value in config.settings.items():
        if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                raise _wrong(path, f"settings.{name}", "a list holds texts")
            config.settings[name] = frozenset(value) or None
    return config


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _FILE_LIMIT:
        raise UsageError(f"cannot use {path}: it has more than {_FILE_LIMIT:,} bytes")
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise UsageError(f"cannot use {path}: {error}") from None
    if not table:
        raise UsageError(f"cannot use {path}: it says nothing")
    return table


def _event_handlers(path: str, hubs: dict[str, Any]) -> dict[str, list[EventHandler]]:
    handlers: dict[str, list[EventHandler]] = {}
    for hub, tables in hubs.items():
        where = f"event_handlers.{hub}"
        if not isinstance(tables, list):
            raise _wrong(path, where, "this is a list of tables: [[event_handlers.…]]")
        try:
            handlers[hub] = [
                EventHandler.from_table(table, f"{where}[{number}]") for number, table in enumerate(tables, 1)
            ]
        except HandlerFault as fault:
            raise UsageError(f"cannot use {path}: {fault}") from None
    return handlers


def _wrong(path: str, key: str, text: str) -> UsageError:
    return UsageError(f"cannot use {path}: {key}: {text}")
