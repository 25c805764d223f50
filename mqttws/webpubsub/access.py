"""Roles: the strings that a token carries, and what they allow.

A topic is a group, so ``webpubsub.sendToGroup`` is the right to publish and ``webpubsub.joinLeaveGroup`` the right to
subscribe and unsubscribe. Each comes in three forms: bare for every topic, ``.<topic>`` for one, and (with the plural
``…Groups``) ``.<pattern>`` for all that match. Without a role a Client may do neither.

In a pattern ``?`` stands for one character and ``*`` for any number of characters except ``.``, ``**`` for any number
of characters at all, and ``\\`` takes the meaning from a ``\\``, ``*`` or ``?`` behind it (documented). The separator
is the dot, so ``*`` crosses ``/``. Patterns are permissions only; they allow no MQTT wildcard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

__all__ = [
    "GROUP_NAME_LIMIT",
    "LITERALS_LIMIT",
    "PATTERNS_LIMIT",
    "PATTERN_LENGTH_LIMIT",
    "PATTERN_STARS_LIMIT",
    "Grants",
    "Pattern",
    "Permission",
    "Roles",
    "check_group",
]

#: Characters in a group name, and so in a topic (documented, REST schema).
GROUP_NAME_LIMIT: Final = 1024
#: ``*`` characters in a pattern, those of ``**`` included (documented). Escaped ones do not count here (inferred).
PATTERN_STARS_LIMIT: Final = 5
#: Characters in a pattern (Microsoft's emulator; for the service unknown).
PATTERN_LENGTH_LIMIT: Final = 1024
#: Literal topics per permission and connection (Microsoft's emulator; for the service unknown).
LITERALS_LIMIT: Final = 1000
#: Patterns per permission and connection (Microsoft's emulator; for the service unknown).
PATTERNS_LIMIT: Final = 10

_PUBLISH: Final = "webpubsub.sendToGroup"
_SUBSCRIBE: Final = "webpubsub.joinLeaveGroup"


def check_group(name: str) -> None:
    """Raise :class:`ValueError` unless this names a group, and so a topic: 1 to 1024 characters, not all blank."""
    if not name.strip():
        raise ValueError("a group (topic) name needs a character that is not white space")
    if len(name) > GROUP_NAME_LIMIT:
        raise ValueError(f"a group (topic) name has at most {GROUP_NAME_LIMIT} characters, this one has {len(name)}")


class Pattern:
    """A compiled group pattern.

    Matching walks over the name once and keeps the set of pattern positions reached as the bits of one integer, so
    there is no backtracking: the time is that of the name's length, whatever the pattern.
    """

    __slots__ = ("_accepts", "_any", "_crosses_dots", "_end", "_stays_in_segment", "text")

    def __init__(self, text: str) -> None:
        """Raise :class:`ValueError` if ``text`` is empty or too long, has too many ``*`` or a stray ``\\``."""
        if not text or len(text) > PATTERN_LENGTH_LIMIT:
            raise ValueError(f"a pattern has 1 to {PATTERN_LENGTH_LIMIT} characters")
        self.text = text
        self._accepts: dict[str, int] = {}  # character -> positions whose next character it is
        self._any = 0  # positions whose next character is "?"
        self._stays_in_segment = 0  # positions that swallow anything but a dot
        self._crosses_dots = 0  # positions that swallow anything
        self._end = self._compile(text)

    def _compile(self, text: str) -> int:
        """Fill the tables; return the bit of the position behind the last character."""
        here, at, stars = 1, 0, 0
        while at < len(text):
            character = text[at]
            if character == "*":
                crosses = text.startswith("**", at)
                width = 2 if crosses else 1
                stars += width
                if crosses:
                    self._crosses_dots |= here
                else:
                    self._stays_in_segment |= here
                at += width
                continue
            if character == "?":
                self._any |= here
            else:
                if character == "\\":
                    at += 1
                    character = text[at : at + 1]
                    if character not in ("\\", "*", "?"):
                        raise ValueError(r"in a pattern a \ stands before another \, a * or a ?")
                self._accepts[character] = self._accepts.get(character, 0) | here
            here <<= 1
            at += 1
        if stars > PATTERN_STARS_LIMIT:
            raise ValueError(f"a pattern has at most {PATTERN_STARS_LIMIT} characters '*', this one has {stars}")
        return here

    def matches(self, name: str) -> bool:
        """Whether a group name matches; one longer than a group name may be never does."""
        if len(name) > GROUP_NAME_LIMIT:
            return False
        reached = 1
        for character in name:
            accepts = self._accepts.get(character, 0)
            stays = self._crosses_dots
            if character != ".":
                accepts |= self._any
                stays |= self._stays_in_segment
            reached = (reached & accepts) << 1 | (reached & stays)
            if not reached:
                return False
        return bool(reached & self._end)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


@dataclass(frozen=True, slots=True)
class _Permission:
    """One of the two rights, in its three forms."""

    everywhere: bool
    literals: frozenset[str]
    patterns: tuple[Pattern, ...]

    def covers(self, topic: str, *, literally: bool = False) -> bool:
        if self.everywhere or topic in self.literals:
            return True
        return not literally and any(pattern.matches(topic) for pattern in self.patterns)

    def extended(self, other: _Permission) -> _Permission:
        patterns = {pattern.text: pattern for pattern in (*self.patterns, *other.patterns)}
        return _Permission(
            self.everywhere or other.everywhere, self.literals | other.literals, tuple(patterns.values())
        )

    def granted(self, target: str | None) -> _Permission:
        if target is None:
            return replace(self, everywhere=True)
        check_group(target)
        if len(self.literals) >= LITERALS_LIMIT and target not in self.literals:
            raise ValueError(f"more than {LITERALS_LIMIT} topics for one permission")
        return replace(self, literals=self.literals | {target})

    def revoked(self, target: str | None) -> _Permission:
        if target is None:
            return _NOTHING
        return replace(self, literals=self.literals - {target})


_NOTHING: Final = _Permission(False, frozenset(), ())


class Permission(StrEnum):
    """The two rights, by the names that REST has for them."""

    PUBLISH = "sendToGroup"
    SUBSCRIBE = "joinLeaveGroup"


class _Collector:
    """Gathers the roles of one permission within the limits."""

    def __init__(self) -> None:
        self.everywhere = False
        self.literals: set[str] = set()
        self.patterns: dict[str, Pattern] = {}

    def add_literal(self, name: str) -> None:
        check_group(name)
        if len(self.literals) >= LITERALS_LIMIT and name not in self.literals:
            raise ValueError(f"more than {LITERALS_LIMIT} topics for one permission")
        self.literals.add(name)

    def add_pattern(self, text: str) -> None:
        pattern = Pattern(text)
        if len(self.patterns) >= PATTERNS_LIMIT and text not in self.patterns:
            raise ValueError(f"more than {PATTERNS_LIMIT} patterns for one permission")
        self.patterns[text] = pattern

    def permission(self) -> _Permission:
        return _Permission(self.everywhere, frozenset(self.literals), tuple(self.patterns.values()))


@dataclass(frozen=True, slots=True)
class Grants:
    """What a set of roles allows. Matching is case-sensitive.

    ``ignored`` has one readable line for each role that counts for nothing: malformed, beyond a limit, or not one of
    the service's. Such roles are skipped and the others hold, as in Microsoft's emulator.
    """

    _publish: _Permission
    _subscribe: _Permission
    ignored: tuple[str, ...] = ()

    @classmethod
    def from_roles(cls, roles: Iterable[str]) -> Grants:
        """Read role strings, in any order and with repetitions."""
        collectors = {_PUBLISH: _Collector(), _SUBSCRIBE: _Collector()}
        ignored = []
        for role in roles:
            try:
                _collect(role, collectors)
            except ValueError as problem:
                ignored.append(f"role {role[:100]!a} ignored: {problem}")
        return cls(collectors[_PUBLISH].permission(), collectors[_SUBSCRIBE].permission(), tuple(ignored))

    def may_publish(self, topic: str) -> bool:
        """Whether PUBLISH to this Topic Name is allowed."""
        return self._publish.covers(topic)

    def may_subscribe(self, topic: str, *, literally: bool = False) -> bool:
        """Whether SUBSCRIBE to and UNSUBSCRIBE from this topic are allowed; wildcards are ordinary characters here.

        ``literally``: patterns do not count.
        """
        return self._subscribe.covers(topic, literally=literally)

    def extended(self, other: Grants) -> Grants:
        """What either of the two allows."""
        return Grants(self._publish.extended(other._publish), self._subscribe.extended(other._subscribe))

    def granted(self, permission: Permission, target: str | None = None) -> Grants:
        """The same and one permission more: for one topic, or for all.

        Raises :class:`ValueError` for what is no group name, or for too many of them.
        """
        return self._changed(permission, self._of(permission).granted(target))

    def revoked(self, permission: Permission, target: str | None = None) -> Grants:
        """The same without a permission: for one topic, or altogether.

        One for all topics, or a pattern, still covers the topic.
        """
        return self._changed(permission, self._of(permission).revoked(target))

    def allows(self, permission: Permission, target: str | None = None) -> bool:
        """Whether a permission is there: for one topic, or for all."""
        held = self._of(permission)
        return held.everywhere if target is None else held.covers(target)

    def _of(self, permission: Permission) -> _Permission:
        return self._publish if permission is Permission.PUBLISH else self._subscribe

    def _changed(self, permission: Permission, held: _Permission) -> Grants:
        if permission is Permission.PUBLISH:
            return replace(self, _publish=held)
        return replace(self, _subscribe=held)


def _collect(role: str, collectors: Mapping[str, _Collector]) -> None:
    """File one role with the permission it belongs to; raise ValueError if it belongs to none."""
    for prefix, collector in collectors.items():
        if role == prefix:
            collector.everywhere = True
            return
        if role.startswith(prefix + "."):
            collector.add_literal(role[len(prefix) + 1 :])
            return
        if role.startswith(prefix + "s."):
            collector.add_pattern(role[len(prefix) + 2 :])
            return
    raise ValueError("the service knows no such role")


class Roles:
    """Makers of role strings for a token; add them up: ``Roles.publish("a") + Roles.subscribe("a", "b")``.

    Each raises :class:`ValueError` for a topic or pattern that the service would skip.
    """

    @staticmethod
    def everything() -> tuple[str, ...]:
        """Publish to and subscribe to every topic."""
        return (_PUBLISH, _SUBSCRIBE)

    @staticmethod
    def publish_anywhere() -> tuple[str, ...]:
        """Publish to every topic."""
        return (_PUBLISH,)

    @staticmethod
    def subscribe_anywhere() -> tuple[str, ...]:
        """Subscribe to every topic."""
        return (_SUBSCRIBE,)

    @staticmethod
    def publish(*topics: str) -> tuple[str, ...]:
        """Publish to these topics, and no others."""
        return _literal_roles(_PUBLISH, topics)

    @staticmethod
    def subscribe(*topics: str) -> tuple[str, ...]:
        """Subscribe to these topics, and no others."""
        return _literal_roles(_SUBSCRIBE, topics)

    @staticmethod
    def publish_matching(*patterns: str) -> tuple[str, ...]:
        """Publish to every topic that one of these patterns matches."""
        return _pattern_roles(_PUBLISH, patterns)

    @staticmethod
    def subscribe_matching(*patterns: str) -> tuple[str, ...]:
        """Subscribe to every topic that one of these patterns matches."""
        return _pattern_roles(_SUBSCRIBE, patterns)

    @staticmethod
    def escape(text: str) -> str:
        """``text`` as a pattern that matches ``text`` and nothing else."""
        return "".join(f"\\{character}" if character in "\\*?" else character for character in text)


def _literal_roles(permission: str, topics: tuple[str, ...]) -> tuple[str, ...]:
    for topic in topics:
        check_group(topic)
    return tuple(f"{permission}.{topic}" for topic in topics)


def _pattern_roles(permission: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{permission}s.{Pattern(pattern).text}" for pattern in patterns)
