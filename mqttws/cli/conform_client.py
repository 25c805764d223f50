"""Check a Client rule by rule: it is led, connection by connection, to Servers that are good, careless or hostile.

A program (--command) takes tasks on its standard input, a line each, and prints an event for what happens, a JSON
object a line; the convention is described in mqttws.conformance.client.convention. Where {url} stands in the command it
gets the URL of a Server on this machine. With --listen no program is started: the tasks are said here, for whoever
operates the Client, and what only a program could tell is not tested.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import Any, Final

import trio

from mqttws.cli.conform_options import add_run_options, carry_out, seed_of, selected
from mqttws.cli.conform_output import add_output_options
from mqttws.cli.fuzz_client import host_and_port
from mqttws.cli.fuzz_options import note
from mqttws.cli.outcome import NotConnected, UsageError
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.client.run import PLAN, ClientUnreachable, client_checks, discover, probes_of
from mqttws.conformance.client.subject import ClientSubject, open_operated, open_subject
from mqttws.conformance.client.subjects import SUBJECTS, SubjectMissing, command_of, environment_of, release_of
from mqttws.vocabulary import ProtocolVersion

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform client --subject paho-mqtt --save paho.json --html paho.html
  mqttws conform client --command 'python my_client.py {url}' --name mine --release 1.2
  mqttws conform client --command 'my-client {url}' --only 'MQTT-3.3.1-*' --only 5.0/4.4 --keep-all
  mqttws conform client --command 'my-client {url}' --failed mine.json
  mqttws conform client --listen 127.0.0.1:9001 --only 'takes_*' -V 5

exit status:
  0 no rule is broken   1 some are   2 wrong usage   3 the Client does not come, or falls over a good Server
"""

#: Seconds that a run may take.
_SECONDS: Final = 300.0
#: Seconds that a run may take where a person does the tasks.
_OPERATED: Final = 7200.0


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws conform client``."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--command", metavar="'PROGRAM ... {url}'", help="a program that follows the convention")
    who.add_argument("--subject", choices=sorted(SUBJECTS), help="one that comes with the kit, for an installed client")
    who.add_argument("--listen", nargs="?", const=("127.0.0.1", 0), type=host_and_port, metavar="HOST:PORT",
                     help="start nothing, wait for the Client here (default: a free port of 127.0.0.1)")  # fmt: skip
    parser.set_defaults(check_seconds=PLAN.check_seconds)  # some checks start the program many times
    add_run_options(parser, at_once=4, within=_SECONDS)
    add_output_options(parser)


def run(args: Namespace) -> int:
    """Find out what the Client is, run the checks, tell."""
    checks = selected(args, client_checks())
    return trio.run(_run, args, checks)


async def _run(args: Namespace, checks: list[Any]) -> int:
    async with _subject(args) as (name, subject):
        try:
            await discover(subject, args.protocol_version or tuple(ProtocolVersion))
        except ClientUnreachable as trouble:
            nowhere = args.command is not None and "{url}" not in args.command
            hint = "; there is no {url} in --command, so it does not know where to connect" if nowhere else ""
            raise NotConnected(f"the client does not get through a good conversation: {trouble}{hint}") from None
        spoken = " and ".join(version_name(version) for version in sorted(subject.versions))
        about = f"MQTT {spoken}; {subject.patience:.1f} s for whatever it owes"
        probes = probes_of(subject)
        return await carry_out(args, checks, probes, kind=Kind.CLIENT, name=name, seed=subject.seed, about=about)


@asynccontextmanager
async def _subject(args: Namespace) -> AsyncIterator[tuple[str, ClientSubject]]:
    """The Client's name, and where it is led."""
    seed = seed_of(args)
    try:
        if args.listen is not None:
            if args.seconds == _SECONDS:
                args.seconds = _OPERATED
            args.at_once = 1
            host, port = args.listen
            async with open_operated(host, port, lambda task: note(f"task: {task}"), seed=seed) as (subject, url):
                note(f"listening: {url}")
                yield "client", subject
            return
        name, command, environment = _program(args)
        async with open_subject(command, seed=seed, environment=environment) as subject:
            yield name, subject
    except OSError as problem:
        what = "listen for the client" if args.listen is not None else f"start {args.command or args.subject!r}"
        raise UsageError(f"cannot {what}: {problem.strerror or problem}") from None


def _program(args: Namespace) -> tuple[str, list[str], dict[str, str]]:
    """Name, words of the command, environment."""
    if args.subject is not None:
        try:
            args.release = args.release or release_of(args.subject)
            return args.subject, command_of(args.subject), environment_of()
        except SubjectMissing as missing:
            raise UsageError(str(missing)) from None
    try:
        command = shlex.split(args.command)
    except ValueError as problem:
        raise UsageError(f"--command: {problem}") from None
    if not command:
        raise UsageError("--command is empty")
    return PurePath(command[0]).name, command, {}
