"""SCRAM-SHA-256 (RFC 5802, RFC 7677), both ends: an Authentication Method of several steps for the tests."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

from mqttws.client import Authenticator
from mqttws.codec.properties import AuthProperties
from mqttws.errors import AuthenticationFailed

METHOD = "SCRAM-SHA-256"
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
ITERATIONS = 4_096


def fields(message: bytes) -> dict[str, str]:
    """``n=user,r=nonce`` as a dict."""
    return dict(part.split("=", 1) for part in message.decode().split(",") if "=" in part)


def mac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key, text, "sha256")


class Secrets:
    """What both ends compute from the password and the three messages before the proof."""

    def __init__(self, password: str, first: bytes, challenge: bytes) -> None:
        said = fields(challenge)
        self.unproven = b"c=biws,r=" + said["r"].encode()
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(said["s"]), int(said["i"]))
        everything = b",".join((first.removeprefix(b"n,,"), challenge, self.unproven))
        client_key = mac(salted, b"Client Key")
        signature = mac(hashlib.sha256(client_key).digest(), everything)
        self.proof = b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True)))
        self.verdict = b"v=" + b64encode(mac(mac(salted, b"Server Key"), everything))


class ScramClient:
    """The authenticator; trusts a Server only if it knows the password as well."""

    method = METHOD

    def __init__(self, password: str = "pencil", nonce: str = "rOprNGfwEbeRWgbNEkqO") -> None:
        self._password = password
        self._first = f"n,,n=user,r={nonce}".encode()
        self._nonce = nonce
        self._secrets: Secrets | None = None

    async def begin(self) -> AuthProperties:
        self._secrets = None
        return {"authentication_data": self._first}

    async def answer(self, said: AuthProperties) -> AuthProperties:
        challenge = said.get("authentication_data", b"")
        if self._secrets is not None or not fields(challenge).get("r", "").startswith(self._nonce):
            raise AuthenticationFailed("this is no answer to our nonce")
        self._secrets = Secrets(self._password, self._first, challenge)
        return {"authentication_data": self._secrets.unproven + b",p=" + self._secrets.proof}

    async def finish(self, said: AuthProperties) -> None:
        if self._secrets is None or said.get("authentication_data") != self._secrets.verdict:
            raise AuthenticationFailed("the Server does not know the password")


class ScramServer:
    """The other end: :meth:`challenge`, then :meth:`verdict`."""

    def __init__(self, password: str = "pencil", nonce: str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0") -> None:
        self._password = password
        self._nonce = nonce
        self._secrets: Secrets | None = None

    def challenge(self, first: bytes) -> bytes:
        """What to ask after the first message."""
        nonce = fields(first)["r"] + self._nonce
        challenge = f"r={nonce},s={b64encode(SALT).decode()},i={ITERATIONS}".encode()
        self._secrets = Secrets(self._password, first, challenge)
        return challenge

    def verdict(self, final: bytes) -> bytes | None:
        """The proof that we know the password, None if the client does not."""
        assert self._secrets is not None
        good = hmac.compare_digest(final, self._secrets.unproven + b",p=" + self._secrets.proof)
        return self._secrets.verdict if good else None


AUTHENTICATOR: type[Authenticator] = ScramClient
