"""The Client's side of SCRAM, against the example of RFC 7677 and that of RFC 5802."""

from __future__ import annotations

import pytest

from mqttws.conformance.server.scram import Scram
from mqttws.conformance.verdict import Failed

EXAMPLES = [
    pytest.param(
        "SCRAM-SHA-256",
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        id="RFC 7677",
    ),
    pytest.param(
        "SCRAM-SHA-1",
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        id="RFC 5802",
    ),
]


@pytest.mark.parametrize(("method", "nonce", "challenge", "final"), EXAMPLES)
def test_the_proof_is_that_of_the_example(method: str, nonce: str, challenge: str, final: str) -> None:
    scram = Scram(method, "user", b"pencil", nonce)
    assert scram.first == f"n,,n=user,r={nonce}".encode()
    assert scram.final(challenge.encode()) == final.encode()


def test_a_name_with_commas_is_written_as_the_standard_wants_it() -> None:
    assert Scram("SCRAM-SHA-1", "a,b=c", b"", "r").first == b"n,,n=a=2Cb=3Dc,r=r"


@pytest.mark.parametrize(
    "challenge",
    [b"", b"\xff", b"r=mine1,s=?,i=1", b"r=mine1,s=c2FsdA==", b"r=other,s=c2FsdA==,i=1", b"r=mine1,s=,i=999999999"],
)
def test_a_challenge_that_is_none_fails(challenge: bytes) -> None:
    with pytest.raises(Failed):
        Scram("SCRAM-SHA-256", "user", b"pencil", "mine").final(challenge)
