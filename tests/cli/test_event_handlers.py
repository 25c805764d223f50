"""``mqttws serve --event-handler``: events of every hub at one URL."""

from __future__ import annotations

import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mqttws.cli import main
from mqttws.cli.event_handlers import add_handler_arguments, handlers_of
from mqttws.cli.outcome import UsageError
from tests.cli.peers import serving

URL = "http://localhost:3000/{hub}/{event}"


def parsed(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    add_handler_arguments(parser)
    return parser.parse_args(arguments)


def test_without_the_option_there_is_no_handler() -> None:
    assert handlers_of(parsed()) == {}


@pytest.mark.parametrize(
    ("arguments", "users", "systems"),
    [
        ((), "*", ("connect", "connected", "disconnected")),
        (("--user-events", "a,b", "--system-events", ""), "a,b", ()),
        (("--system-events", "connect, connected"), "*", ("connect", "connected")),
        (("--user-events", "", "--system-events", "disconnected"), "", ("disconnected",)),
    ],
)
def test_one_handler_is_for_every_hub(arguments: tuple[str, ...], users: str, systems: tuple[str, ...]) -> None:
    handlers = handlers_of(parsed("--event-handler", URL, *arguments))
    ((hub, (handler,)),) = handlers.items()
    assert (hub, handler.target, handler.user_events, tuple(handler.system_events)) == ("_default", URL, users, systems)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--user-events", "a"), "--user-events goes with --event-handler"),
        (("--system-events", "connect"), "--system-events goes with --event-handler"),
        (("--event-handler", "http://{hub}/"), "--event-handler: parameters stand behind the host"),
        (("--event-handler", URL, "--user-events", "a,,b"), "--user-events: '' is no name"),
        (
            ("--event-handler", URL, "--user-events", "", "--system-events", ""),
            "--user-events: the handler takes no event",
        ),
        (("--event-handler", URL, "--system-events", "conect"), "--system-events: 'conect' is none of"),
    ],
)
def test_a_fault_names_its_option(arguments: tuple[str, ...], fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        handlers_of(parsed(*arguments))
    assert str(caught.value).startswith(fault)


class Handler(BaseHTTPRequestHandler):
    """Takes all events, and refuses to let anybody in whose client id is ``stranger``."""

    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self) -> None:
        self._answer(200, ("WebHook-Allowed-Origin", "*"))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(401 if self.headers["ce-connectionId"] == "stranger" else 204)

    def _answer(self, status: int, *headers: tuple[str, str]) -> None:
        assert isinstance(self.server, Server)
        self.server.seen.append(f"{self.command} {self.path}")
        self.send_response(status)
        for name, value in (*headers, *(() if status == 204 else (("Content-Length", "0"),))):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


class Server(HTTPServer):
    """Serves one connection after another."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []


@contextmanager
def http_server() -> Iterator[Server]:
    """An event handler in a thread."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def test_events_of_clients_reach_the_url(capsys: pytest.CaptureFixture[str]) -> None:
    with http_server() as server:
        url = f"http://127.0.0.1:{server.server_port}/{{hub}}/{{event}}"
        options = ("--event-handler", url, "--system-events", "connect", "--user-events", "echo")
        with serving("--hub", "chat", *options) as (_, _, client_url):
            topic = "$webpubsub/server/events/echo"
            assert main(["pub", "-L", client_url, "-i", "friend", "-t", topic, "-m", "x", "-q", "1"]) == 0
            assert main(["pub", "-L", client_url, "-i", "stranger", "-t", topic, "-m", "x", "-q", "1"]) == 3
    assert server.seen == [
        "OPTIONS /chat/validate", "POST /chat/connect", "POST /chat/echo", "POST /chat/connect",
    ]  # fmt: skip
    assert "refused" in capsys.readouterr().err.lower()
