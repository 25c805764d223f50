"""A Python function as a decoder, in this process."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from mqttws.conformance.codec.answer import Answer, DecoderUnusable, Taken
from mqttws.conformance.codec.deadline import Hang, time_limit
from mqttws.vocabulary import Role

__all__ = ["InProcess", "load"]

#: What says that a program is wrong, not that its input is. A decoder that means them as refusals says so.
_BUGS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    RecursionError,
    TypeError,
    struct.error,
)


class InProcess:
    """``decode(data)``, ``decode(data, version)`` or ``decode(data, version, sender)``; sender is a string.

    It accepts by returning: a mapping has the fields, ``NotImplemented`` says that it does not read such packets. It
    refuses by raising one of ``refusals``; where none are given, anything but what says that a program is wrong.
    """

    def __init__(
        self,
        decode: Callable[..., Any],
        *,
        name: str,
        refusals: Sequence[type[BaseException]] = (),
        limit: float = 5.0,
    ) -> None:
        self.name = name
        self._decode = decode
        self._refusals = tuple(refusals)
        self._limit = limit
        self._arguments = _count_of_arguments(decode)

    @property
    def knows_version(self) -> bool:
        """Whether it is told the version."""
        return self._arguments > 1

    @property
    def knows_sender(self) -> bool:
        """Whether it is told who sends."""
        return self._arguments > 2

    def decode(self, data: bytes, version: int, sender: Role) -> Answer:
        """Call the function."""
        arguments = (data, version, sender.value)[: self._arguments]
        try:
            with time_limit(self._limit):
                found = self._decode(*arguments)
                fields = dict(found) if isinstance(found, Mapping) else None  # one that is read only now may fail
        except Hang as hang:
            return Answer(Taken.HUNG, str(hang))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - it may raise anything, and that is the question
            words = f"{type(error).__name__}: {error}"
            refuses = isinstance(error, self._refusals) if self._refusals else not isinstance(error, _BUGS)
            meant = refuses and isinstance(error, Exception)
            return Answer(Taken.REFUSED if meant else Taken.CRASHED, words)
        if found is NotImplemented:
            return Answer(Taken.UNSUPPORTED)
        return Answer(Taken.ACCEPTED, fields=fields)

    def close(self) -> None:
        """Nothing is held."""


def _count_of_arguments(decode: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(decode).parameters.values()
    except (TypeError, ValueError):  # built in, and does not tell
        return 1
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 3
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return min(max(len(positional), 1), 3)


def load(reference: str) -> Any:
    """What ``module:name`` refers to; dots in the name go deeper. Raises :class:`DecoderUnusable`."""
    module, colon, name = reference.partition(":")
    if not colon or not module or not name:
        raise DecoderUnusable(f"an adapter reads module:function, not {reference!r}")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise DecoderUnusable(f"cannot load {reference}: {error}") from None
    return found
