"""One REST request, as an operation sees it: what was asked for, checked, and how to refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from mqttws.endpoint.hub import Hub
from mqttws.endpoint.members import Member
from mqttws.http import Request, Response, header
from mqttws.webpubsub import Permission, check_group
from mqttws.webpubsub.odata import FilterError, parse_filter

if TYPE_CHECKING:
    from mqttws.endpoint.endpoint import Endpoint

__all__ = ["ApiError", "Call", "Params", "answer"]

#: Parameters in one query; beyond it somebody is trying something.
_QUERY_FIELDS: Final = 500
_JSON: Final = "application/json"


class ApiError(Exception):
    """A request that is refused: HTTP status, error code, and words for people."""

    def __init__(self, status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = tuple(headers)

    def response(self) -> Response:
        """The answer: error detail in the body, its code in a header as well."""
        body: dict[str, Any] = {"code": self.code, "message": self.message, "target": None, "details": []}
        return answer(self.status, body, (("x-ms-error-code", self.code), *self.headers))


def answer(status: int, body: Any = None, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """An answer with a JSON body, or without any."""
    if body is None:
        return Response(status, tuple(headers))
    return Response(status, (("content-type", f"{_JSON}; charset=utf-8"), *headers), json.dumps(body).encode())


def invalid(name: str, problem: str) -> ApiError:
    """A parameter that is wrong."""
    return ApiError(400, "InvalidParameter", f"{name}: {problem}")


class Params:
    """The query of a request. A parameter may stand there several times."""

    def __init__(self, query: str) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
        except ValueError:
            raise ApiError(400, "InvalidQuery", f"a query has at most {_QUERY_FIELDS} parameters") from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter, in order."""
        return self._values.get(name.lower(), [])

    def text(self, name: str) -> str | None:
        """The value of a parameter, None where it is not given or empty."""
        values = self.all(name)
        return (values[0] if values else None) or None

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds, None where it is not given."""
        text = self.text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
            raise invalid(name, f"a whole number from {least:,} to {most:,} is expected")
        return int(text)


@dataclass(slots=True)
class _View:
    """A member as a filter sees it."""

    connection_id: str
    user_id: str | None
    groups: Collection[str]


@dataclass(slots=True)
class Call:
    """A request for a hub, authenticated. ``now`` is the hub's clock."""

    endpoint: Endpoint
    hub: Hub
    request: Request
    params: Params
    now: float
    path: Mapping[str, str]

    @property
    def group(self) -> str:
        """The group that the path names."""
        name = self.path["group"]
        try:
            check_group(name)
        except ValueError as problem:
            raise invalid("group", str(problem)) from None
        return name

    @property
    def permission(self) -> Permission:
        """The permission that the path names."""
        try:
            return Permission(self.path["permission"])
        except ValueError:
            known = " or ".join(Permission)
            raise invalid("permission", f"{known} is expected") from None

    def content(self) -> tuple[bytes, str]:
        """The body as a message's payload, and its content type without parameters."""
        given = (header(self.request.headers, "content-type") or "").partition(";")[0].strip().lower()
        if given not in (_JSON, "application/octet-stream", "text/plain"):
            known = f"{_JSON}, application/octet-stream or text/plain"
            raise ApiError(415, "UnsupportedContentType", f"the content type of a message is {known}")
        if given == _JSON:
            self.json()
        elif given == "text/plain":
            try:
                self.request.body.decode()
            except UnicodeDecodeError:
                raise ApiError(400, "InvalidBody", "a text/plain message is UTF-8") from None
        return self.request.body, given

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise ApiError(400, "InvalidBody", "the body is no JSON") from None

    def wanted(self) -> Callable[[Member], bool]:
        """Whom ``excluded`` and ``filter`` leave."""
        excluded = frozenset(self.params.all("excluded"))
        passes = filter_of(self.params.text("filter"))
        return lambda member: member.client_id not in excluded and passes(member)

    def member(self) -> Member | None:
        """The session that the path names by its connection id."""
        return self.hub.member(self.path["connection"])

    def user_members(self) -> Sequence[Member]:
        """The sessions of the user that the path names."""
        return self.hub.members_of_user(self.path["user"])

    def group_members(self) -> Sequence[Member]:
        """The sessions in the group that the path names."""
        return self.hub.members_of_group(self.group)


def filter_of(text: str | None) -> Callable[[Member], bool]:
    """A filter over members; everybody passes where there is none."""
    if text is None:
        return lambda _: True
    try:
        passes = parse_filter(text)
    except FilterError as problem:
        raise ApiError(400, "InvalidFilter", str(problem)) from None
    return lambda member: passes(_View(member.client_id, member.user_id, tuple(member.subscriptions)))
