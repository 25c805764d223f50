"""The options that say where, how often and with what memory a command connects."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.codec import Connect, Publish
from mqttws.link import Upgrade
from mqttws.trace import read_trace
from mqttws.vocabulary import Role
from tests.cli.peers import Command, Manners, RecordingServer, message, serving

SECRET = "topsecret0123456789"
ONE = ["-t", "group1", "-n", "1", "-W", "10"]


@contextmanager
def proxy(status: str = "200 Fine") -> Iterator[tuple[int, list[str]]]:
    """A proxy that serves one CONNECT and remembers what it was asked."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def serve() -> None:
        near, _ = listener.accept()
        with near:
            near.settimeout(20)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            asked.append(head.decode())
            near.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
            if not status.startswith("200"):
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port)), timeout=20) as far:
                back = threading.Thread(target=_copy, args=(far, near))
                back.start()
                _copy(near, far)
                back.join(20)

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        yield listener.getsockname()[1], asked
    thread.join(20)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other direction has ended both


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# -- a hub ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["option", "file", "MQTTWS_CONNECTION_STRING", "WebPubSubConnectionString"])
def test_a_hub_is_entered_with_a_connection_string_from_anywhere(
    source: str, endpoint: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    where = ["--hub", "chat", "--user-id", "joe"]
    if source == "option":
        where += ["--connection-string", endpoint[0]]
    elif source == "file":
        (tmp_path / "secret").write_text(endpoint[0] + "\n")
        where += ["--connection-string-file", str(tmp_path / "secret")]
    else:
        monkeypatch.setenv(source, endpoint[0])
    monkeypatch.setenv("MQTTWS_URL", "ws://127.0.0.1:9/elsewhere")
    assert main(["sub", *where, "-t", "hub1", "-i", "hubsub", "-x", "20", "-n", "0"]) == 0
    assert main(["pub", *where, "-t", "hub1", "-m", "hello", "-q", "1"]) == 0
    assert main(["sub", *where, "-t", "hub1", "-i", "hubsub", "-x", "20", "-c", "-n", "1", "-W", "10"]) == 0
    assert capsys.readouterr() == ("hello\n", "")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--hub", "chat"], "no connection string"),
        (["--hub", "chat", "-L", "ws://h/"], "not with a URL"),
        (["--connection-string", f"Endpoint=http://h;AccessKey={SECRET}"], "go with --hub"),
        (["--user-id", "joe", "-L", "ws://h/"], "go with --hub"),
        (["--hub", "chat", "--connection-string", f"AccessKey={SECRET}"], "Endpoint"),
        (["--hub", "a b", "--connection-string", f"Endpoint=http://h;AccessKey={SECRET}"], "hub"),
        (["--proxy", f"ftp://joe:{SECRET}@h", "-L", "ws://h/"], "proxy: "),
        (["--store", "/absent/store", "-L", "ws://h/"], "cannot be opened"),
        (["--trace", "/absent/trace", "-L", "ws://h/"], "cannot write /absent/trace"),
        ([], "no URL"),
    ],
)
def test_wrong_usage_is_one_line_without_secrets(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sub", "-t", "a", "-n", "0", *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err
    assert SECRET not in err


# -- a proxy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["option", "MQTTWS_PROXY"])
def test_a_proxy_is_gone_through(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with RecordingServer() as server, proxy() as (port, asked):
        url = f"http://joe:{SECRET}@127.0.0.1:{port}"
        if source == "option":
            options = ["--proxy", url]
        else:
            options = []
            monkeypatch.setenv("MQTTWS_PROXY", url)
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "-q", "1", *options]) == 0
        assert [publish.payload for publish in server.all(Publish)] == [b"x"]
    (request,) = asked
    assert request.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic " in request


def test_a_proxy_that_refuses_is_could_not_connect(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer() as server, proxy("407 Who are you") as (port, _):
        url = f"http://joe:{SECRET}@127.0.0.1:{port}"
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "--proxy", url]) == 3
    err = capsys.readouterr().err
    assert "the proxy refused the tunnel with HTTP 407" in err
    assert SECRET not in err


def test_no_proxy_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with RecordingServer() as server:
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "-q", "1", "--proxy", "none"]) == 0


# -- reconnecting -----------------------------------------------------------------------------------------------------


def test_a_subscription_goes_on_across_connections(capsys: pytest.CaptureFixture[str]) -> None:
    manners = Manners(on_subscribe=[message("group1", b"hello", 1)], closings=1)
    with RecordingServer(manners) as server:
        assert main(["sub", "-L", server.url, "-t", "group1", "-n", "1", "-W", "15", "--reconnect"]) == 0
        first, second = server.all(Connect)
        assert first.client_id == second.client_id
        assert (first.clean_start, second.clean_start) == (True, False)
    assert capsys.readouterr() == ("hello\n", "")


def test_without_reconnect_the_first_end_is_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(closings=1)) as server:
        assert main(["sub", "-L", server.url, "-t", "group1", "-n", "1", "-W", "15"]) == 1
        assert len(server.all(Connect)) == 1
    assert "WebSocket close code 1011" in capsys.readouterr().err


def test_a_message_is_published_though_the_connection_ends_before_its_acknowledgement() -> None:
    with RecordingServer(Manners(closings=1)) as server:
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "-q", "1", "-W", "15", "--reconnect"]) == 0
        assert [publish.payload for publish in server.all(Publish)] == [b"x", b"x"]


def test_what_nobody_can_know_is_a_failure_and_the_others_still_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a\nb\n")
    with RecordingServer(Manners(closings=1)) as server, path.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["pub", "-L", server.url, "-t", "t", "-l", "-q", "2", "-W", "15", "--reconnect", "--json"]) == 1
    out, err = capsys.readouterr()
    outcomes = [json.loads(line) for line in out.splitlines()]
    assert outcomes[0]["error"] == "SessionLost"
    assert err.splitlines()[-1].startswith("mqttws pub: ")
    assert "lost the Session" in err


def test_who_never_gets_a_connection_learns_why(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"ws://127.0.0.1:{free_port()}/mqtt"
    assert main(["sub", "-L", url, *ONE[:-1], "0.7", "--reconnect"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("mqttws sub: no connection within 0.7 s: cannot connect to 127.0.0.1:")
    assert err.count("\n") == 1


def test_a_server_that_comes_later_is_waited_for() -> None:
    port = free_port()
    with Command("sub", "-L", f"ws://127.0.0.1:{port}/mqtt", *ONE, "--reconnect") as command:
        with pytest.raises(subprocess.TimeoutExpired):  # nobody is there yet
            command.process.wait(0.7)
        with RecordingServer(Manners(on_subscribe=[message("group1", b"late", 1)]), port=port) as server:
            assert command.line() == "late"
            assert command.end() == (0, "", "")
            assert len(server.all(Connect)) == 1


def test_what_is_not_tried_again_ends_it_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(connack_code=0x86)) as server:
        assert main(["sub", "-L", server.url, *ONE, "--reconnect"]) == 3
        assert len(server.all(Connect)) == 1
    assert "0x86 Bad user name or password" in capsys.readouterr().err


# -- a store ----------------------------------------------------------------------------------------------------------


def test_what_was_under_way_survives_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(tmp_path / "me.session")]
    manners = Manners(puback_codes=lambda _: None)
    with RecordingServer(manners) as server:
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "first", "-q", "1", "-W", "0.5", *store]) == 1
        manners.puback_codes = lambda _: 0
        manners.session_present = True
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "second", "-q", "1", "-W", "10", *store]) == 0
        assert [(packet.payload, packet.dup) for packet in server.all(Publish)] == [
            (b"first", False), (b"first", True), (b"second", False),
        ]  # fmt: skip
        one, other = server.all(Connect)
        assert one.client_id == other.client_id
        assert not other.clean_start
    assert "0.5 s were not enough" in capsys.readouterr().err


def test_a_store_of_another_client_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(tmp_path / "me.session")]
    with RecordingServer() as server:
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "-q", "1", "-i", "one", *store]) == 0
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "-q", "1", "-i", "two", *store]) != 0
        assert len(server.all(Connect)) == 1
    assert "holds the Session of client 'one'" in capsys.readouterr().err


# -- a trace ----------------------------------------------------------------------------------------------------------


def test_a_trace_has_every_connection_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "wire.trace"
    manners = Manners(on_subscribe=[message("group1", b"hello", 1)], closings=1)
    with RecordingServer(manners) as server:
        url = f"{server.url}?access_token={SECRET}"
        options = ["-P", SECRET, "-u", "joe", "--reconnect", "--trace", str(path)]
        assert main(["sub", "-L", url, "-t", "group1", "-n", "1", "-W", "15", *options]) == 0
        assert len(server.all(Upgrade)) == 2
    text = path.read_text()
    assert SECRET not in text
    assert SECRET.encode().hex() not in text
    connections = read_trace(text.splitlines())
    assert len(connections) == 2
    assert main(["trace", "show", "--brief", str(path)]) == 0
    assert os.stat(path).st_mode & 0o077 == 0


def test_an_endpoint_records_its_clients(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.trace"
    with serving("--quiet", "--trace", str(path)) as (command, _, url):
        assert main(["pub", "-L", url, "-t", "t", "-m", "x", "-q", "1"]) == 0
        command.signal(signal.SIGTERM)
        assert command.end() == (0, "", "")
    text = path.read_text()
    assert url.partition("access_token=")[2].encode().hex() not in text
    (connection,) = read_trace(text.splitlines())
    assert connection.role is Role.SERVER
    assert main(["trace", "replay", "-d", "in", str(path)]) == 0
