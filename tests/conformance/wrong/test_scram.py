"""SCRAM-SHA-256 of the correct Server, against a Client made of the RFC's steps."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest

from mqttws.conformance.wrong.scram import Scram

FIRST = b"n,,n=first,r=abc"


def answer(challenge: bytes, password: bytes) -> bytes:
    """What a Client says to a challenge."""
    said = dict(word.split("=", 1) for word in challenge.decode().split(","))
    without_proof = f"c=biws,r={said['r']}".encode()
    salted = hashlib.pbkdf2_hmac("sha256", password, b64decode(said["s"]), int(said["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    message = b",".join((FIRST[3:], challenge, without_proof))
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return without_proof + b",p=" + b64encode(proof)


def test_who_knows_the_password_gets_in() -> None:
    scram = Scram({"first": b"word"}, "def")
    challenge = scram.challenge(FIRST)
    assert challenge.startswith(b"r=abcdef,s=")
    assert (scram.verify(answer(challenge, b"word")) or b"").startswith(b"v=")


def test_who_does_not_know_it_does_not() -> None:
    scram = Scram({"first": b"word"}, "def")
    assert scram.verify(answer(scram.challenge(FIRST), b"another")) is None


@pytest.mark.parametrize("final", [b"", b"c=biws,r=other,p=eA==", b"c=biws,r=abcdef,p=!!", b"c=biws,r=abcdef,p=eA==",
                                   b"\xff no answer"])  # fmt: skip
def test_what_is_no_proof_is_none(final: bytes) -> None:
    scram = Scram({"first": b"word"}, "def")
    scram.challenge(FIRST)
    assert scram.verify(final) is None


def test_who_is_not_known_does_not_get_in() -> None:
    scram = Scram({}, "def")
    assert scram.verify(answer(scram.challenge(FIRST), b"word")) is None
