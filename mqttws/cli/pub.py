"""Publish messages to a topic; returns when their QoS is fulfilled."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from contextlib import aclosing
from typing import Any, Final

import trio

from mqttws.cli.connecting import Progress, connected
from mqttws.cli.interrupt import Interrupt, interruptible
from mqttws.cli.options import add_connection_options, add_will_options, properties_of, seconds, whole_number
from mqttws.cli.outcome import CommandFailed, ExitCode, say_why
from mqttws.cli.output import write_lines
from mqttws.cli.payloads import add_payload_options, payloads
from mqttws.cli.properties import jsonable, names_of
from mqttws.client import Client, PublishResult, Receipt
from mqttws.codec import Publish
from mqttws.errors import MessageExpired, MqttError, PublishRefused, QueueFull, SessionLost, name_of
from mqttws.vocabulary import PacketType

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Messages whose outcome has not been looked at; more of them would not be faster.
_OUTSTANDING: Final = 100

EXAMPLES: Final = f"""\
examples:
  mqttws pub --url ws://127.0.0.1:9001/mqtt -t group1 -m 'Hello World!' -q 1
  mqttws pub -t group1 -f picture.png -D content-type=image/png      (URL in MQTTWS_URL)
  tail -f log | mqttws pub -t logs -l
  mqttws pub -t group1 -m hi --user-property from=joe -D message-expiry-interval=60
  mqttws pub -t answers -m pong -D correlation-data=base64:AAEC -v
  mqttws pub -t group1 -m hi --hub chat          (connection string in MQTTWS_CONNECTION_STRING)
  tail -f log | mqttws pub -t logs -l -q 1 --reconnect --store log.session

properties of PUBLISH: {", ".join(names_of(PacketType.PUBLISH))}
Binary values are text as UTF-8, or base64:….
Without -q the QoS is 1 on a Web PubSub hub, where a refused QoS 0 message costs the connection, and else 0.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws pub``."""
    parser.add_argument("-t", "--topic", required=True, help="topic to publish to")
    add_payload_options(parser, lines=True)
    parser.add_argument("-q", "--qos", type=int, choices=(0, 1, 2), metavar="{0,1,2}", help="QoS (default: see below)")
    parser.add_argument("-r", "--retain", action="store_true", help="retain the message")
    parser.add_argument("--repeat", type=whole_number, default=1, metavar="N", help="send it N times (not with -l)")
    parser.add_argument("-D", "--property", action="append", default=[], metavar="NAME=VALUE",
                        help="a property of PUBLISH (5.0, repeatable)")  # fmt: skip
    parser.add_argument("--user-property", action="append", default=[], metavar="KEY=VALUE",
                        help="a user property (5.0, repeatable)")  # fmt: skip
    parser.add_argument("-W", "--timeout", type=seconds, metavar="SECONDS", help="give up after so long")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for each message")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each message")
    add_connection_options(parser)
    add_will_options(parser)


def run(args: Namespace) -> int:
    """Connect, publish, disconnect."""
    return trio.run(_run, args)


async def _run(args: Namespace) -> int:
    properties = properties_of(args, args.property, PacketType.PUBLISH, args.user_property)
    publisher = _Publisher(args, properties)
    async with interruptible(args.timeout) as interrupt:
        progress = Progress()
        with interrupt.scope():
            async with connected(args, progress) as client:
                with interrupt.scope():
                    await publisher.publish_all(client)
    if interrupt.happened and not publisher.finished:
        if not progress.opened:
            raise progress.not_connected(interrupt, args.timeout)
        raise _interrupted(interrupt, args, publisher)
    if publisher.failed:
        raise CommandFailed(f"{publisher.failed} of {publisher.sent} messages failed")
    if publisher.refused:
        raise CommandFailed(f"{publisher.refused} of {publisher.sent} messages were refused")
    return ExitCode.WELL


def _interrupted(interrupt: Interrupt, args: Namespace, publisher: _Publisher) -> CommandFailed:
    why = f"{args.timeout:g} s were not enough" if interrupt.timed_out else "interrupted"
    return CommandFailed(f"{why}: {publisher.ended} of {publisher.sent} messages sent are known to have arrived")


class _Publisher:
    """Sends what the arguments ask for, many messages under way at a time, and says what became of each in order."""

    def __init__(self, args: Namespace, properties: dict[str, Any]) -> None:
        self.sent = 0
        self.ended = 0
        #: How many the Server has refused, and how many failed for another reason, which includes "nobody knows".
        self.refused = 0
        self.failed = 0
        self.finished = False
        self._args = args
        self._properties: Any = properties
        self._one_ended = trio.Event()

    async def publish_all(self, client: Client) -> None:
        """Publish everything and wait for every outcome."""
        send, receive = trio.open_memory_channel[Receipt](_OUTSTANDING)
        async with trio.open_nursery() as nursery:
            # A task of its own: with -l an outcome is told though the next line may be a long time coming.
            nursery.start_soon(self._report, receive)
            async with send, aclosing(payloads(self._args)) as source:
                async for payload in source:
                    await send.send(await self._publish(client, payload))
        self.finished = True

    async def _publish(self, client: Client, payload: bytes) -> Receipt:
        topic = self._args.topic
        message: dict[str, Any] = {
            "qos": self._args.qos,
            "retain": self._args.retain,
            "properties": self._properties,
        }
        while True:
            try:
                receipt = client.publish_soon(topic, payload, **message)
            except QueueFull:
                if self.ended < self.sent:
                    await self._one_ended.wait()
                    continue
                # Then QoS 0 has filled the send buffer; publish() waits for room in it.
                receipt = Receipt(Publish(topic, payload), 0, await client.publish(topic, payload, **message))
            self.sent += 1
            return receipt

    async def _report(self, receipts: trio.MemoryReceiveChannel[Receipt]) -> None:
        async with receipts:
            async for receipt in receipts:
                await self._tell(receipt.publish, await self._outcome(receipt))

    async def _outcome(self, receipt: Receipt) -> PublishResult | MqttError:
        """What became of a message; those that are this message's own failure and not the client's end."""
        try:
            outcome: PublishResult | MqttError = await receipt.wait()
        except PublishRefused as refusal:
            self.refused += 1
            print(f"mqttws pub: {say_why(refusal)}", file=sys.stderr)
            outcome = PublishResult(refusal.reason_code, refusal.properties)
        except (SessionLost, MessageExpired) as error:
            self.failed += 1
            print(f"mqttws pub: {say_why(error)}", file=sys.stderr)
            outcome = error
        self.ended += 1
        self._one_ended.set()
        self._one_ended = trio.Event()
        return outcome

    async def _tell(self, publish: Publish, result: PublishResult | MqttError) -> None:
        if self._args.json:
            members: dict[str, Any] = {"topic": publish.topic, "qos": int(publish.qos), "bytes": len(publish.payload)}
            if isinstance(result, MqttError):
                members |= {"error": type(result).__name__, "reason": say_why(result)}
            else:
                members |= {"reason_code": int(result.reason_code), "reason": name_of(result.reason_code)}
                members["properties"] = jsonable(result.properties)
            await write_lines([json.dumps(members).encode("ascii") + b"\n"])
        elif self._args.verbose:
            if isinstance(result, MqttError):
                outcome = say_why(result)
            else:
                outcome = name_of(result.reason_code) if publish.qos else "sent"
            text = f"{publish.topic}: {len(publish.payload)} bytes at QoS {int(publish.qos)}: {outcome}\n"
            await write_lines([text.encode()])
