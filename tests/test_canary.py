"""The canary sings when a token is shown, and only then."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mqttws.errors import ConnectionLost, HandshakeRefused, MqttError, ServerDisconnected
from mqttws.webpubsub import ConnectionString, client_access_url
from tests import canary

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def token() -> str:
    """A token as the service takes it."""
    url = client_access_url(ConnectionString.parse(f"Endpoint=http://127.0.0.1:1;AccessKey={KEY}"), "chat")
    return url.partition("access_token=")[2]


def test_it_sees_tokens_in_log_lines_of_any_level(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("mqttws"), "propagate", False)  # else pytest shows it, and this test fails
    logging.getLogger("mqttws.client").debug("connecting with %s", token.partition(".")[0])
    assert canary.taken() == []
    logging.getLogger("mqttws.client").debug("connecting with %s", token)
    assert canary.taken() == ["a log line of mqttws.client"]


ERRORS: list[Callable[[str], MqttError]] = [
    lambda text: HandshakeRefused(401, (), text.encode()),
    lambda text: ConnectionLost(f"no answer to {text}"),
    lambda text: ServerDisconnected(0x87, {"reason_string": text}),
]


@pytest.mark.parametrize("make", ERRORS)
def test_it_sees_tokens_in_the_text_of_errors(token: str, make: Callable[[str], MqttError]) -> None:
    error = make("eyJ0 is no token")
    assert canary.taken() == []
    error = make(token)
    assert canary.taken() == [f"the text of a {type(error).__name__}"]


LEAKY = """\
import sys
from mqttws.errors import ConnectionLost
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJjaGF0In0.c2lnbmF0dXJl"

def test_silent():
    ConnectionLost("no answer")

def test_printing():
    print("at", TOKEN)

def test_raising():
    ConnectionLost(TOKEN)

def test_silent_again():
    print(TOKEN[:20])
"""


def test_a_test_that_shows_a_token_fails_and_its_neighbours_do_not(tmp_path: Path) -> None:
    (tmp_path / "test_leaky.py").write_text(LEAKY, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-p", "tests.canary", "-p", "no:cacheprovider", str(tmp_path)]
    house = Path(__file__).parents[1]
    run = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=60, check=False)
    outcomes = dict(line.split("::")[1].split()[:2] for line in run.stdout.splitlines() if line.endswith("%]"))
    assert outcomes == {
        "test_silent": "PASSED",
        "test_printing": "FAILED",
        "test_raising": "FAILED",
        "test_silent_again": "PASSED",
    }, run.stdout
