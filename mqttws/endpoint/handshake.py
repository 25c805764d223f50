"""Who may pass the HTTP handshake (rows 1 to 18 of the emulation contract): path, hub, Origin, token, limits.

Nothing here waits or asks the clock; ``now`` is in seconds since 1970. The token never gets into a text.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from mqttws.endpoint.service import Service
from mqttws.http import bearer, header
from mqttws.webpubsub import MQTT_PATH, Claims, Grants, Roles, TokenFault, TokenRefused, check_hub, read_token

__all__ = ["SUBPROTOCOL", "Admission", "Door", "Refusal", "local_audiences"]

#: What MQTT over WebSocket is called in the handshake [MQTT-6.0.0-3].
SUBPROTOCOL: Final = "mqtt"

#: Host names that mean this machine, for the lenient comparison of audiences (row 8).
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")

#: Parameters of a query that are looked at; more is no client that we know.
_QUERY_FIELDS: Final = 100

_NO_ROLES: Final = Grants.from_roles(())
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(slots=True, frozen=True)
class Admission:
    """What a client that passed the handshake brings along. ``warnings`` are for the log, one readable line each.

    ``claims``, ``query``, ``headers`` and ``subprotocols`` are for event handlers. The access token is in none of them.
    ``lifetime`` is how many seconds it has left.

    Once the client is in, :meth:`settled` keeps what still counts.
    """

    hub: str
    user_id: str | None = None
    grants: Grants = _NO_ROLES
    groups: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    subprotocols: tuple[str, ...] = ()
    lifetime: float = math.inf

    def settled(self) -> Admission:
        """The same without what only the event handler of ``connect`` is told: it would take a tenth of what an idle
        connection takes.
        """
        return replace(self, claims=_NOTHING, query=(), headers=())


@dataclass(slots=True, frozen=True)
class Refusal:
    """An HTTP answer other than 101. ``text`` is its body and the log's message alike."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The body: one line of UTF-8."""
        return f"{self.text}\n".encode()

    @property
    def all_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of the answer; it is never to be cached."""
        return (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"), *self.headers)


class Door:
    """Decides about handshakes at one endpoint.

    ``endpoint`` is the address that stands in audiences, ``http(s)://host:port``; ``keys`` are the access keys, any of
    which counts; ``hubs`` the hubs there are, None for every valid name.
    """

    def __init__(
        self, service: Service, endpoint: str, keys: Sequence[str], hubs: Collection[str] | None = None
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._keys = tuple(keys if service.secondary_key else keys[:1])
        self._hubs = None if hubs is None else frozenset(hubs)
        # A hub that there is not is no place for other paths to lead to.
        other = service.other_paths
        self._other_paths = next(iter(hubs)) if other and hubs and other not in hubs else other

    def judge(
        self,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
        subprotocols: Sequence[str],
        *,
        connections: int,
        now: float,
    ) -> Admission | Refusal:
        """The answer to one WebSocket handshake. ``connections`` is how many there are without this one."""
        service = self._service
        if not path.startswith(MQTT_PATH) and not self._other_paths:
            text = f"there is nothing at this path; MQTT clients connect to {MQTT_PATH}{{hub}}"
            return Refusal(service.unknown_path_status, text)
        hub = unquote(path[len(MQTT_PATH) :]) if path.startswith(MQTT_PATH) else self._other_paths
        refusal = self.judge_place(hub, headers)
        if refusal is not None:
            return refusal
        if SUBPROTOCOL not in subprotocols and not service.lenient_subprotocol:
            return Refusal(400, f"the subprotocol {SUBPROTOCOL} has to be offered in Sec-WebSocket-Protocol")
        verdict = self.judge_token(hub, f"{MQTT_PATH}{hub}", query, headers, now)
        if isinstance(verdict, Refusal):
            return verdict
        refusal = self.judge_crowd(connections)
        if refusal is not None:
            return refusal
        warnings = verdict.warnings if SUBPROTOCOL in subprotocols else (*verdict.warnings, _NO_SUBPROTOCOL)
        return replace(verdict, warnings=warnings, subprotocols=tuple(subprotocols))

    def judge_place(self, hub: str, headers: Sequence[tuple[str, str]]) -> Refusal | None:
        """What is wrong with a hub's name, or with the page that a browser comes from; None if nothing is."""
        service = self._service
        try:
            check_hub(hub)
        except ValueError as problem:
            return Refusal(400, str(problem))
        if self._hubs is not None and hub not in self._hubs:
            text = f"there is no hub '{hub}' at this endpoint; names are case-sensitive"
            return Refusal(service.unknown_path_status, text)
        origin = header(headers, "origin")
        if service.origins is not None and origin is not None and origin not in service.origins:
            return Refusal(403, "pages of this origin may not connect (setting 'origins')")
        return None

    def judge_crowd(self, connections: int) -> Refusal | None:
        """The answer to one connection too many; ``connections`` is how many there are without it."""
        if connections < self._service.connection_limit:
            return None
        # The service's own words in its log (documented).
        text = "Connection count reaches limit"
        return Refusal(self._service.connection_limit_status, text, (("retry-after", "1"),))

    def judge_token(
        self, hub: str, path: str, query: str, headers: Sequence[tuple[str, str]], now: float
    ) -> Admission | Refusal:
        """Whether the token of a handshake opens a hub, or its absence is allowed (rows 2 to 10, 15, 17, 18).

        ``path`` is the one that stands in the audience, without a query: each family of paths has its own tokens.
        """
        try:
            parameters = parse_qsl(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
        except ValueError:
            return Refusal(400, f"the query has more than {_QUERY_FIELDS} parameters")
        service = self._service
        token = _token(parameters, headers, header_first=service.access_from == "header")
        admission = Admission(
            hub,
            query=tuple(pair for pair in parameters if pair[0] != "access_token"),
            headers=tuple(pair for pair in headers if pair[0].lower() != "authorization"),
        )
        if token is None and service.anonymous:
            return replace(admission, grants=_ANONYMOUS[service.anonymous_roles])
        try:
            claims = self.read(token, (path,), now)
        except TokenRefused as refused:
            if refused.reason is TokenFault.GROUP_NAME:
                return Refusal(service.group_name_status, refused.message)
            hint = _MISSING_HINT if refused.reason is TokenFault.MISSING else ""
            status = 401 if refused.reason in _DOCUMENTED_401 else service.bad_token_status
            return Refusal(status, refused.message + hint, (("www-authenticate", "Bearer"),))
        if not service.short_group_claim and "webpubsub.group" not in claims.all:
            claims = replace(claims, groups=(), warnings=())
        return _with_claims(admission, claims, lifetime=claims.expires_at - now)

    def read(self, token: str | None, paths: Sequence[str], now: float) -> Claims:
        """The claims of a token that is made out to one of these ``paths`` of ours, signed with a key that counts.

        Raises :class:`TokenRefused`.
        """
        service = self._service
        lenient = local_audiences(self._endpoint) if service.lenient_audience else ()
        audiences = tuple(endpoint + path for endpoint in (self._endpoint, *lenient) for path in paths)
        return read_token(token, self._keys, audiences, now, service.clock_skew)


#: Roles of who comes without a token.
_ANONYMOUS: Final = {"none": _NO_ROLES, "everything": Grants.from_roles(Roles.everything())}
#: Rows 3, 7 and 15: what is wrong with other tokens has no documented status.
_DOCUMENTED_401: Final = (TokenFault.MISSING, TokenFault.AUDIENCE)
_NO_SUBPROTOCOL: Final = f"the client offers no subprotocol {SUBPROTOCOL}; other servers refuse it"
_MISSING_HINT: Final = "; it belongs into the query as access_token, or into the header Authorization (Bearer)"


def local_audiences(endpoint: str) -> Iterator[str]:
    """The other spellings of a local endpoint that the lenient comparison accepts: scheme and local host names."""
    parts = urlsplit(endpoint)
    port = f":{parts.port}" if parts.port is not None else ""
    own = parts.netloc.removesuffix(port)
    for scheme in ("http", "https", "ws", "wss"):
        for host in dict.fromkeys((own, *_LOCAL_HOSTS)):
            spelled = f"{scheme}://{host}{port}"
            if spelled != endpoint:
                yield spelled


@lru_cache(maxsize=32)
def _grants(roles: tuple[str, ...]) -> Grants:
    """What roles allow: reading them takes time and memory, and clients that come in numbers have the same ones."""
    return Grants.from_roles(roles)


def _with_claims(admission: Admission, claims: Claims, lifetime: float) -> Admission:
    grants = _grants(claims.roles)
    return replace(
        admission,
        user_id=claims.user_id,
        grants=grants,
        groups=claims.groups,
        warnings=claims.warnings + grants.ignored,
        claims=claims.all,
        lifetime=lifetime,
    )


def _token(
    parameters: Sequence[tuple[str, str]], headers: Sequence[tuple[str, str]], *, header_first: bool
) -> str | None:
    """The access token: from the query, else from the header ``Authorization: Bearer``, or the other way (row 2)."""
    in_query = next((value for name, value in parameters if name == "access_token"), None)
    in_header = bearer(headers)
    first, second = (in_header, in_query) if header_first else (in_query, in_header)
    return first if first is not None else second
