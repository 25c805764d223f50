"""Watches the whole run for access tokens where people would read them.

A test fails if a token appeared in what was printed or logged while it ran, or in the text of an error of this package
that was made meanwhile. Every real token is a canary: three base64url pieces, of which two begin with ``{"``. Commands
whose purpose is to print one are read by their tests, and what a test has read is not looked at again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any

import pytest

from mqttws.errors import MqttError

TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{10,}")

_leaks: list[str] = []


def look_at(text: str, where: str) -> None:
    """Remember ``where`` if there is a token in ``text``."""
    if TOKEN.search(text):
        _leaks.append(where)


def taken() -> list[str]:
    """Where tokens were seen since this was asked last."""
    seen = list(dict.fromkeys(_leaks))
    _leaks.clear()
    return seen


class _Watcher(logging.Handler):
    """Sees every record of the package's loggers, whatever level others want to see."""

    def emit(self, record: logging.LogRecord) -> None:
        look_at(self.format(record), f"a log line of {record.name}")


def _watched(make: Callable[..., None]) -> Callable[..., None]:
    """``__init__`` of an error that looks at the finished error's texts."""

    @wraps(make)
    def watched(self: MqttError, *arguments: Any, **keywords: Any) -> None:
        make(self, *arguments, **keywords)
        if type(self).__init__ is watched:  # not the one of a base class, that leaves an unfinished error
            look_at(f"{self} {self!r} {vars(self)}", f"the text of a {type(self).__name__}")

    return watched


def _family(kind: type[MqttError]) -> Generator[type[MqttError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def pytest_configure() -> None:
    """Take position before the first test is imported."""
    logger = logging.getLogger("mqttws")
    logger.addHandler(_Watcher())
    logger.setLevel(logging.DEBUG)
    for kind in _family(MqttError):
        if "__init__" in vars(kind):
            setattr(kind, "__init__", _watched(vars(kind)["__init__"]))  # noqa: B010 - mypy forbids the plain assignment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a pass into a failure if a token was seen; says where, and not which."""
    report = yield
    for name, text in report.sections:
        if name.endswith(report.when):  # a later phase repeats the sections of those before
            look_at(text, name)
    seen = taken()
    if seen and report.passed:
        report.outcome = "failed"
        report.longrepr = f"an access token was shown in {', '.join(seen)}"
    return report
