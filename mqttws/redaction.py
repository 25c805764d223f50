"""What must not be shown: access tokens, keys, passwords, wherever text that others made is repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

__all__ = ["REDACTED", "Scrubber", "is_secret_name", "redact", "secret_at"]

#: What stands in place of a secret.
REDACTED: Final = "[redacted]"

#: Everything that looks like a secret: the token of a URL or a header, a key, a password in a URL, and whatever has the
#: form of a JWT. The search takes linear time: the first two begin with fixed text and repeat one class, and the third
#: begins where a run of base64url does, and only if a dot follows the run.
_SECRETS: Final = re.compile(
    r"(?P<name>access_token=|\bBearer\s{1,8}|\bAccessKey=|\bawps_reconnection_token=|\"reconnectionToken\"\s{0,8}:\s{0,8}\")"
    r"[^\s&;#\"'<>]+"
    r"|(?P<scheme>\bwss?://)[^\s/?#@]+(?=@)"
    r"|(?<![\w-])(?=[\w-]*+\.)(?P<before>[\w-]*?)(?<![a-z0-9])eyJ[\w-]*+\.[\w-]*+(?:\.[\w-]*+)?",
    re.IGNORECASE | re.ASCII,
)

#: Names of headers, properties and the like that tell that their value is a secret.
_SECRET_NAMES: Final = re.compile(r"authorization|cookie|password|passwd|secret|token|credential|(api|access)[-_]?key")


def redact(text: str) -> str:
    """``text`` with every access token, access key and URL password in it replaced by ``[redacted]``.

    For text that others made, such as the body of an HTTP answer; our own messages hold no secret to begin with.
    """
    return _SECRETS.sub(lambda match: _harmless(match) + REDACTED, text)


def secret_at(text: str) -> int | None:
    """Where the first secret begins that :func:`redact` would take out; None if there is none."""
    match = _SECRETS.search(text)
    return None if match is None else match.start() + len(_harmless(match))


def secrets_in(text: str) -> Iterator[tuple[int, int]]:
    """Where each secret begins and ends that :func:`redact` would take out."""
    for match in _SECRETS.finditer(text):
        yield match.start() + len(_harmless(match)), match.end()


def _harmless(match: re.Match[str]) -> str:
    """What a match has in front of the secret itself."""
    return match["name"] or match["scheme"] or match["before"] or ""


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is likely to be a secret: ``Authorization``, ``x-api-key``, ``refresh_token``."""
    return _SECRET_NAMES.search(name.lower()) is not None


class Scrubber:
    """:func:`redact` for answers to one request: also takes out the secrets that the request held, wherever they stand.

    These are the tokens in the query of ``target`` and the credentials in ``headers``.
    """

    __slots__ = ("_secrets",)

    def __init__(self, target: str, headers: Iterable[tuple[str, str]]) -> None:
        found = set()
        for parameter in target.partition("?")[2].split("&"):
            name, _, value = parameter.partition("=")
            if is_secret_name(name):
                found |= {value, unquote(value)}
        for name, value in headers:
            if is_secret_name(name):
                found |= {value, value.rpartition(" ")[2]}
        # Taking out every "a" would garble the answer and hide nothing.
        self._secrets = sorted((value for value in found if len(value) >= 8), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return redact(text)
