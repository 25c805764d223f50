"""Access tokens: JSON Web Tokens signed with HS256, made and read through PyJWT.

What is made has the claims of the official SDKs, in their order. What is read is trusted only as far as its signature
goes: the algorithm is ours and not the token's, and no claim is looked at before the signature holds.

The times here are seconds since 1970; only :func:`client_access_url` asks the clock, and only if it is not told.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mqttws.errors import MqttError
from mqttws.webpubsub.access import check_group
from mqttws.webpubsub.address import ConnectionString

if TYPE_CHECKING:
    from jwt import PyJWS

__all__ = [
    "KEY_BYTES",
    "LEEWAY",
    "TOKEN_LIMIT",
    "Claims",
    "TokenFault",
    "TokenRefused",
    "claimed_expiry",
    "client_access_url",
    "key_warning",
    "make_token",
    "new_access_key",
    "read_token",
]

#: Bytes that a key for HS256 should have at least (RFC 7518, 3.2).
KEY_BYTES: Final = 32
#: Clock skew that is forgiven, in seconds (Microsoft's emulator; for the service unknown).
LEEWAY: Final = 300.0
#: Characters in a token. No reference names a limit; HTTP servers take request heads of 8 to 16 KiB.
TOKEN_LIMIT: Final = 16 * 1024

_ALGORITHM: Final = "HS256"


class TokenFault(StrEnum):
    """Why a token was refused, for programs."""

    MISSING = "missing"
    TOO_LONG = "too long"
    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    HEADER = "header"
    SIGNATURE = "signature"
    NO_EXPIRY = "no expiry"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    AUDIENCE = "audience"
    CLAIM = "claim"
    GROUP_NAME = "group name"


class TokenRefused(MqttError):
    """An access token does not open this door. Neither the text nor an attribute holds the token.

    ``expected`` and ``actual`` are the audiences where ``reason`` is :attr:`TokenFault.AUDIENCE`, and empty otherwise.
    """

    def __init__(
        self, reason: TokenFault, message: str, *, expected: Sequence[str] = (), actual: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.expected = tuple(expected)
        self.actual = tuple(actual)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says. ``all`` holds every claim as it came; ``warnings`` one readable line each."""

    audience: str
    expires_at: float
    user_id: str | None = None
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    all: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def new_access_key() -> str:
    """A random access key of 44 characters, made from 33 bytes of the system's random source."""
    return secrets.token_urlsafe(33)


def key_warning(access_key: str) -> str | None:
    """One clear line if a key is shorter than HS256 wants, None if it is long enough. It works either way."""
    length = len(access_key.encode("utf-8", "surrogateescape"))
    if length >= KEY_BYTES:
        return None
    return f"the access key has {length} bytes; HS256 wants {KEY_BYTES} or more, a shorter one is easier to guess"


@cache
def _signer() -> PyJWS:
    """A PyJWT that knows HS256 and nothing else, and leaves the length of keys to :func:`key_warning`.

    Its own warning is a Python warning, once per place in the code and lost on most users.
    """
    # Imported here: with its optional cryptography PyJWT takes longer to load than the rest of this package.
    from jwt import PyJWS  # noqa: PLC0415 - see above
    from jwt.algorithms import HMACAlgorithm  # noqa: PLC0415 - see above

    class AnyLength(HMACAlgorithm):
        def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002 - PyJWT's signature
            return None

    signer = PyJWS(algorithms=[])
    signer.register_algorithm(_ALGORITHM, AnyLength(HMACAlgorithm.SHA256))
    return signer


def make_token(
    access_key: str,
    audience: str,
    *,
    now: float,
    user_id: str | None = None,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    lifetime: float = 3600,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """An access token that lives for ``lifetime`` seconds from ``now``.

    The claims are those of the official SDKs: ``aud``, ``iat``, ``exp`` always, ``sub``, ``role`` and
    ``webpubsub.group`` where there is something to say. ``claims`` adds further ones, or takes the place of these.
    Raises :class:`ValueError` for an unusable key, lifetime, role or group.
    """
    if not access_key:
        raise ValueError("the access key is empty")
    if not 0 < lifetime < math.inf:
        raise ValueError("the lifetime of a token is a positive number of seconds")
    payload: dict[str, Any] = {"aud": audience, "iat": int(now), "exp": int(now + lifetime)}
    if user_id:
        payload["sub"] = user_id
    if role := _strings(roles, "roles"):
        payload["role"] = role
    if group := _strings(groups, "groups"):
        for name in group:
            check_group(name)
        payload["webpubsub.group"] = group
    payload |= claims or {}
    return _sign(payload, access_key)


def _strings(values: Iterable[str], what: str) -> list[str]:
    if isinstance(values, str):
        raise ValueError(f"{what} is a list of strings, not one string")
    return list(values)


def _sign(payload: Mapping[str, Any], access_key: str) -> str:
    from jwt import InvalidKeyError  # noqa: PLC0415 - as in _signer

    body = json.dumps(payload, separators=(",", ":")).encode("ascii")
    try:
        return _signer().encode(body, access_key, algorithm=_ALGORITHM, sort_headers=True)
    except InvalidKeyError:
        raise _unusable_key() from None


def _unusable_key() -> ValueError:
    return ValueError("the access key is no shared secret: it is empty, or a public key or certificate")


def client_access_url(
    connection_string: ConnectionString | str,
    hub: str,
    *,
    user_id: str | None = None,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    lifetime: float = 3600,
    now: float | None = None,
) -> str:
    """The URL with which an MQTT Client may enter a hub, **with its token**.

    No ``roles`` means that the Client may neither publish nor subscribe; see :class:`~mqttws.webpubsub.Roles`.
    ``groups`` are topics it is subscribed to from the start. ``now`` is the time of issue, None for the clock's.
    Raises :class:`ValueError` as :meth:`ConnectionString.parse`, :func:`check_hub` and :func:`make_token` do.
    """
    if isinstance(connection_string, str):
        connection_string = ConnectionString.parse(connection_string)
    token = make_token(
        connection_string.access_key,
        connection_string.audience(hub),
        now=time.time() if now is None else now,
        user_id=user_id,
        roles=roles,
        groups=groups,
        lifetime=lifetime,
    )
    return f"{connection_string.client_url(hub)}?access_token={token}"


def read_token(
    token: str | None, keys: Sequence[str], audiences: Sequence[str], now: float, leeway: float = LEEWAY
) -> Claims:
    """The claims of a token that one of ``keys`` signed for one of ``audiences``; else raise :class:`TokenRefused`.

    ``keys`` are the primary and the secondary access key, either of which counts; signatures are compared in constant
    time. ``now`` and ``leeway`` are seconds. A key that cannot be a shared secret raises :class:`ValueError`.
    """
    if not token:
        raise TokenRefused(TokenFault.MISSING, "no access token was given")
    if len(token) > TOKEN_LIMIT:
        raise TokenRefused(TokenFault.TOO_LONG, f"the access token is longer than {TOKEN_LIMIT} characters")
    claims = _json_object(_verified(token, keys))
    expires_at = _check_times(claims, now, leeway)
    audience = _check_audience(claims, audiences)
    user_id = claims.get("sub")
    if user_id is not None and not isinstance(user_id, str):
        raise TokenRefused(TokenFault.CLAIM, "the access token's claim 'sub' is not a string")
    groups, warnings = _groups(claims)
    return Claims(audience, expires_at, user_id or None, _texts(claims, "role"), groups, claims, warnings)


def claimed_expiry(token: str | None) -> float | None:
    """When a token says that it expires, in seconds since 1970; None where that cannot be read.

    The one place that looks into a token without its key, for the one who was given it: a Client that wants to know
    when to ask for another. **Nothing is verified**, and nothing else is read.
    """
    parts = (token or "").split(".")
    if len(parts) != 3 or len(token or "") > TOKEN_LIMIT:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return _seconds(claims, "exp") if isinstance(claims, dict) and "exp" in claims else None
    except (ValueError, RecursionError, TokenRefused):
        return None


def _verified(token: str, keys: Sequence[str]) -> bytes:
    """The payload, if one of the keys made the signature."""
    import jwt  # noqa: PLC0415 - as in _signer

    if not all(keys):  # older PyJWTs take an empty key, and anybody can sign with that
        raise _unusable_key()
    for key in keys:
        try:
            decoded = _signer().decode_complete(token, key, algorithms=[_ALGORITHM])
        except jwt.InvalidKeyError:
            raise _unusable_key() from None
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidAlgorithmError:
            raise TokenRefused(TokenFault.ALGORITHM, f"the access token is not signed with {_ALGORITHM}") from None
        except (jwt.DecodeError, ValueError, RecursionError):
            raise TokenRefused(TokenFault.MALFORMED, "the access token is no JSON Web Token") from None
        except jwt.InvalidTokenError:
            raise _strange_header() from None
        # PyJWT knows one critical extension (b64), older ones pass over all; a token for us has no use for any.
        header = decoded["header"]
        if "crit" in header or not isinstance(header.get("kid", ""), str):
            raise _strange_header()
        payload: bytes = decoded["payload"]
        return payload
    raise TokenRefused(TokenFault.SIGNATURE, "the access token was not signed with this service's access key")


def _strange_header() -> TokenRefused:
    return TokenRefused(
        TokenFault.HEADER, "the access token's header asks for an extension ('crit') or a strange 'kid'"
    )


def _json_object(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefused(TokenFault.MALFORMED, "the access token's payload is no JSON object")
    return claims


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; two values of one name, which others may read differently, are none (RFC 7519, 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _check_times(claims: Mapping[str, Any], now: float, leeway: float) -> float:
    """Hold ``exp`` (required) and ``nbf`` against the clock. ``iat`` only says how old a token is (RFC 7519, 4.1.6)."""
    if claims.get("exp") is None:
        raise TokenRefused(TokenFault.NO_EXPIRY, "the access token has no expiry ('exp')")
    expires_at = _seconds(claims, "exp")
    if now - leeway >= expires_at:
        raise TokenRefused(TokenFault.EXPIRED, f"the access token expired {_span(now - expires_at)} ago")
    if claims.get("nbf") is not None and _seconds(claims, "nbf") > now + leeway:
        wait = _span(_seconds(claims, "nbf") - now)
        raise TokenRefused(TokenFault.NOT_YET_VALID, f"the access token is not valid before {wait} from now ('nbf')")
    return expires_at


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return float(value)
    raise TokenRefused(TokenFault.CLAIM, f"the access token's claim '{name}' is not a number of seconds")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _check_audience(claims: Mapping[str, Any], audiences: Sequence[str]) -> str:
    actual = _texts(claims, "aud")
    for audience in actual:
        if audience in audiences:
            return audience
    shown = ", ".join(_shown(audience) for audience in actual[:4]) or "(none)"
    raise TokenRefused(
        TokenFault.AUDIENCE,
        # The service's own words in its log (documented).
        f"Failed to validate audience. Expected Audiences: {', '.join(audiences)}. Actual Audiences: {shown}",
        expected=audiences,
        actual=actual,
    )


def _shown(text: str) -> str:
    """Signed, but still somebody else's text: printable, in one line and bounded."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:200])


def _groups(claims: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The groups to join at connect, and a warning if they stand under the short name.

    Both SDKs write ``webpubsub.group``; one revision of the documentation says ``group`` (the sources differ).
    """
    groups = (*_texts(claims, "webpubsub.group"), *_texts(claims, "group"))
    for name in groups:
        try:
            check_group(name)
        except ValueError as problem:
            raise TokenRefused(TokenFault.GROUP_NAME, f"the access token's group claim: {problem}") from None
    warned = ("the token's claim 'group' is taken as 'webpubsub.group', which the service's SDKs write",)
    return tuple(dict.fromkeys(groups)), warned if "group" in claims else ()


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A claim that is a list of strings. One string counts as a list of one: some JWT libraries shorten it to that."""
    value = claims.get(name, [])
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise TokenRefused(TokenFault.CLAIM, f"the access token's claim '{name}' is not a list of strings")
