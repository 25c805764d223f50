"""How a setting is written down: value in each profile, row of the emulation contract, origin, bounds.

The settings themselves stand in :mod:`mqttws.endpoint.service`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, field
from enum import StrEnum
from typing import Any, Final

__all__ = ["PROFILES", "Fixed", "Origin", "Setting", "check", "read_value", "row", "setting"]

#: The columns of the table.
PROFILES: Final = ("webpubsub", "generic")


class Origin(StrEnum):
    """Where a default of the profile ``webpubsub`` comes from."""

    DOCUMENTED = "documented"
    """Microsoft's documentation, schemas or staff say so."""
    INFERRED = "inferred"
    """It follows from the MQTT standard and documented facts; nobody says it of this service."""
    UNKNOWN = "unknown"
    """The sources are silent; some value is needed."""
    OURS = "ours"
    """Protects this process or is an addition of ours, and has no counterpart to imitate."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. ``default`` is that of the profile ``webpubsub``, ``generic`` that of the other one."""

    name: str
    default: Any
    generic: Any
    row: str
    origin: Origin
    meaning: str
    value: Any


@dataclass(frozen=True, slots=True)
class Fixed:
    """A row of the contract that is inferred and not settable: MQTT itself leaves no other answer."""

    row: str
    meaning: str


_SAME: Final = object()


def setting(
    default: Any,
    row: str,
    origin: Origin,
    meaning: str,
    *,
    generic: Any = _SAME,
    least: float | None = None,
    most: float | None = None,
    choices: Iterable[object] = (),
) -> Any:
    """A field of :class:`~mqttws.endpoint.service.Service`; ``generic`` where that profile has another default."""
    about = {
        "webpubsub": default,
        "generic": default if generic is _SAME else generic,
        "row": row,
        "origin": origin,
        "meaning": meaning,
        "least": least,
        "most": most,
        "choices": tuple(choices),
    }
    return field(default=default, metadata=about)


def row(item: Field[Any], value: Any) -> Setting:
    """The row that a field stands for."""
    about = item.metadata
    return Setting(item.name, item.default, about["generic"], about["row"], about["origin"], about["meaning"], value)


def check(item: Field[Any], value: Any) -> None:
    """Raise :class:`ValueError` unless ``value`` is of the default's kind and within the row's bounds."""
    name, default, about = item.name, item.default, item.metadata
    if default is None:
        if value is not None and not isinstance(value, frozenset):
            raise ValueError(f"{name} is a frozenset of strings or None")
        return
    kind: Any = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, kind) or isinstance(value, bool) is not isinstance(default, bool):
        raise ValueError(f"{name} is {value!r}, but should be like {default!r}")
    if about["choices"] and value not in about["choices"]:
        raise ValueError(f"{name} is {value!r}, but should be one of {', '.join(map(repr, about['choices']))}")
    least, most = about["least"], about["most"]
    if least is not None and not value >= least:
        raise ValueError(f"{name} is {value!r}, but should be {least} or more")
    if most is not None and value > most:
        raise ValueError(f"{name} is {value!r}, but should be {most} or less")


_WORDS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_READERS: Final[dict[type, Callable[[str], Any]]] = {
    bool: lambda text: _WORDS[text.lower()],
    int: lambda text: int(text, 0),
    float: float,
    str: str,
    type(None): lambda text: frozenset(filter(None, (part.strip() for part in text.split(",")))) or None,
}


def read_value(default: Any, text: str) -> Any:
    """A value as people write it: numbers also in hexadecimal, sets as a list with commas; an empty list is None.

    Raises :class:`ValueError` or :class:`KeyError` for what is not like ``default``.
    """
    return _READERS[type(default)](text.strip())
