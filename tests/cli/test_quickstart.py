"""``mqttws quickstart``: each step as a person reads it, and 0 only if the message has arrived."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from mqttws.cli import main
from mqttws.codec import Connect, Publish
from tests.cli.peers import Command, Manners, RecordingServer, message

CANARY = "canary0123456789"

STEPS = [
    r"1\. Started a local endpoint: ws://127\.0\.0\.1:\d+/clients/mqtt/hubs/chat\?\[redacted\]",
    r"2\. Connected as [0-9A-Za-z]{20}: MQTT 5\.0, clean start, session kept for 30 s if the wire breaks",
    r'3\. Subscribed to "group1" at QoS 1',
    r"4\. Connected a second client, [0-9A-Za-z]{20}",
    r'5\. Published "Hello World!" to "group1" at QoS 1: acknowledged',
    r'6\. Received "Hello World!" on "group1" at QoS 1',
    r"7\. Disconnected both clients",
    r"Done: the message has arrived\.",
]


def test_alone_it_takes_every_step_and_tells_each() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mqttws", "quickstart"], check=False, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(STEPS)
    for line, step in zip(lines, STEPS, strict=True):
        assert re.fullmatch(step, line)
    assert "access_token=" not in done.stdout


def test_it_runs_against_any_server_by_url(endpoint: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    url = endpoint[1]
    assert main(["quickstart", "--url", url, "-t", "other", "-m", "Grüße"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1. Using the Server at ws://localhost:")
    assert 'Received "Grüße" on "other"' in out
    assert url.split("=")[1] not in out


def test_both_clients_ask_for_what_the_quickstart_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    with RecordingServer(Manners(on_subscribe=[message("group1", b"Hello World!", 1)])) as server:
        monkeypatch.setenv("MQTTWS_URL", server.url)
        assert main(["quickstart"]) == 0
        connects = server.wait_for(Connect, 2)
        (publish,) = server.all(Publish)
    for connect in connects:
        assert (int(connect.version), connect.clean_start) == (5, True)
        assert connect.properties["session_expiry_interval"] == 30
    assert (publish.topic, publish.payload, int(publish.qos)) == ("group1", b"Hello World!", 1)


FAILING = [
    (Manners(handshake_status=401), 3, "HTTP 401"),
    (Manners(connack_code=0x87), 3, "0x87 Not authorized"),
    (Manners(connack_code=None), 3, "0.5 s were not enough for connecting"),
    (Manners(suback_code=0x87), 1, "0x87 Not authorized"),
    (Manners(puback_codes=lambda _: 0x87), 1, "0x87 Not authorized"),
    (Manners(), 1, "0.5 s were not enough for the message"),
    (Manners(on_subscribe=[message("group1", b"Hello Word!")]), 1, "other content"),
]


@pytest.mark.parametrize(("manners", "code", "complaint"), FAILING)
def test_without_the_message_it_fails_in_one_line(
    manners: Manners, code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingServer(manners) as server:
        assert main(["quickstart", "-W", "0.5", "--url", f"{server.url}?access_token={CANARY}"]) == code
    out, err = capsys.readouterr()
    assert "Done" not in out
    assert (err.count("\n"), err.startswith("mqttws quickstart: ")) == (1, True)
    assert complaint in err
    assert CANARY not in out + err


def test_a_bad_url_or_topic_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quickstart", "--url", f"http://h/?access_token={CANARY}"]) == 2
    assert main(["quickstart", "--topic", "a/#"]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 2
    assert CANARY not in out + err


def test_text_that_a_terminal_cannot_show_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quickstart", "-m", "\udcff\x1b[2J"]) == 0
    assert 'Received "\\udcff\\u001b[2J"' in capsys.readouterr().out


def test_ctrl_c_ends_it_at_the_step_it_was_at() -> None:
    with RecordingServer() as server, Command("quickstart", "--url", server.url) as command:
        server.wait_for(Publish)
        assert [command.line()[0] for _ in range(5)] == list("12345")
        command.signal(signal.SIGINT)
        assert command.end() == (1, "", "mqttws quickstart: interrupted for the message\n")
