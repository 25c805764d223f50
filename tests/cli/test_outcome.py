"""Exit codes and the one line that goes with them."""

from __future__ import annotations

import pytest

from mqttws.cli.outcome import CommandFailed, ExitCode, NotConnected, UsageError, outcome_of, say_why
from mqttws.errors import ConnectionLost, LocalProtocolError, MqttError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), ExitCode.USAGE),
        (LocalProtocolError("x"), ExitCode.USAGE),
        (NotConnected("x"), ExitCode.NOT_CONNECTED),
        (CommandFailed("x"), ExitCode.FAILED),
        (ConnectionLost("x"), ExitCode.FAILED),
        (OSError("x"), ExitCode.FAILED),
        (ExceptionGroup("g", [ConnectionLost("x"), ExceptionGroup("h", [NotConnected("x")])]), ExitCode.NOT_CONNECTED),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_line(error: Exception, code: ExitCode) -> None:
    assert outcome_of(error) == (code, "x")


@pytest.mark.parametrize("error", [KeyError("x"), ExceptionGroup("g", [MqttError("x"), ZeroDivisionError()])])
def test_a_bug_of_ours_has_no_outcome(error: Exception) -> None:
    assert outcome_of(error) is None


def test_a_line_is_one_line_with_each_reason_once_and_no_token() -> None:
    error = ExceptionGroup("g", [MqttError("a\r\nb\x1b[2J"), MqttError("same"), MqttError("same"), OSError()])
    assert say_why(error) == "a  b [2J; same; OSError"
    assert say_why(MqttError("GET /?access_token=canary")) == "GET /?access_token=[redacted]"
