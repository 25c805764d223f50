"""The whole way once: two clients connect, one subscribes, the other publishes, the first receives.

Without --url (or MQTTWS_URL) a local endpoint is started in this process for as long as it takes.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from mqttws.cli.connecting import connected_to
from mqttws.cli.interrupt import interruptible
from mqttws.cli.options import seconds, url_from
from mqttws.cli.outcome import CommandFailed, ExitCode, NotConnected
from mqttws.client import Message, PublishResult
from mqttws.endpoint import open_endpoint
from mqttws.errors import name_of
from mqttws.webpubsub import ClientAccessUrl, Roles

__all__ = ["EXAMPLES", "add_arguments", "run"]

_HUB: Final = "chat"

#: How both clients connect: MQTT 5.0, clean start, and a Session that outlives a broken connection for half a minute.
_OPTIONS: Final[dict[str, Any]] = {"version": 5, "clean_start": True, "session_expiry_interval": 30}

EXAMPLES: Final = """\
examples:
  mqttws quickstart
  mqttws quickstart --url ws://127.0.0.1:9001/mqtt --topic mqttws/quickstart
  MQTTWS_URL='wss://….webpubsub.azure.com/clients/mqtt/hubs/chat?access_token=…' mqttws quickstart

The exit status is 0 only if the message has arrived, as it was sent.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws quickstart``."""
    parser.add_argument(
        "-L", "--url", metavar="URL", help="ws:// or wss:// URL of a Server (default: a local endpoint)"
    )
    parser.add_argument("--url-file", metavar="FILE", help="a file that holds the URL")
    parser.add_argument("-t", "--topic", default="group1", help="topic (default: group1)")
    parser.add_argument(
        "-m", "--message", default="Hello World!", metavar="TEXT", help="payload (default: Hello World!)"
    )
    parser.add_argument("-W", "--timeout", type=seconds, default=30.0, metavar="SECONDS",
                        help="give up after so long (default: 30)")  # fmt: skip


def run(args: Namespace) -> int:
    """Take every step and say so."""
    return trio.run(_run, args)


async def _run(args: Namespace) -> int:
    steps = _Steps()
    async with interruptible(args.timeout) as interrupt:
        with interrupt.scope():
            async with _server(args, steps) as url:
                with interrupt.scope():
                    await _exchange(url, args.topic, args.message, steps)
    if not steps.arrived:
        why = f"{args.timeout:g} s were not enough" if interrupt.timed_out else "interrupted"
        failure = CommandFailed if steps.connections else NotConnected
        raise failure(f"{why} for {steps.next}")
    print("Done: the message has arrived.", flush=True)
    return ExitCode.WELL


class _Steps:
    """Numbers the steps, prints each when it is done, and knows which one comes next."""

    def __init__(self) -> None:
        self.next = "the first step"
        self.connections = 0
        self.arrived = False
        self._number = 0

    def done(self, what: str, then: str) -> None:
        self._number += 1
        self.next = then
        print(f"{self._number}. {what}", flush=True)


@asynccontextmanager
async def _server(args: Namespace, steps: _Steps) -> AsyncIterator[str]:
    """The URL of the Server: the one that was given, or a local endpoint's."""
    given = url_from(args)
    if given is not None:
        steps.done(f"Using the Server at {ClientAccessUrl.parse(given)}", "connecting")
        yield given
        return
    async with open_endpoint() as endpoint:
        url = endpoint.client_access_url(_HUB, roles=Roles.everything())
        steps.done(f"Started a local endpoint: {ClientAccessUrl.parse(url)}", "connecting")
        yield url


async def _exchange(url: str, topic: str, text: str, steps: _Steps) -> None:
    async with connected_to(url, **_OPTIONS) as subscriber:
        steps.connections += 1
        steps.done(
            f"Connected as {subscriber.client_id}: MQTT 5.0, clean start, session kept for 30 s if the wire breaks",
            "subscribing",
        )
        async with subscriber.subscribe(topic, qos=1) as messages:
            granted = messages.reason_codes[0]
            steps.done(f'Subscribed to "{topic}" at QoS {granted}', "connecting the publisher")
            async with connected_to(url, **_OPTIONS) as publisher:
                steps.done(f"Connected a second client, {publisher.client_id}", "publishing")
                result = await publisher.publish(topic, text.encode("utf-8", "surrogateescape"), qos=1)
                steps.done(f'Published {_quoted(text)} to "{topic}" at QoS 1: {_outcome(result)}', "the message")
            message = await anext(messages)
        steps.arrived = _check(message, topic, text)
        steps.done(f'Received {_quoted(text)} on "{message.topic}" at QoS {int(message.qos)}', "disconnecting")
    steps.done("Disconnected both clients", "nothing")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _outcome(result: PublishResult) -> str:
    return "acknowledged" if not result.reason_code else f"acknowledged with {name_of(result.reason_code)}"


def _check(message: Message, topic: str, text: str) -> bool:
    if message.topic != topic or message.payload != text.encode("utf-8", "surrogateescape"):
        raise CommandFailed(f"a message of {len(message.payload)} bytes came on another topic or with other content")
    return True
