"""``mqttws pub`` against a Server that remembers what it got."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.codec import Connect, Disconnect, Publish
from mqttws.link import Upgrade
from tests.cli.peers import Command, Manners, RecordingServer, farewell

CANARY = "canary0123456789"


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer() as running:
        yield running


def published(server: RecordingServer) -> list[tuple[str, bytes, int]]:
    return [(packet.topic, packet.payload, int(packet.qos)) for packet in server.all(Publish)]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_arrives_and_the_client_says_goodbye(
    version: str, qos: int, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pub", "-L", server.url, "-V", version, "-t", "group1", "-m", "Grüße", "-q", str(qos)]) == 0
    assert farewell(server) == 0
    assert published(server) == [("group1", "Grüße".encode(), qos)]
    (connect,) = server.all(Connect)
    assert (int(connect.version), connect.clean_start, connect.keep_alive) == (5 if version == "5" else 4, True, 60)
    assert capsys.readouterr() == ("", "")


def test_every_option_reaches_its_packet(server: RecordingServer, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(CANARY + "\n")
    options = (
        "-i me -c -x 20 -k 7 -u joe -H X-Trace:1"
        " --connect-property receive-maximum=9 --connect-property user-property=a=b"
        " --will-topic gone --will-payload bye --will-qos 1 --will-retain --will-property will-delay-interval=3"
        " -t t -r -q 1 -n -D content-type=x/y -D message-expiry-interval=60 --user-property k=v"
    )
    assert main(["pub", "-L", server.url, "--password-file", str(password), *options.split()]) == 0
    (upgrade,) = server.all(Upgrade)
    assert ("x-trace", "1") in [(name.lower(), value) for name, value in upgrade.headers]
    (connect,) = server.all(Connect)
    assert (connect.client_id, connect.clean_start, connect.keep_alive) == ("me", False, 7)
    assert (connect.username, connect.password) == ("joe", CANARY.encode())
    assert (connect.properties["session_expiry_interval"], connect.properties["receive_maximum"]) == (20, 9)
    assert connect.properties["user_property"] == [("a", "b")]
    will = connect.will
    assert (will.topic, will.payload, int(will.qos), will.retain) == ("gone", b"bye", 1, True)
    assert will.properties == {"will_delay_interval": 3}
    (packet,) = server.all(Publish)
    assert (packet.payload, packet.retain) == (b"", True)
    assert packet.properties == {
        "content_type": "x/y", "message_expiry_interval": 60, "user_property": [("k", "v")],
    }  # fmt: skip


def test_url_and_password_may_come_from_the_environment(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTTWS_URL", server.url)
    monkeypatch.setenv("MQTTWS_PASSWORD", CANARY)
    assert main(["pub", "-t", "t", "-m", "x", "-u", "joe"]) == 0
    assert server.all(Connect)[0].password == CANARY.encode()


def test_a_file_and_standard_input_are_payloads_byte_for_byte(
    server: RecordingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "payload"
    path.write_bytes(bytes(range(256)) * 1000)
    assert main(["pub", "-L", server.url, "-t", "t", "-q", "1", "-f", str(path)]) == 0
    with path.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["pub", "-L", server.url, "-t", "t", "-q", "1", "-s"]) == 0
    assert published(server) == [("t", path.read_bytes(), 1)] * 2


def test_lines_are_messages_in_order(
    server: RecordingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [b"", b"long" * 20_000, *(b"line %d" % number for number in range(500)), b"no end"]
    path = tmp_path / "lines"
    path.write_bytes(b"windows\r\n" + b"\n".join(lines))
    with path.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["pub", "-L", server.url, "-t", "t", "-q", "1", "-l", "-v"]) == 0
    assert [payload for _, payload, _ in published(server)] == [b"windows", *lines]
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "t: 7 bytes at QoS 1: 0x00 Success"
    assert len(out) == len(lines) + 1


def test_a_message_is_repeated(server: RecordingServer) -> None:
    assert main(["pub", "-L", server.url, "-t", "t", "-q", "1", "-m", "x", "--repeat", "250"]) == 0
    assert published(server) == [("t", b"x", 1)] * 250


def test_quality_of_service_0_is_sent_whole_though_the_buffer_fills(server: RecordingServer) -> None:
    arguments = ["-t", "t", "-q", "0", "-m", "x" * 60_000, "--repeat", "300"]
    assert main(["pub", "-L", server.url, *arguments]) == 0
    assert farewell(server) == 0
    assert len(published(server)) == 300


def test_json_tells_what_became_of_each_message(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(puback_codes=lambda _: 0x10)) as server:
        assert main(["pub", "-L", server.url, "-t", "t", "-q", "1", "-m", "x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "topic": "t",
        "qos": 1,
        "bytes": 1,
        "reason_code": 16,
        "reason": "0x10 No matching subscribers",
        "properties": {},
    }


def test_a_refused_message_is_a_failure_and_the_others_still_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a\nb\nc\n")
    with (
        RecordingServer(Manners(puback_codes=lambda packet: 0x87 if packet.payload == b"b" else 0)) as server,
        path.open() as stdin,
    ):
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["pub", "-L", server.url, "-t", "t", "-q", "1", "-l"]) == 1
        assert farewell(server) == 0
        assert len(published(server)) == 3
    assert capsys.readouterr().err.splitlines() == [
        "mqttws pub: publish refused: 0x87 Not authorized",
        "mqttws pub: 1 of 3 messages were refused",
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["-m", "x"], "-t/--topic"),
        (["-t", "t"], "-m/--message"),
        (["-t", "t", "-m", "x", "-n"], "not allowed with"),
        (["-t", "a/#", "-m", "x"], "wildcard"),
        (["-t", "t", "-m", "x", "-q", "3"], "invalid choice: 3"),
        (["-t", "t", "-m", "x", "-V", "3.1"], "neither 5 nor 3.1.1"),
        (["-t", "t", "-m", "x", "-V", "3.1.1", "-D", "content-type=x"], "3.1.1 has no properties"),
        (["-t", "t", "-m", "x", "-D", "contenttype=x"], "did you mean content_type"),
        (["-t", "t", "-m", "x", "-D", "message-expiry-interval=99999999999"], "message_expiry_interval"),
        (["-t", "t", "-m", "x", "-c"], "needs --client-id"),
        (["-t", "t", "-m", "x", "-k", "-1"], "-k/--keep-alive"),
        (["-t", "t", "-m", "x", "-k", "70000"], "keep_alive"),
        (["-t", "t", "-m", "x", "-W", "0"], "positive number of seconds"),
        (["-t", "t", "-m", "x", "-W", "soon"], "positive number of seconds"),
        (["-t", "t", "-m", "x", "-H", f"Bearer {CANARY}"], "NAME: VALUE"),
        (["-t", "t", "-m", "x", "--will-payload", "x"], "give --will-topic"),
        (["-t", "t", "-m", "x", "-x", "99999999999"], "whole number"),
        (["-t", "t", "-m", "x", "-x", "9999999999"], "session_expiry_interval"),
        (["-t", "t", "-m", "x", "-P", CANARY, "--password-file", "y"], "password is given twice"),
        (["-t", "t", "-f", "/absent"], "cannot read /absent: No such file"),
        (["-t", "t", "-m", "x", "--cafile", "/absent"], "cannot use --cafile"),
        (["-t", "t", "-m", "x", "--key", "/absent"], "--key goes with --cert"),
        (["-t", "t", "-m", "x", "--cert", "/absent"], "cannot use --cafile, --cert"),
    ],
)
def test_wrong_usage_is_one_line_and_nothing_is_published(
    options: list[str], complaint: str, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pub", "-L", server.url, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("mqttws pub: ")
    assert complaint in err
    assert CANARY not in err
    assert published(server) == []


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        (None, "no URL"),
        (f"http://h/?access_token={CANARY}", "ws:// in place of http://"),
        (f"ws://joe:{CANARY}@h/", "user name and password"),
    ],
)
def test_a_url_that_is_none_is_wrong_usage(url: str | None, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    where = [] if url is None else ["-L", url]
    assert main(["pub", *where, "-t", "t", "-m", "x"]) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert CANARY not in err


@pytest.mark.parametrize(
    ("manners", "complaint"),
    [
        (Manners(handshake_status=401), "HTTP 401"),
        (Manners(connack_code=0x86), "0x86 Bad user name or password"),
        (Manners(connack_code=None), "no connection within 0.5 s"),
    ],
)
def test_who_is_not_let_in_could_not_connect(
    manners: Manners, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingServer(manners) as server:
        url = f"{server.url}?access_token={CANARY}"
        assert main(["pub", "-L", url, "-t", "t", "-m", "x", "-W", "0.5"]) == 3
    err = capsys.readouterr().err
    assert (err.startswith("mqttws pub: "), err.count("\n")) == (True, 1)
    assert complaint in err
    assert CANARY not in err


def test_nobody_at_home_is_could_not_connect(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer() as server:
        url = server.url
    assert main(["pub", "-L", url, "-t", "t", "-m", "x"]) == 3
    assert "Connection refused" in capsys.readouterr().err


def test_a_server_that_acknowledges_nothing_runs_into_the_time_limit(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(puback_codes=lambda _: None)) as server:
        assert main(["pub", "-L", server.url, "-t", "t", "-m", "x", "-q", "1", "-W", "0.5"]) == 1
    assert capsys.readouterr().err == (
        "mqttws pub: 0.5 s were not enough: 0 of 1 messages sent are known to have arrived\n"
    )


def test_standard_input_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, server: RecordingServer) -> None:
    for option in ("-s", "-l"):
        with Path("/dev/zero").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            monkeypatch.setattr("mqttws.cli.payloads.PAYLOAD_LIMIT", 1_000_000)
            assert main(["pub", "-L", server.url, "-t", "t", option]) == 1
    assert published(server) == []


def test_a_file_that_no_packet_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch, server: RecordingServer) -> None:
    monkeypatch.setattr("mqttws.cli.payloads.PAYLOAD_LIMIT", 1_000)
    assert main(["pub", "-L", server.url, "-t", "t", "-f", "/dev/zero"]) == 2
    assert published(server) == []


def test_ctrl_c_ends_with_disconnect(server: RecordingServer) -> None:
    with Command("pub", "-L", server.url, "-t", "t", "-q", "1", "-l", "-v", stdin=subprocess.PIPE) as command:
        assert command.process.stdin is not None
        command.process.stdin.write("first\n")
        command.process.stdin.flush()
        assert command.line() == "t: 5 bytes at QoS 1: 0x00 Success"
        command.signal(signal.SIGINT)
        code, out, err = command.end()
    assert (code, out) == (1, "")
    assert err == "mqttws pub: interrupted: 1 of 1 messages sent are known to have arrived\n"
    assert farewell(server) == 0


def test_ctrl_c_while_connecting_is_could_not_connect() -> None:
    with (
        RecordingServer(Manners(connack_code=None)) as server,
        Command("pub", "-L", server.url, "-t", "t", "-m", "x") as command,
    ):
        server.wait_for(Connect)
        command.signal(signal.SIGINT)
        assert command.end() == (3, "", "mqttws pub: interrupted\n")
        assert server.all(Disconnect) == []
