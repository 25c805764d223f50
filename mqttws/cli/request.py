"""Publish a request and print the response: to a topic (MQTT 5.0), or as a user event to a Web PubSub hub."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import aclosing
from typing import Any, Final

import trio

from mqttws.cli.connecting import Progress, connected
from mqttws.cli.interrupt import interruptible
from mqttws.cli.options import add_connection_options, add_will_options, properties_of, seconds
from mqttws.cli.outcome import CommandFailed, ExitCode, UsageError
from mqttws.cli.output import as_json, as_line, write_lines
from mqttws.cli.payloads import add_payload_options, payloads
from mqttws.cli.properties import names_of
from mqttws.client import Client, Message
from mqttws.vocabulary import PacketType, ProtocolVersion

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Properties that a request has for its own sake.
_OURS: Final = ("response_topic", "correlation_data")

EXAMPLES: Final = f"""\
examples:
  mqttws request --url ws://127.0.0.1:9001/mqtt -t time/now -n
  mqttws request -t calculator -m '2 + 2' -W 5 -v        (URL in MQTTWS_URL)
  mqttws request --event login -m joe --hub chat         (connection string in MQTTWS_CONNECTION_STRING)
  mqttws sub -t time/now --json                          (shows the response topic for who wants to answer by hand)

properties of PUBLISH: {", ".join(name for name in names_of(PacketType.PUBLISH) if name not in _OURS)}
Who answers publishes to the request's response topic, with its correlation data.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws request``."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-t", "--topic", help="topic to publish the request to")
    where.add_argument("--event", metavar="NAME", help="send a user event of this name (Web PubSub)")
    add_payload_options(parser, lines=False)
    parser.set_defaults(repeat=1)
    parser.add_argument("-q", "--qos", type=int, choices=(0, 1, 2), metavar="{0,1,2}", help="QoS of the request")
    parser.add_argument(
        "--response-topic", metavar="TOPIC", help="where the response shall go (default: a random topic)"
    )
    parser.add_argument("-D", "--property", action="append", default=[], metavar="NAME=VALUE",
                        help="a property of PUBLISH (5.0, repeatable)")  # fmt: skip
    parser.add_argument("--user-property", action="append", default=[], metavar="KEY=VALUE",
                        help="a user property (5.0, repeatable)")  # fmt: skip
    parser.add_argument("-W", "--timeout", type=seconds, default=10.0, metavar="SECONDS",
                        help="give up after so long (default: 10)")  # fmt: skip
    parser.add_argument("-v", "--verbose", action="store_true", help="print the topic in front of the payload")
    parser.add_argument("--json", action="store_true", help="print the response as a JSON object")
    add_connection_options(parser)
    add_will_options(parser)


def run(args: Namespace) -> int:
    """Connect, ask, print the response, disconnect."""
    return trio.run(_run, args)


async def _run(args: Namespace) -> int:
    properties = properties_of(args, args.property, PacketType.PUBLISH, args.user_property)
    _check(args, properties)
    responses: list[Message] = []
    async with interruptible(args.timeout) as interrupt:
        progress = Progress()
        with interrupt.scope():
            async with connected(args, progress) as client:
                with interrupt.scope():
                    responses.append(await _ask(client, args, properties))
    if not responses:
        if not progress.opened:
            raise progress.not_connected(interrupt, args.timeout)
        raise CommandFailed(f"no response within {args.timeout:g} s" if interrupt.timed_out else "interrupted")
    await write_lines([as_json(item) if args.json else as_line(item, with_topic=args.verbose) for item in responses])
    return ExitCode.WELL


def _check(args: Namespace, properties: dict[str, Any]) -> None:
    """Refuse what a request cannot have before anybody is asked."""
    for name in _OURS:
        if name in properties:
            raise UsageError(f"the property {name} is what finds the response; it is not yours to set")
    if args.event is None and args.protocol_version == ProtocolVersion.V3_1_1:
        raise UsageError("MQTT 3.1.1 has no responses; requests to a topic need -V 5")


async def _ask(client: Client, args: Namespace, properties: Any) -> Message:
    async with aclosing(payloads(args)) as source:
        payload = await anext(source)
    if args.event is not None:
        return await client.send_event(args.event, payload, qos=args.qos, properties=properties or None)
    return await client.request(
        args.topic, payload, args.qos, response_topic=args.response_topic, properties=properties or None
    )
