"""Checks: plain async functions, each with the statements that it decides, registered by being imported.

A check takes a probe, does something, and returns if the subject has passed; else it raises an
:class:`~mqttws.conformance.verdict.Outcome`. One function may serve both versions, which number their statements each
in its own way::

    @server_check(v5="MQTT-3.1.0-2", v311="MQTT-3.1.0-2")
    async def second_connect(probe: ServerProbe) -> None:
        "A second CONNECT on a connection ends it."

Rules without a number are named by where they stand: ``RFC 6455, 5.1``, ``MQTT 5.0, 4.13.1``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from inspect import cleandoc, getdoc
from pkgutil import iter_modules
from typing import Any, Final, TypeAlias, TypeVar

from mqttws.conformance import statements
from mqttws.vocabulary import ProtocolVersion

__all__ = ["Check", "Kind", "Run", "chapter_of", "checker", "checks", "numbered"]

#: What a check is to begin with. Its probe is that of its kind of subject.
Run: TypeAlias = Callable[[Any], Awaitable[None]]
_Function = TypeVar("_Function", bound=Run)


class Kind(Enum):
    """What is tested."""

    SERVER = "server"
    CLIENT = "client"
    CODEC = "codec"


@dataclass(frozen=True, slots=True)
class Check:
    """One check in one version.

    ``needs`` are what the subject has to offer (names of the probe's capabilities), ``alone`` whether nothing else may
    go on at that subject meanwhile. ``chapter`` is that of its first statement in its version ("3.1"). A ``passive``
    one does nothing itself: it judges what the subject has sent to all others, so it comes last.
    """

    kind: Kind
    version: ProtocolVersion
    name: str
    title: str
    statements: tuple[str, ...]
    chapter: str
    needs: frozenset[str]
    alone: bool
    run: Run
    passive: bool = False

    @property
    def id(self) -> str:
        """Unique: ``server/5.0/second_connect``."""
        return f"{self.kind.value}/{'5.0' if self.version == ProtocolVersion.V5 else '3.1.1'}/{self.name}"


_REGISTRY: Final[dict[Kind, dict[str, Check]]] = {kind: {} for kind in Kind}
_NUMBERS: Final[dict[ProtocolVersion, dict[str, str]]] = {}
#: A rule without a number, by document and section.
_SECTION: Final = re.compile(r"(RFC 6455|MQTT 5\.0|MQTT 3\.1\.1), (\d+(?:\.\d+)*)")


def numbered(version: ProtocolVersion) -> dict[str, str]:
    """All statements of a version, each with its chapter: ``"MQTT-3.1.0-2"`` with ``"3.1"``."""
    if version not in _NUMBERS:
        _NUMBERS[version] = {one["id"]: ".".join(one["section"].split(".")[:2]) for one in statements(version)}
    return _NUMBERS[version]


def checker(kind: Kind) -> Callable[..., Callable[[_Function], _Function]]:
    """The decorator for checks of one kind of subject.

    It takes ``v5`` and ``v311``, each a statement or several; without one of them the check is for the other version
    only. Raises :class:`ValueError` for a statement that does not exist in that version, a check without one, a name
    that is taken, and a function without a sentence about it.
    """

    def decorator(
        *,
        v5: str | tuple[str, ...] = (),
        v311: str | tuple[str, ...] = (),
        needs: str | tuple[str, ...] = (),
        alone: bool = False,
    ) -> Callable[[_Function], _Function]:
        def register(function: _Function) -> _Function:
            name = function.__name__
            title = cleandoc(getdoc(function) or "").partition("\n")[0]
            if not title:
                raise ValueError(f"the check {name} has no title")
            if not v5 and not v311:
                raise ValueError(f"the check {name} decides nothing")
            for version, said in ((ProtocolVersion.V5, v5), (ProtocolVersion.V3_1_1, v311)):
                if said:
                    ids = _tuple(said)
                    chapter = chapter_of(name, version, ids)
                    wants = frozenset(_tuple(needs))
                    made = Check(kind, version, name, title, ids, chapter, wants, alone, function)
                    if made.id in _REGISTRY[kind]:
                        raise ValueError(f"there are two checks {made.id}")
                    _REGISTRY[kind][made.id] = made
            return function

        return register

    return decorator


def _tuple(said: str | tuple[str, ...]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else said


def chapter_of(name: str, version: ProtocolVersion, ids: tuple[str, ...]) -> str:
    """The chapter of a check: that of its first statement. Raises :class:`ValueError` for one that does not exist."""
    known = numbered(version)
    for one in ids:
        if one not in known and not _SECTION.fullmatch(one):
            raise ValueError(f"the check {name} names {one}, which version {version:d} does not have")
    return known.get(ids[0]) or _chapter_of_rule(ids[0])


def _chapter_of_rule(rule: str) -> str:
    """The chapter of a rule without a number; WebSocket has one of its own, 6."""
    document, _, section = rule.partition(", ")
    return "6" if document == "RFC 6455" else ".".join(section.split(".")[:2])


def checks(kind: Kind) -> list[Check]:
    """All checks of a kind of subject: by version, 3.1.1 first, chapter and the order in which they are written.

    The passive ones are among them.
    """
    package = import_module(f"mqttws.conformance.{kind.value}.checks")
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)
    passive: list[Check] = import_module("mqttws.conformance.passive").passive_checks(kind)
    found = [*_REGISTRY[kind].values(), *passive]
    return sorted(found, key=lambda one: (one.version, [int(part) for part in one.chapter.split(".")]))
