"""The filter language of Web PubSub's REST operations: a documented subset of OData, over the connections of a hub.

A filter is a boolean expression about ``connectionId`` and ``userId`` (strings; a connection without a user has null)
and ``groups`` (a collection of strings). Names and operators are read without regard to case, values are compared
with it. A function of null gives null, and null is neither above nor below anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

__all__ = ["FilterError", "Filterable", "parse_filter"]

#: Bounds on one filter: characters, operators and calls in all, and parentheses within each other. The service
#: documents only that about 100 clauses may be too many.
LONGEST: Final = 16_384
MOST_CLAUSES: Final = 100
DEEPEST: Final = 50

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<integer>[+-]?\d{1,9}(?!\w))|(?P<word>\w+)|(?P<sign>[(),]))"
)


class FilterError(ValueError):
    """A filter that cannot be understood; the text says what was expected, and at which character."""


class Filterable(Protocol):
    """What a filter looks at."""

    @property
    def connection_id(self) -> str:
        """The connection's id; of an MQTT session the client id."""
        ...

    @property
    def user_id(self) -> str | None:
        """The user's id, None for a connection without one."""
        ...

    @property
    def groups(self) -> Collection[str]:
        """The groups that the connection is in."""
        ...


class Kind(Enum):
    """What a part of a filter evaluates to."""

    BOOLEAN = "a boolean expression"
    STRING = "a string"
    INTEGER = "an integer"
    COLLECTION = "a collection"
    NULL = "null"


Evaluate: TypeAlias = Callable[[Filterable], Any]

#: Stands for the value of a part that depends on the connection.
_ASKED: Final = object()


@dataclass(frozen=True, slots=True)
class _Part:
    kind: Kind
    evaluate: Evaluate
    #: What it is for every connection, if it is the same for all: a list of thousands is looked up, not walked through.
    value: Any = _ASKED


def _constant(kind: Kind, value: object) -> _Part:
    return _Part(kind, lambda _: value, value)


_NAMES: Final[dict[str, _Part]] = {
    "connectionid": _Part(Kind.STRING, lambda connection: connection.connection_id),
    "userid": _Part(Kind.STRING, lambda connection: connection.user_id),
    "groups": _Part(Kind.COLLECTION, lambda connection: connection.groups),
    "true": _constant(Kind.BOOLEAN, True),
    "false": _constant(Kind.BOOLEAN, False),
    "null": _constant(Kind.NULL, None),
}

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: None not in (left, right) and bool(left > right),
    "ge": lambda left, right: None not in (left, right) and bool(left >= right),
    "lt": lambda left, right: None not in (left, right) and bool(left < right),
    "le": lambda left, right: None not in (left, right) and bool(left <= right),
}

_S, _I = Kind.STRING, Kind.INTEGER


def _substring(text: str, start: int, length: int | None = None) -> str:
    start = max(start, 0)
    return text[start:] if length is None else text[start : start + max(length, 0)]


#: By name: what it gives, what each argument is (a function may take fewer of them), how many it needs, and the work.
_FUNCTIONS: Final[dict[str, tuple[Kind, tuple[Kind, ...], int, Callable[..., Any]]]] = {
    "concat": (_S, (_S, _S), 2, lambda left, right: left + right),
    "contains": (Kind.BOOLEAN, (_S, _S), 2, lambda text, part: part in text),
    "endswith": (Kind.BOOLEAN, (_S, _S), 2, str.endswith),
    "indexof": (_I, (_S, _S), 2, str.find),
    "startswith": (Kind.BOOLEAN, (_S, _S), 2, str.startswith),
    "substring": (_S, (_S, _I, _I), 2, _substring),
    "tolower": (_S, (_S,), 1, str.lower),
    "toupper": (_S, (_S,), 1, str.upper),
    "trim": (_S, (_S,), 1, str.strip),
}


def parse_filter(text: str) -> Callable[[Filterable], bool]:
    """A function that tells whether a connection passes the filter ``text``; raises :class:`FilterError`."""
    if len(text) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST:,} characters, not {len(text):,}")
    evaluate = _Parser(text).whole()
    return lambda connection: bool(evaluate(connection))


class _Parser:
    """Recursive descent. From loose to tight: ``or``, ``and``, comparisons and ``in``, ``not``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._clauses = 0
        self._depth = 0
        self._kind = ""
        self._token = ""
        self._start = 0
        self._next()

    def whole(self) -> Evaluate:
        """The whole text as one boolean expression."""
        part = self._boolean(self._or())
        if self._token:
            raise self._error(f"an operator was expected, not {self._token!r}")
        return part.evaluate

    # -- tokens -------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            self._start = len(self._text) - len(self._text[self._place :].lstrip())
            if self._text[self._place :].strip():
                raise self._error("this is neither a name, a literal nor a parenthesis")
            self._kind = self._token = ""
            return
        assert found.lastgroup is not None  # one of the alternatives has matched
        self._kind, self._token = found.lastgroup, found[found.lastgroup]
        self._start, self._place = found.start(found.lastgroup), found.end()

    def _error(self, what: str) -> FilterError:
        return FilterError(f"{what} (at character {self._start + 1})")

    def _is(self, *words: str) -> bool:
        return self._kind == "word" and self._token.lower() in words

    def _sees(self, sign: str) -> bool:
        return self._kind == "sign" and self._token == sign

    def _expect(self, sign: str) -> None:
        if not self._sees(sign):
            raise self._error(f"{sign!r} was expected")
        self._next()

    def _count(self) -> None:
        self._clauses += 1
        if self._clauses > MOST_CLAUSES:
            raise self._error(f"a filter has at most {MOST_CLAUSES} operators and calls")

    # -- expressions --------------------------------------------------------------------------------------------------

    def _boolean(self, part: _Part) -> _Part:
        if part.kind is not Kind.BOOLEAN:
            raise self._error(f"{Kind.BOOLEAN.value} was expected, not {part.kind.value}")
        return part

    def _or(self) -> _Part:
        part = self._and()
        while self._is("or"):
            part = self._joined(part, self._and, any)
        return part

    def _and(self) -> _Part:
        part = self._comparison()
        while self._is("and"):
            part = self._joined(part, self._comparison, all)
        return part

    def _joined(self, left: _Part, operand: Callable[[], _Part], join: Callable[[Any], bool]) -> _Part:
        self._count()
        self._boolean(left)
        self._next()
        parts = left.evaluate, self._boolean(operand()).evaluate
        return _Part(Kind.BOOLEAN, lambda connection: join(evaluate(connection) for evaluate in parts))

    def _comparison(self) -> _Part:
        left = self._not()
        if self._is("in"):
            return self._in(left)
        if not self._is(*_COMPARISONS):
            return left
        self._count()
        compare = _COMPARISONS[self._token.lower()]
        self._next()
        right = self._not()
        self._check_alike(left, right)
        return _Part(Kind.BOOLEAN, lambda it: compare(left.evaluate(it), right.evaluate(it)))

    def _check_alike(self, left: _Part, right: _Part) -> None:
        kinds = {left.kind, right.kind} - {Kind.NULL}
        if len(kinds) > 1 or Kind.COLLECTION in kinds:
            raise self._error(f"{left.kind.value} cannot be compared with {right.kind.value}")

    def _in(self, left: _Part) -> _Part:
        self._count()
        self._next()
        if self._sees("("):
            self._enter()
            first = self._or()
            if first.kind is not Kind.COLLECTION:
                return self._in_list(left, first)
            self._leave()
            collection = first
        else:
            collection = self._primary()
        if collection.kind is not Kind.COLLECTION or left.kind not in (Kind.STRING, Kind.NULL):
            raise self._error(f"{left.kind.value} cannot be in {collection.kind.value}")
        return _Part(Kind.BOOLEAN, lambda it: left.evaluate(it) in collection.evaluate(it))

    def _in_list(self, left: _Part, first: _Part) -> _Part:
        items = [first]
        while self._sees(","):
            self._next()
            items.append(self._or())
        self._leave()
        asked = []
        for item in items:
            self._check_alike(left, item)
            if item.value is _ASKED:
                self._count()
                asked.append(item.evaluate)
        values = frozenset(item.value for item in items if item.value is not _ASKED)

        def evaluate(connection: Filterable) -> bool:
            value = left.evaluate(connection)
            return value in values or any(value == each(connection) for each in asked)

        return _Part(Kind.BOOLEAN, evaluate)

    def _not(self) -> _Part:
        if not self._is("not"):
            return self._primary()
        self._count()
        self._next()
        part = self._boolean(self._not())
        return _Part(Kind.BOOLEAN, lambda connection: not part.evaluate(connection))

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"parentheses are within each other {DEEPEST} times at most")
        self._expect("(")

    def _leave(self) -> None:
        self._expect(")")
        self._depth -= 1

    def _primary(self) -> _Part:
        if self._sees("("):
            self._enter()
            part = self._or()
            self._leave()
            return part
        kind, token = self._kind, self._token
        if kind == "word" and token.lower() in (*_FUNCTIONS, "length"):
            return self._call()
        if kind == "string":
            part = _constant(Kind.STRING, token[1:-1].replace("''", "'"))
        elif kind == "integer":
            part = _constant(Kind.INTEGER, int(token))
        elif kind == "word" and token.lower() in _NAMES:
            part = _NAMES[token.lower()]
        else:
            raise self._error(f"{token!r} is no name that filters know" if token else "the filter ends too early")
        self._next()
        return part

    def _call(self) -> _Part:
        self._count()
        name = self._token.lower()
        self._next()
        self._enter()
        arguments = [self._or()]
        while self._sees(","):
            self._next()
            arguments.append(self._or())
        result, kinds, least, work = _FUNCTIONS.get(name, (_I, (arguments[0].kind,), 1, len))
        if name == "length" and arguments[0].kind not in (_S, Kind.COLLECTION, Kind.NULL):
            raise self._error(f"length is that of a string or a collection, not of {arguments[0].kind.value}")
        if not least <= len(arguments) <= len(kinds):
            raise self._error(f"{name} takes {least if least == len(kinds) else f'{least} or {len(kinds)}'} arguments")
        for argument, kind in zip(arguments, kinds, strict=False):
            if argument.kind not in (kind, Kind.NULL):
                raise self._error(f"{name} takes {kind.value} here, not {argument.kind.value}")
        self._leave()
        evaluates = [argument.evaluate for argument in arguments]

        def evaluate(connection: Filterable) -> Any:
            values = [each(connection) for each in evaluates]
            return None if None in values else work(*values)

        return _Part(result, evaluate)
