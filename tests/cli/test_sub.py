"""``mqttws sub``: prints what comes, acknowledges what it has printed, and leaves politely."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest

from mqttws.cli import main
from mqttws.codec import Connect, Subscribe
from tests.cli.peers import Command, Manners, RecordingServer, farewell, message

CANARY = "canary0123456789"


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


MESSAGES = [message("a", b"one"), message("b/c", b"zwei", 1), message("a", b"three", 2), message("a", b"four")]


def test_payloads_are_printed_until_there_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(on_subscribe=MESSAGES)) as server:
        assert main(["sub", "-L", server.url, "-t", "a", "-t", "b/#", "-n", "3"]) == 0
        assert farewell(server) == 0
        (subscribe,) = server.all(Subscribe)
    assert [(item.topic_filter, int(item.qos)) for item in subscribe.subscriptions] == [("a", 1), ("b/#", 1)]
    assert lines_of(capsys) == ["one", "zwei", "three"]


def test_topics_are_printed_in_front_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(on_subscribe=MESSAGES)) as server:
        assert main(["sub", "-L", server.url, "-t", "#", "-C", "2", "-v", "-q", "0", "-V", "3.1.1"]) == 0
        assert int(server.all(Connect)[0].version) == 4
    assert lines_of(capsys) == ["a one", "b/c zwei"]


def test_json_has_text_or_base64_and_the_properties(capsys: pytest.CaptureFixture[str]) -> None:
    binary = message("b", b"\xff\0", 1, content_type="x/y", correlation_data=b"\xff", user_property=[("k", "v")])
    with RecordingServer(Manners(on_subscribe=[message("ä", "grüße\n".encode()), binary])) as server:
        assert main(["sub", "-L", server.url, "-t", "ä", "-t", "b", "-n", "2", "--json"]) == 0
    assert [json.loads(line) for line in lines_of(capsys)] == [
        {"topic": "ä", "payload": "grüße\n", "qos": 0, "retain": False, "properties": {}},
        {
            "topic": "b",
            "payload_base64": "/wA=",
            "qos": 1,
            "retain": False,
            "properties": {"content_type": "x/y", "correlation_data_base64": "/w==", "user_property": [["k", "v"]]},
        },
    ]


def test_every_option_reaches_its_packet() -> None:
    options = (
        "-i me -k 9 -x 20 --will-topic gone -q 2 --no-local --retain-as-published"
        " -D subscription-identifier=7 --user-property k=v"
    )
    with RecordingServer() as server:
        assert main(["sub", "-L", server.url, "-t", "t", "-n", "0", *options.split()]) == 0
        (connect,) = server.all(Connect)
        (subscribe,) = server.all(Subscribe)
    assert (connect.client_id, connect.keep_alive, connect.will.topic) == ("me", 9, "gone")
    (subscription,) = subscribe.subscriptions
    assert (int(subscription.qos), subscription.no_local, subscription.retain_as_published) == (2, True, True)
    assert subscribe.properties == {"subscription_identifier": 7, "user_property": [("k", "v")]}


def test_too_few_messages_in_time_are_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(on_subscribe=MESSAGES)) as server:
        assert main(["sub", "-L", server.url, "-t", "#", "-n", "5", "-W", "0.5"]) == 1
        assert farewell(server) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["one", "zwei", "three", "four"]
    assert err == "mqttws sub: 0.5 s are over: 4 of 5 messages came\n"


def test_without_a_count_the_time_limit_is_the_ordinary_end(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(on_subscribe=MESSAGES)) as server:
        assert main(["sub", "-L", server.url, "-t", "#", "-W", "0.5"]) == 0
        assert farewell(server) == 0
    assert len(lines_of(capsys)) == 4


@pytest.mark.parametrize(
    ("manners", "code", "complaint"),
    [
        (Manners(handshake_status=503), 3, "HTTP 503: not today"),
        (Manners(connack_code=0x87), 3, "0x87 Not authorized"),
        (Manners(connack_code=None), 3, "no connection within 0.5 s"),
        (Manners(suback_code=0x87), 1, "subscribe refused: a: 0x87 Not authorized"),
        (Manners(close_after_subscribe=True), 1, "WebSocket close code 1011"),
    ],
)
def test_what_the_server_refuses_is_one_line_without_the_token(
    manners: Manners, code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingServer(manners) as server:
        url = f"{server.url}?access_token={CANARY}"
        assert main(["sub", "-L", url, "-t", "a", "-W", "0.5"]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err.startswith("mqttws sub: ")) == ("", 1, True)
    assert complaint in err
    assert CANARY not in err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "-t/--topic"),
        (["-t", "a/#/b"], "'#' stands alone"),
        (["-t", "t", "-n", "some"], "whole number"),
        (["-t", "t", "-V", "3.1.1", "--user-property", "a=b"], "3.1.1 has no properties"),
        (["-t", "t", "-D", "topic-alias=1"], "SUBSCRIBE has no property"),
        (["-t", "t", "-D", "subscription-identifier=0"], "subscription_identifier"),
    ],
)
def test_wrong_usage_is_one_line(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer() as server:
        assert main(["sub", "-L", server.url, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_disconnect_after_the_last_acknowledgement(number: int) -> None:
    with RecordingServer(Manners(on_subscribe=[message("t", b"hello", 1)])) as server:
        with Command("sub", "-L", server.url, "-t", "t") as command:
            assert command.line() == "hello"
            command.signal(number)
            assert command.end() == (0, "", "")
        assert farewell(server) == 0
        kinds = [type(event).__name__ for event in server.events]
        assert kinds.index("Disconnect") == len(kinds) - 2


def test_a_signal_before_the_count_is_reached_is_a_failure() -> None:
    with RecordingServer(Manners(on_subscribe=[message("t", b"hello", 1)])) as server:
        with Command("sub", "-L", server.url, "-t", "t", "-n", "2") as command:
            assert command.line() == "hello"
            command.signal(signal.SIGINT)
            assert command.end() == (1, "", "mqttws sub: interrupted: 1 of 2 messages came\n")
        assert farewell(server) == 0


def test_a_reader_that_has_seen_enough_ends_it_in_peace() -> None:
    flood = [message("t", b"x" * 1000) for _ in range(900)]
    with RecordingServer(Manners(on_subscribe=flood)) as server:
        command = f"{sys.executable} -m mqttws sub -L {server.url} -t t | head -n 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, timeout=20)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"x" * 1000 + b"\n", b"")
        assert farewell(server) == 0


def test_a_reader_that_closes_our_output_ends_it_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with (
        RecordingServer(Manners(on_subscribe=MESSAGES)) as server,
        contextlib.suppress(BrokenPipeError),
        os.fdopen(writing, "w") as stdout,
    ):
        monkeypatch.setattr("sys.stdout", stdout)
        assert main(["sub", "-L", server.url, "-t", "#", "-n", "3"]) == 0
        assert farewell(server) == 0


def test_a_session_that_is_kept_is_taken_up_again(
    endpoint: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = endpoint[1]
    session = ["-t", "group1", "-i", "one", "-x", "20"]
    assert main(["sub", "-L", url, *session, "-n", "0"]) == 0
    assert main(["pub", "-L", url, "-t", "group1", "-m", "while you were away", "-q", "1"]) == 0
    assert main(["sub", "-L", url, *session, "-c", "-n", "1", "-W", "10"]) == 0
    assert lines_of(capsys) == ["while you were away"]


def test_a_message_is_acknowledged_once_it_is_printed(
    endpoint: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = endpoint[1]
    session = ["-t", "group2", "-i", "two", "-x", "20", "-q", "2"]
    assert main(["sub", "-L", url, *session, "-n", "0"]) == 0
    for text in ("first", "second"):
        assert main(["pub", "-L", url, "-t", "group2", "-m", text, "-q", "2"]) == 0
    assert main(["sub", "-L", url, *session, "-c", "-n", "1", "-W", "10"]) == 0
    assert main(["sub", "-L", url, *session, "-c", "-n", "1", "-W", "10"]) == 0
    assert lines_of(capsys) == ["first", "second"]
