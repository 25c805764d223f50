"""Exit codes, and the one line that goes with each failure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from mqttws.errors import LocalProtocolError, MqttError
from mqttws.webpubsub.address import redact

__all__ = ["CommandFailed", "ExitCode", "NotConnected", "UsageError", "outcome_of", "say_why"]


class ExitCode(IntEnum):
    """What a command returns to the shell."""

    WELL = 0
    FAILED = 1
    USAGE = 2
    NOT_CONNECTED = 3


class UsageError(Exception):
    """What was asked for makes no sense; nothing was done."""


class CommandFailed(Exception):
    """The command did not reach its goal."""


class NotConnected(Exception):
    """There was no connection to begin with."""


def outcome_of(error: Exception) -> tuple[ExitCode, str] | None:
    """Exit code and line for an error, None for one that only a bug of ours can have raised."""
    leaves = list(_leaves(error))
    if not all(isinstance(leaf, UsageError | CommandFailed | NotConnected | MqttError | OSError) for leaf in leaves):
        return None
    if any(isinstance(leaf, NotConnected) for leaf in leaves):
        code = ExitCode.NOT_CONNECTED
    elif any(isinstance(leaf, UsageError | LocalProtocolError) for leaf in leaves):
        code = ExitCode.USAGE
    else:
        code = ExitCode.FAILED
    return code, say_why(error)


def say_why(error: BaseException) -> str:
    """One line of printable text for an error or a group of them: each reason once, no secret in it."""
    reasons = dict.fromkeys(str(leaf) or type(leaf).__name__ for leaf in _leaves(error))
    text = redact("; ".join(reasons))
    return "".join(character if character.isprintable() else " " for character in text)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
