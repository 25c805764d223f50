"""The Client's side of SCRAM (RFC 5802, RFC 7677), for checks of Servers that authenticate in several steps."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import Final

from mqttws.conformance.verdict import Failed

__all__ = ["METHODS", "Scram"]

#: Authentication Methods, each with its hash.
METHODS: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
#: Rounds that a Server may ask for; more would keep us busy for seconds.
_MOST_ROUNDS: Final = 200_000


class Scram:
    """One exchange, without channel binding. ``nonce`` is ours; it holds no comma."""

    def __init__(self, method: str, name: str, password: bytes, nonce: str) -> None:
        self._hash = METHODS[method]
        self._password = password
        self._nonce = nonce
        self._bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={nonce}".encode()

    @property
    def first(self) -> bytes:
        """What we begin with."""
        return b"n,," + self._bare

    def final(self, challenge: bytes) -> bytes:
        """Our proof, in answer to the Server's first message. Raises :class:`Failed` if that is none."""
        said = dict(word.split("=", 1) for word in challenge.decode("latin-1").split(",") if "=" in word)
        try:
            nonce, salt, rounds = said["r"], b64decode(said["s"], validate=True), int(said["i"])
        except (KeyError, ValueError):
            raise Failed("the Authentication Data of its AUTH are no first message of SCRAM") from None
        if not nonce.startswith(self._nonce) or not 1 <= rounds <= _MOST_ROUNDS:
            raise Failed("the first message of its SCRAM has another nonce than ours, or too many rounds")
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, salt, rounds)
        without_proof = f"c=biws,r={nonce}".encode("latin-1")
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored_key = hashlib.new(self._hash, client_key).digest()
        signature = hmac.digest(stored_key, b",".join((self._bare, challenge, without_proof)), self._hash)
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        return without_proof + b",p=" + b64encode(proof)
