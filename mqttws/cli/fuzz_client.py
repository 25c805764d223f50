"""Be a hostile Server to a Client: wrong answers, malformed packets, broken frames, broken HTTP, silence.

The Client has to survive, to close where the standard says so, and to come back for a good connection after each
misdeed; or it leaves, and --command starts it again. Listens on this machine only, unless --i-own-this-host is given.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Final

import trio

from mqttws.cli.fuzz_live import Progress, add_live_options, carry_out, command_of, finding_of, plan_of
from mqttws.cli.fuzz_options import note
from mqttws.cli.interrupt import interruptible
from mqttws.cli.options import seconds, whole_number
from mqttws.cli.outcome import CommandFailed, UsageError
from mqttws.conformance.wire.target import NotLoopback, loopback_address
from mqttws.errors import ConnectionLost
from mqttws.fuzz.live.client_run import ClientRun
from mqttws.fuzz.live.verdict import Findings

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Misdeeds if nothing else is said.
_COUNT: Final = 200

EXAMPLES: Final = """\
examples:
  mqttws fuzz client --command 'my-client --reconnect {url}' --count 1000
  mqttws fuzz client --listen 127.0.0.1:9001        (start the Client yourself; it has to come back each time)
  mqttws fuzz client --command 'mqttws sub --url {url} -t group1' --seed 7 --json

A Client that subscribes, publishes and connects again by itself is tried at more moments and faster than one that has
to be started each time. It has crashed if a signal has ended it or its output has a traceback that nobody caught.
Findings are files as those of `mqttws fuzz server`: JSON for --replay, bytes for `mqttws explain --websocket --file`.

exit status:
  0 nothing found   1 findings   2 wrong usage   3 no Client has connected
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws fuzz client``."""
    parser.add_argument("--listen", type=host_and_port, default=("127.0.0.1", 0), metavar="HOST:PORT",
                        help="where the Client has to connect (default: a free port of 127.0.0.1)")  # fmt: skip
    parser.add_argument("--path", default="/mqtt", metavar="PATH", help="path of the URL (default: /mqtt)")
    parser.add_argument("--command", metavar="'PROGRAM ... {url}'", help="start the Client, and again when it has left")
    parser.add_argument("--wait", type=seconds, default=30.0, metavar="SECONDS",
                        help="for the Client to come back or to leave (default: 30)")  # fmt: skip
    parser.add_argument(
        "--pid", type=whole_number, metavar="N", help="the Client's process: watch its memory and files"
    )
    add_live_options(parser, _COUNT, patience=5.0)


def host_and_port(text: str) -> tuple[str, int]:
    """``host:port``, ``[::1]:port`` or a port of 127.0.0.1, for argparse."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port[:6]) > 65_535:
        raise ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host or "127.0.0.1", int(port)


def run(args: Namespace) -> int:
    """Be hostile until the bounds are reached, or Ctrl-C."""
    if args.pid is not None and args.command is not None:
        raise UsageError("--command knows the process that it starts; --pid has no place beside it")
    if not args.path.startswith("/"):
        raise UsageError("--path begins with a slash")
    return trio.run(_run, args)


async def _run(args: Namespace) -> int:
    again = finding_of(args, "client")
    command = command_of(args.command)
    listener, url = await _listen(args)
    findings = Findings(Path(args.findings))
    progress = Progress()
    attack = ClientRun(
        listener,
        url,
        plan_of(args, _COUNT),
        findings,
        command=command,
        wait=args.wait,
        pid=args.pid,
        versions=args.protocol_version,
        on_progress=lambda so_far: progress(f"{so_far.attacks:,} misdeeds, {len(so_far.findings)} findings"),
    )
    async with listener, interruptible() as interrupt:
        note(f"listening: {url}")
        return await carry_out(args, interrupt, attack, again, lambda: _lines(attack))


async def _listen(args: Namespace) -> tuple[trio.SocketListener, str]:
    host, port = args.listen
    try:
        address = host if args.i_own_this_host else await loopback_address(host, port)
        listener, *others = await trio.open_tcp_listeners(port, host=address)
    except NotLoopback as refusal:
        raise UsageError(f"{refusal}; --i-own-this-host says that you may listen there") from None
    except ConnectionLost as problem:
        raise UsageError(str(problem)) from None
    except OSError as problem:
        raise CommandFailed(f"cannot listen on {host}:{port}: {problem.strerror or problem}") from None
    for other in others:
        await other.aclose()
    shown = f"[{address}]" if ":" in address else address
    return listener, f"ws://{shown}:{listener.socket.getsockname()[1]}{args.path}"


def _lines(attack: ClientRun) -> list[str]:
    versions = " and ".join({4: "3.1.1", 5: "5.0"}[version] for version in sorted(attack.versions))
    outcomes = ", ".join(f"{count:,} {name}" for name, count in attack.outcomes.most_common())
    lines = [
        f"{attack.attacks:,} misdeeds from seed {attack.plan.seed} at {attack.url} (MQTT {versions or 'unknown'}), "
        f"{len(attack.findings)} findings",
        f"  the Client: {outcomes or 'nothing'}; {attack.visits:,} connections, started {attack.starts:,} times",
    ]
    if samples := attack.watch.samples:
        memory = f"{samples[0].memory / 2**20:.1f} -> {samples[-1].memory / 2**20:.1f} MiB"
        lines.append(f"  memory {memory}, open files {samples[0].files} -> {samples[-1].files}")
    if attack.gone:
        lines.append("  ended early: the Client does not come any more")
    return lines
