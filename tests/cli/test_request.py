"""``mqttws request``: a response is printed, and without one it fails."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.codec import Connect, Publish, Subscribe
from tests.cli.peers import Command, Manners, RecordingServer, farewell, message


def answer(request: Publish) -> list[Publish]:
    """What an honest responder does."""
    return [
        message(
            request.properties["response_topic"],
            b"re: " + request.payload,
            1,
            correlation_data=request.properties["correlation_data"],
        )
    ]


def test_the_response_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer(Manners(on_publish=answer)) as server:
        assert main(["request", "-L", server.url, "-t", "ask", "-m", "hello", "-q", "1"]) == 0
        assert farewell(server) == 0
        (subscribe,) = server.all(Subscribe)
        (publish,) = server.all(Publish)
    assert publish.properties["response_topic"] == subscribe.subscriptions[0].topic_filter
    assert capsys.readouterr() == ("re: hello\n", "")


def test_every_option_reaches_its_packet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "payload"
    path.write_bytes(b"\0\1")
    options = ["-q", "2", "--response-topic", "answers", "-D", "content-type=x/y", "--user-property", "a=b", "--json"]
    with RecordingServer(Manners(on_publish=answer)) as server:
        assert main(["request", "-L", server.url, "-i", "me", "-t", "ask", "-f", str(path), *options]) == 0
        (publish,) = server.all(Publish)
        (connect,) = server.all(Connect)
    assert (int(publish.qos), publish.payload, connect.client_id) == (2, b"\0\1", "me")
    assert publish.properties["content_type"] == "x/y"
    assert publish.properties["user_property"] == [("a", "b")]
    shown = json.loads(capsys.readouterr().out)
    assert (shown["topic"], shown["payload"]) == ("answers", "re: \0\1")


def test_no_response_in_time_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingServer() as server:
        assert main(["request", "-L", server.url, "-t", "ask", "-n", "-W", "0.5"]) == 1
        assert farewell(server) == 0
    assert capsys.readouterr() == ("", "mqttws request: no response within 0.5 s\n")


@pytest.mark.parametrize(
    ("manners", "options", "code", "complaint"),
    [
        (Manners(connack_code=None), ["-W", "0.5"], 3, "no connection within 0.5 s"),
        (Manners(handshake_status=403), [], 3, "HTTP 403"),
        (Manners(suback_code=0x87), [], 1, "subscribe refused"),
        (Manners(puback_codes=lambda _: 0x87), ["-q", "1"], 1, "publish refused: 0x87"),
        (Manners(), ["-V", "3.1.1"], 2, "3.1.1 has no responses"),
        (Manners(), ["-D", "correlation-data=x"], 2, "the property correlation_data is what finds the response"),
    ],
)
def test_what_goes_wrong_is_one_line(
    manners: Manners, options: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingServer(manners) as server:
        assert main(["request", "-L", server.url, "-t", "ask", "-n", *options]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(["-m", "x"], "--topic"), (["-t", "a", "--event", "b", "-n"], "not allowed with"), (["-t", "a"], "--message")],
)
def test_wrong_usage_is_one_line(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["request", "-L", "ws://127.0.0.1:9/", *options]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), complaint in err) == (1, True)


def test_ctrl_c_is_a_failure() -> None:
    with RecordingServer() as server, Command("request", "-L", server.url, "-t", "ask", "-n") as command:
        server.wait_for(Publish)
        command.signal(signal.SIGINT)
        assert command.end() == (1, "", "mqttws request: interrupted\n")
        assert farewell(server) == 0


def test_an_event_of_a_hub_is_answered_by_its_handler(
    endpoint: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--hub", "chat", "--connection-string", endpoint[0]]
    assert main(["request", *where, "--event", "login", "-m", "joe"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("mqttws request: ")
