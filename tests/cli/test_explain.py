"""``mqttws explain`` as a user meets it: a map on a terminal, JSON for a program, and an exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mqttws.cli import main
from mqttws.codec import Connect, Publish, encode, explain
from mqttws.conformance import vectors
from mqttws.fuzz.findings import Finding, write_finding
from mqttws.vocabulary import Role
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, TEXT, frame

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2ln"
HEAD = (
    b"GET /hub?access_token=%b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
) % JWT.encode()


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What the command prints; it says nothing on standard error."""
    assert main(["explain", *arguments]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def objects(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(capsys, "--json", *arguments, code=code).splitlines()]


def test_a_valid_packet_is_explained_as_the_codec_does(capsys: pytest.CaptureFixture[str]) -> None:
    data = encode(Publish("a", b"hi"))
    assert run(capsys, data.hex(" ")) == explain(data) + "\nno findings in 1 packet (8 bytes)\n"


def test_a_fault_is_a_finding_with_its_rule_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "36 06 0001 61 0001 00", code=1)
    assert "[MQTT-3.3.1-4]\n" in out
    assert "the rule: The two QoS bits of a PUBLISH are never both 1.\n" in out
    assert out.endswith("\n1 finding in 1 packet (8 bytes)\n")


def test_what_is_unfinished_is_a_finding_unless_more_may_follow(capsys: pytest.CaptureFixture[str]) -> None:
    assert "still to come" in run(capsys, "c0 00 30 05", code=1)
    assert "no findings in 2 packets (4 bytes)" in run(capsys, "c0 00 30 05", "--stream")
    assert "1 finding in" in run(capsys, "c1 00 30 05", "--stream", code=1)


def test_version_and_sender_are_settable(capsys: pytest.CaptureFixture[str]) -> None:
    (packet,) = objects(capsys, "-V", "3.1.1", "20 02 00 05")
    assert (packet["version"], packet["fields"][-1]["meaning"]) == ("3.1.1", "Not authorized")
    (packet,) = objects(capsys, "--sender", "client", "d0 00", code=1)
    assert packet["fault"]["message"] == "PINGRESP from a Client"


def test_json_has_what_a_program_wants(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = objects(capsys, "30 05 0001 61 00 ff 82 06 0001 00 0001", code=1)
    assert {name: first[name] for name in first if name != "fields"} == {
        "kind": "packet",
        "title": "PUBLISH, MQTT 5.0",
        "offset": 0,
        "size": 7,
        "verdict": "valid",
        "certain": True,
        "packet_type": "PUBLISH",
        "version": "5.0",
    }
    assert first["fields"][3] == {
        "offset": 0,
        "size": 1,
        "bytes": "30",
        "field": "qos",
        "value": 0,
        "meaning": "at most once",
        "depth": 1,
        "bits": "00000110",
    }
    assert first["fields"][-1]["value_base64"] == "/w=="
    assert second["missing"].startswith(
        "7 of 8 bytes are here; still to come: the rest of subscriptions[0].topic_filter"
    )
    assert "fault" not in second


def test_json_tells_the_fault(capsys: pytest.CaptureFixture[str]) -> None:
    _, packet = objects(capsys, "c000 40 02 0000", code=1)
    assert packet["fault"] == {
        "message": "a Packet Identifier is not zero",
        "offset": 4,
        "field": "packet_id",
        "rule": "MQTT-2.2.1-5",
        "requirement": packet["fault"]["requirement"],
        "answer": "DISCONNECT with 0x82 Protocol error, then close the connection",
        "reason_code": 0x82,
        "reason": "0x82 Protocol error",
    }
    assert packet["fault"]["requirement"].startswith("PUBACK, PUBREC, PUBREL and PUBCOMP")
    (packet,) = objects(capsys, "00 00", code=1)
    assert (packet["packet_type"], packet["fault"]["rule"], packet["fault"]["requirement"]) == (None, None, None)


def test_secrets_are_shown_on_demand_only(capsys: pytest.CaptureFixture[str]) -> None:
    wire = encode(Connect(client_id="c", username="u", password=b"hunter2")).hex()
    for arguments in ([wire], ["--json", wire]):
        out = run(capsys, *arguments)
        assert "hunter2" not in out
        assert b"hunter2".hex() not in out.replace(" ", "")
        assert "[redacted]" in out
    assert "'hunter2'" in run(capsys, "--show-secrets", wire)
    (packet,) = objects(capsys, wire)
    assert packet["fields"][-1]["secret"] is True


def test_frames_are_explained_and_what_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    connect = encode(Connect(client_id="c", username="u", password=b"hunter2"))
    data = (
        HEAD
        + frame(BINARY, connect[:9], masked=True, fin=False)
        + frame(CONTINUATION, connect[9:], masked=True)
        + frame(CLOSE, b"\x03\xe8", masked=True)
    )
    head, *frames, packet = objects(capsys, "--websocket", data.hex())
    assert (head["kind"], head["fields"][0]["value"]) == (
        "HTTP head", "GET /hub?access_token=[redacted] HTTP/1.1",
    )  # fmt: skip
    assert [one["kind"] for one in frames] == ["frame"] * 3
    assert (packet["packet_type"], packet["verdict"], packet["offset"]) == ("CONNECT", "valid", 0)
    out = run(capsys, "--websocket", data.hex())
    assert out.endswith(f"no findings in 1 HTTP head, 3 frames, 1 packet ({len(data)} bytes)\n")
    assert "\nWhat the binary messages hold, joined; offsets count from its first byte.\nCONNECT" in out
    assert JWT.encode().hex()[20:60] not in run(capsys, "--json", "--websocket", data.hex())


def test_a_head_tells_who_sends_the_packets_too(capsys: pytest.CaptureFixture[str]) -> None:
    data = HEAD + frame(BINARY, b"\xd0\0", masked=True)
    *_, packet = objects(capsys, "--websocket", data.hex(), code=1)
    assert packet["fault"]["message"] == "PINGRESP from a Client"


def test_a_faulty_frame_names_its_section(capsys: pytest.CaptureFixture[str]) -> None:
    wire = frame(TEXT, b"hi", masked=True).hex()
    out = " ".join(run(capsys, "--websocket", wire, code=1).split())
    assert "FAULTY FRAME at offset 0: text frame where only binary ones are accepted [RFC 6455, 5.6]" in out
    (section,) = objects(capsys, "--websocket", wire, code=1)
    assert section["fault"] == {
        "message": "text frame where only binary ones are accepted",
        "offset": 0,
        "field": "opcode",
        "rule": "RFC 6455, 5.6",
        "requirement": None,
        "answer": "a Close frame with 1003 (unsupported data), then close the connection",
    }


def test_frames_among_packets_get_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    data = frame(BINARY, encode(Publish("a", b"hi")), masked=True)
    assert main(["explain", data.hex()]) == 1
    note = "mqttws explain: note: these bytes may be WebSocket frames; try --websocket\n"
    assert capsys.readouterr().err == note
    assert main(["explain", HEAD.hex()]) == 1
    assert capsys.readouterr().err == note
    run(capsys, "82 0c 0001 00 0005 612f232f62 2c c000", code=1)  # a bad SUBSCRIBE begins like a good frame


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        (["--colour", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--colour", "never"], {}, False),
        ([], {}, False),  # standard output is no terminal
    ],
)
def test_colours_are_for_terminals(
    options: list[str], environment: dict[str, str], coloured: bool,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = run(capsys, "36 06 0001 61 0001 00", *options, code=1)
    assert ("\x1b[" in out) == coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", out) == run(capsys, "36 06 0001 61 0001 00", code=1)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_may_want_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\x1b[" in run(capsys, "c000")
    monkeypatch.setenv(name, value)
    assert "\x1b[" not in run(capsys, "c000")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--hex", "zz"], "'zz' is not hexadecimal"), ([""], "no bytes"), (["-V", "6", "c000"], "neither 5 nor 3.1.1")],
)
def test_wrong_usage_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err


def test_every_rule_that_a_vector_breaks_has_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    seen = set()
    for vector in vectors():
        if vector["kind"] == "packet" and not vector["valid"]:
            version = "3.1.1" if vector["version"] == 4 else "5"
            main(["explain", "--json", "-V", version, vector["hex"]])
            for line in capsys.readouterr().out.splitlines():
                fault = json.loads(line).get("fault")
                if fault and fault["rule"]:
                    seen.add(fault["rule"])
                    assert fault["requirement"], fault
    assert len(seen) > 60


def test_a_finding_is_explained_as_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("wrong-accept", b"\xd0\0", "x", "refused", "accepted", version=4, sender=Role.CLIENT)
    said = run(capsys, "--file", str(write_finding(finding, tmp_path)), code=1)
    assert "PINGRESP, MQTT 3.1.1" in said
    assert "PINGRESP from a Client" in said


@pytest.mark.parametrize("text", ['{"hex": "c000"}', '{"format": "other", "hex": "c000"}', "{c0 00", "{", "[]"])
def test_other_files_are_read_as_they_were(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x"
    file.write_text(text)
    main(["explain", "--file", str(file)])
    assert "MQTT 3.1.1" not in capsys.readouterr().out


def test_the_readme_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^\$ mqttws explain ([0-9a-f ]+)\n(.*?)```$", readme, re.MULTILINE | re.DOTALL)
    assert run(capsys, shown[0], code=1) == shown[1]


def test_the_command_answers_without_loading_trio_and_to_any_terminal() -> None:
    program = (
        "import sys; from mqttws.cli import main; code = main(['explain', '30 05 0002 c3a9 00']);"
        "assert 'trio' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", program],
        env={"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "topic                           '?'" in done.stdout
