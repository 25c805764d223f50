"""Attack a running Server with mutated packets, broken frames and broken HTTP, and watch what becomes of it.

It has to survive, to close where the standard says so, and to serve two good clients beside the attacks all the time;
its memory and its open files must not grow. Only on this machine, unless --i-own-this-host is given.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from mqttws.cli.fuzz_live import Progress, add_live_options, carry_out, command_of, finding_of, plan_of
from mqttws.cli.interrupt import interruptible
from mqttws.cli.options import add_tls_options, header, ssl_context_of, url_from, whole_number
from mqttws.cli.outcome import UsageError
from mqttws.conformance.wire.target import NotLoopback, Target
from mqttws.fuzz.live.server_run import ServerRun
from mqttws.fuzz.live.subject import Subject
from mqttws.fuzz.live.verdict import Findings

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Attacks if nothing else is said.
_COUNT: Final = 1_000

EXAMPLES: Final = """\
examples:
  mqttws fuzz server ws://127.0.0.1:9001/mqtt --count 5000 --seed 7
  mqttws fuzz server ws://127.0.0.1:9001/mqtt --pid 4711 --seconds 600 --json
  mqttws fuzz server ws://127.0.0.1:9001/mqtt --command 'my-server --port 9001'
      (starts the Server, and again after it has died, so that findings can be made smaller)
  MQTTWS_URL=... mqttws fuzz server            (a URL with a token, kept out of the list of processes)

A finding is a JSON file, to be tried again by --replay, and a file of the bytes that were sent, for
`mqttws explain --websocket --file FILE`. No token or header value is written into either.

exit status:
  0 nothing found   1 findings   2 wrong usage   3 no good client is served to begin with
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws fuzz server``."""
    parser.add_argument("url", nargs="?", metavar="URL", help="ws:// or wss:// URL (or set MQTTWS_URL)")
    parser.add_argument("--url-file", metavar="FILE", help="a file that holds the URL")
    parser.add_argument("-H", "--header", action="append", default=[], type=header, metavar="'NAME: VALUE'",
                        help="send this header with each good WebSocket handshake (repeatable)")  # fmt: skip
    add_tls_options(parser.add_argument)
    parser.add_argument(
        "--pid", type=whole_number, metavar="N", help="the Server's process: watch its memory and files"
    )
    parser.add_argument("--command", metavar="'PROGRAM ...'", help="start the Server, and again after it has died")
    parser.add_argument("--every", type=whole_number, default=25, metavar="N",
                        help="ask the good clients after so many attacks (default: 25)")  # fmt: skip
    parser.add_argument("-t", "--topic", default="mqttwsfuzzpair", metavar="TOPIC",
                        help="where the good clients meet (default: mqttwsfuzzpair)")  # fmt: skip
    add_live_options(parser, _COUNT, patience=5.0)


def run(args: Namespace) -> int:
    """Attack until the bounds are reached, or Ctrl-C."""
    url = url_from(args)
    if url is None:
        raise UsageError("no URL: give it, or set MQTTWS_URL")
    if args.pid is not None and args.command is not None:
        raise UsageError("--command knows the process that it starts; --pid has no place beside it")
    if not args.every:
        raise UsageError("--every is at least 1")
    return trio.run(_run, args, url)


async def _run(args: Namespace, url: str) -> int:
    try:
        target = await Target.find(
            url, anywhere=args.i_own_this_host, headers=args.header, ssl_context=ssl_context_of(args)
        )
    except NotLoopback as refusal:
        raise UsageError(f"{refusal}; --i-own-this-host says that you may attack it") from None
    subject = Subject(
        target,
        patience=args.patience,
        pid=args.pid,
        command=command_of(args.command),
        versions=args.protocol_version,
        topic=args.topic,
    )
    again = finding_of(args, "server")
    findings = Findings(Path(args.findings))
    progress = Progress()
    attack = ServerRun(
        subject, replace(plan_of(args, _COUNT), every=args.every), findings, lambda so_far: progress(_so_far(so_far))
    )
    async with interruptible() as interrupt:
        return await carry_out(args, interrupt, attack, again, lambda: _lines(attack))


def _so_far(attack: ServerRun) -> str:
    return f"{attack.attacks:,} attacks, {len(attack.findings)} findings{_process(attack)}"


def _process(attack: ServerRun) -> str:
    samples = attack.subject.watch.samples
    if not samples:
        return ""
    first, last = samples[0], samples[-1]
    memory = f"memory {first.memory / 2**20:.1f} -> {last.memory / 2**20:.1f} MiB"
    return f", {memory}, open files {first.files} -> {last.files}"


def _lines(attack: ServerRun) -> list[str]:
    subject = attack.subject
    versions = " and ".join({4: "3.1.1", 5: "5.0"}[version] for version in subject.versions)
    outcomes = ", ".join(f"{count:,} {name}" for name, count in attack.outcomes.most_common())
    lines = [
        f"{attack.attacks:,} attacks from seed {attack.plan.seed} on {subject.target.url} (MQTT {versions}), "
        f"{len(attack.findings)} findings",
        f"  taken as: {outcomes or 'nothing'}",
        f"  good clients: slowest round trip {1000 * subject.slowest:.0f} ms{_process(attack)}",
    ]
    if subject.restarts:
        lines.append(f"  started again {subject.restarts} times")
    if attack.gone:
        lines.append("  ended early: the Server does not serve good clients any more")
    return lines
