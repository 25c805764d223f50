"""Reports with every verdict, and with what a hostile subject might have sent."""

from __future__ import annotations

from typing import Any

from mqttws.codec import Connect, Publish, RawPacket, encode
from mqttws.conformance.check import Kind
from mqttws.conformance.report import Report
from mqttws.conformance.verdict import Result, Verdict
from mqttws.trace import Recorder
from mqttws.vocabulary import ProtocolVersion, Role
from tests.trace.wires import WALL, binary

#: What must never come out as markup, wherever a subject or its name brings it in.
HOSTILE = "</template><script>alert(1)</script><img src=http://127.0.0.1:9/x onerror=alert(2)>&\x02bad\x03\x04\x1b[2J"


#: A PUBLISH with both QoS bits.
WRONG = RawPacket(0x36, b"\0\1a\0\1\0")


def transcript(
    version: ProtocolVersion = ProtocolVersion.V5, topic: str = "a", wrong: RawPacket = WRONG
) -> tuple[str, ...]:
    """A short connection in which both ends speak, and one breaks a rule."""
    lines: list[str] = []
    recording = Recorder(lines.append).open(Role.CLIENT, 0.0, WALL, url="ws://127.0.0.1/mqtt")
    head = b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
    recording.sent(head, 0.1)
    recording.received(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: <b>\r\n\r\n", 0.2)
    recording.sent(binary(Connect(version, client_id="me")), 0.3)
    recording.received(binary(encode(Publish(topic, b"<s>hi</s>"), version), masked=False), 0.4)
    recording.received(binary(encode(wrong), masked=False), 0.5)
    recording.event("close", 1.0)
    return tuple(lines)


def result(verdict: Verdict = Verdict.PASSED, name: str = "second_connect", **fields: Any) -> Result:
    """One result; of 5.0 unless said otherwise."""
    version = fields.pop("version", 5)
    defaults: dict[str, Any] = {
        "statements": ("MQTT-3.1.0-2",),
        "chapter": "3.1",
        "title": "A second CONNECT on a connection ends it",
        "reason": "" if verdict is Verdict.PASSED else f"what was seen is {verdict.value}",
        "transcript": () if verdict is Verdict.PASSED else transcript(ProtocolVersion(version)),
        "seconds": 0.25,
    }
    check = f"server/{'5.0' if version == 5 else '3.1.1'}/{name}"
    return Result(check=check, version=version, verdict=verdict, **defaults | fields)


def report(*results: Result, subject: str = "brokerware", **fields: Any) -> Report:
    """A report of a server, with every verdict unless results are given."""
    every = tuple(result(verdict, name=f"check_{number}") for number, verdict in enumerate(Verdict))
    older = result(Verdict.FAILED, "older", version=4, chapter="4.7", statements=("MQTT-4.7.1-1",), title="Wildcards")
    defaults: dict[str, Any] = {"release": "1.2.3", "kind": Kind.SERVER, "date": "2026-01-31T12:00:00+00:00", "seed": 7}
    return Report(subject=subject, results=results or (*every, older), **defaults | fields)
