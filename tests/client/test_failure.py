"""One failure for many tasks."""

from __future__ import annotations

from mqttws.client.failure import Failure
from mqttws.errors import ConnectionLost


def test_each_task_gets_a_copy_with_cause_and_notes() -> None:
    error = ConnectionLost("cut", 1006)
    error.__cause__ = OSError("cable")
    error.add_note("after 3 attempts")
    one, two = Failure(error).fresh(), Failure(error).fresh()
    assert one is not two
    assert one is not error
    assert isinstance(one, ConnectionLost)
    assert (one.cause, one.close_code, one.__notes__) == ("cut", 1006, ["after 3 attempts"])
    assert one.__cause__ is error.__cause__


class Stubborn(Exception):
    """Of somebody else's making: it does not know how it was made."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def test_an_error_that_cannot_be_copied_is_raised_itself() -> None:
    error = Stubborn("a", "b")
    assert Failure(error).fresh() is error
