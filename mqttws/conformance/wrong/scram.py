"""SCRAM-SHA-256 (RFC 7677) as the reference Server speaks it: an Authentication Method with more than one step."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from typing import Final

__all__ = ["METHOD", "Scram"]

METHOD: Final = "SCRAM-SHA-256"
_SALT: Final = b"salt of the reference"
_ROUNDS: Final = 4096


class Scram:
    """One exchange. ``passwords`` are those of the accounts, by their names."""

    def __init__(self, passwords: Mapping[str, bytes], nonce: str) -> None:
        self._passwords = passwords
        self._nonce = nonce
        self._first = b""
        self._challenge = b""
        self._name = ""

    def challenge(self, first: bytes) -> bytes:
        """The Server's first message, in answer to the Client's."""
        self._first = first.partition(b",,")[2]
        said = _fields(self._first)
        self._name = said.get("n", "")
        salt = b64encode(_SALT).decode()
        self._challenge = f"r={said.get('r', '')}{self._nonce},s={salt},i={_ROUNDS}".encode()
        return self._challenge

    def verify(self, final: bytes) -> bytes | None:
        """The Server's last message if the Client has proved that it knows the password, else None."""
        without_proof, _, proof = final.rpartition(b",p=")
        if _fields(without_proof).get("r") != _fields(self._challenge).get("r"):
            return None
        password = self._passwords.get(self._name)
        if password is None:
            return None
        salted = hashlib.pbkdf2_hmac("sha256", password, _SALT, _ROUNDS)
        message = b",".join((self._first, self._challenge, without_proof))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        try:
            right = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
            if not hmac.compare_digest(b64decode(proof, validate=True), right):
                return None
        except Error:
            return None
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        return b"v=" + b64encode(hmac.digest(server_key, message, "sha256"))


def _fields(message: bytes) -> dict[str, str]:
    pairs = (word.partition("=") for word in message.decode("utf-8", "replace").split(","))
    return {name: value for name, _, value in pairs}
