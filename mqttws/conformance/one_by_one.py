"""One check at a time, for test suites: what a subject is, is found out once, and remembered for the next check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from typing import Any

import trio

from mqttws.conformance.check import Check, Kind
from mqttws.conformance.client import run as client_run
from mqttws.conformance.client.subject import open_subject
from mqttws.conformance.codec import CommandDecoder, Decoder, InProcess
from mqttws.conformance.codec.probe import CodecProbe
from mqttws.conformance.runner import ProbeFactory, run_checks
from mqttws.conformance.server import discovery
from mqttws.conformance.server import run as server_run
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Result
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.target import NotLoopback, Target
from mqttws.errors import ConnectionLost
from mqttws.vocabulary import ProtocolVersion

__all__ = ["CannotBeChecked", "OneByOne"]


class CannotBeChecked(Exception):
    """Nothing can be said of a subject: it is not there, or no good conversation comes about; the text says why."""


class _Known:
    """What was found out about a client."""

    def __init__(self, versions: set[ProtocolVersion], patience: float) -> None:
        self.versions = versions
        self.patience = patience
        self.watch = Watch()


class OneByOne:
    """Carries checks out, each on its own; from plain functions only, since it runs trio itself."""

    def __init__(self) -> None:
        self._servers: dict[tuple[Any, ...], ServerSubject | CannotBeChecked] = {}
        self._clients: dict[tuple[str, ...], _Known | CannotBeChecked] = {}

    def codec(
        self,
        check: Check,
        decode: Callable[..., Any] | Decoder | Sequence[str],
        *,
        refusals: Sequence[type[BaseException]] = (),
        limit: float = 5.0,
    ) -> Result:
        """Check a decoder: a function, a :class:`Decoder`, or the words of a command in the line protocol.

        A function is called as :class:`InProcess` does; ``refusals`` are what it raises to refuse. ``limit`` are the
        seconds that a packet may take. Raises :class:`CannotBeChecked`.
        """
        _require(check, Kind.CODEC)
        if callable(decode):
            return _asked(check, InProcess(decode, name="decoder", refusals=refusals, limit=limit))
        if not isinstance(decode, Sequence):
            return _asked(check, decode)
        with closing(CommandDecoder(decode, name="decoder", limit=limit)) as decoder:
            return _asked(check, decoder)

    def server(
        self,
        check: Check,
        url: str,
        *,
        second_url: str | None = None,
        topics: str = "mqttws/conform",
        without: Collection[str] = (),
    ) -> Result:
        """Check a Server on this machine; ``second_url`` has other credentials, ``topics`` may be written below.

        What it is ``without`` are names of capabilities that it does not offer, where it does not say so itself.
        Raises :class:`CannotBeChecked`, and :class:`ValueError` for what is no URL.
        """
        _require(check, Kind.SERVER)
        key = (url, second_url, topics, tuple(without))
        if key not in self._servers:
            self._servers[key] = trio.run(_discovered, *key)
        subject = self._servers[key]
        if isinstance(subject, CannotBeChecked):
            raise CannotBeChecked(str(subject))
        return _one(check, server_run.probes_of(subject))

    def client(self, check: Check, command: Sequence[str]) -> Result:
        """Check a Client that is a program: the words of a command, with ``{url}``; see the convention of subjects.

        Raises :class:`CannotBeChecked`.
        """
        _require(check, Kind.CLIENT)
        known = self._clients.get(tuple(command))
        if isinstance(known, CannotBeChecked):
            raise CannotBeChecked(str(known))
        try:
            result, self._clients[tuple(command)] = trio.run(_led, check, tuple(command), known)
        except (client_run.ClientUnreachable, OSError) as error:
            self._clients[tuple(command)] = CannotBeChecked(str(error))
            raise CannotBeChecked(str(error)) from None
        return result


def _require(check: Check, kind: Kind) -> None:
    if check.kind is not kind:
        raise ValueError(f"{check.id} is no check of a {kind.value}")


def _one(check: Check, factory: ProbeFactory) -> Result:
    (result,) = trio.run(run_checks, [check], factory)
    return result


def _asked(check: Check, decoder: Decoder) -> Result:
    probe = CodecProbe(decoder)
    result = _one(check, probe.for_check)
    if probe.unusable is not None:
        raise CannotBeChecked(str(probe.unusable))
    return result


async def _discovered(
    url: str, second_url: str | None, topics: str, without: Sequence[str]
) -> ServerSubject | CannotBeChecked:
    try:
        second = None if second_url is None else Account(await Target.find(second_url))
        subject = ServerSubject(Account(await Target.find(url)), second, topics)
        await discovery.discover(subject, without=without)
    except (discovery.Unreachable, NotLoopback, ConnectionLost) as error:
        return CannotBeChecked(str(error))
    return subject


async def _led(check: Check, command: Sequence[str], known: _Known | None) -> tuple[Result, _Known]:
    """Start the program, find out what it is unless that is known, and carry the check out."""
    async with open_subject(command) as subject:
        if known is None:
            await client_run.discover(subject)
            known = _Known(subject.versions, subject.patience)
        subject.versions, subject.patience, subject.watch = known.versions, known.patience, known.watch
        (result,) = await run_checks([check], client_run.probes_of(subject), client_run.PLAN)
        return result, known
