"""What Wireshark makes of our captures: HTTP, WebSocket and MQTT, every packet whole and every checksum right."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from mqttws import open_client
from mqttws.cli import main
from mqttws.endpoint import open_endpoint
from mqttws.trace.pcapng import LUA
from mqttws.vocabulary import PacketType
from mqttws.webpubsub import Roles
from tests.interop import counterparts
from tests.interop.scenarios import DEADLINE

SECONDS = 60
#: Columns that are nowhere empty for what they are asked of.
WRONG = "_ws.malformed or _ws.expert.severity >= 6291456 or tcp.analysis.flags"
CHECKED = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
BIG = 100_000

each_version = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


def tshark(capture: Path, *options: str) -> list[list[str]]:
    """The lines that tshark prints, in columns."""
    command = [str(counterparts.find_tshark()), "-r", str(capture), *CHECKED, *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    return [line.split("\t") for line in run.stdout.splitlines()]


def fields(capture: Path, query: str, *names: str, options: tuple[str, ...] = ()) -> list[list[str]]:
    """Those fields of all packets that a query finds."""
    return tshark(capture, *options, "-Y", query, "-T", "fields", *(word for name in names for word in ("-e", name)))


async def recorded(version: int, folder: Path) -> Path:
    """A capture of a client that subscribes, and publishes at each quality of service."""
    trace, capture = folder / "wire.trace", folder / "wire.pcapng"
    with trio.fail_after(DEADLINE):
        async with open_endpoint() as endpoint:
            url = endpoint.client_access_url("chat", roles=Roles.everything())
            async with (
                open_client(url, version=version, password="secret password", username="joe", trace=trace) as client,
                client.subscribe("group1", qos=1) as messages,
            ):
                for qos in (0, 1):
                    await client.publish("group1", f"at {qos}", qos=qos)
                    await anext(messages)
                await client.publish("group1", bytes(BIG), qos=1)
                await anext(messages)
    assert await trio.to_thread.run_sync(main, ["trace", "export", str(trace), str(capture)]) == 0
    return capture


@each_version
@trio_test
async def test_wireshark_reads_http_websocket_and_mqtt(version: int, tmp_path: Path) -> None:
    counterparts.need("tshark")
    capture = await recorded(version, tmp_path)
    assert fields(capture, WRONG, "frame.number", "_ws.expert.message") == []
    assert fields(capture, "ip.checksum.status != 1 or tcp.checksum.status != 1", "frame.number") == []
    assert fields(capture, "http.request", "http.request.method", "http.upgrade") == [["GET", "websocket"]]
    assert fields(capture, "http.response", "http.response.code", "http.sec_websocket_protocol") == [["101", "mqtt"]]
    opcodes = [code for (codes,) in fields(capture, "websocket", "websocket.opcode") for code in codes.split(",")]
    assert Counter(opcodes)["8"] == 2
    assert Counter(opcodes).keys() == {"2", "8"}
    ((said,),) = fields(capture, "mqtt.msgtype == 1", "mqtt.ver")
    assert int(said) == version
    kinds = [int(kind) for (kinds,) in fields(capture, "mqtt", "mqtt.msgtype") for kind in kinds.split(",")]
    counted = {kind.name: number for kind, number in ((PacketType(kind), kinds.count(kind)) for kind in set(kinds))}
    assert counted == {
        "CONNECT": 1, "CONNACK": 1, "SUBSCRIBE": 1, "SUBACK": 1, "PUBLISH": 6, "PUBACK": 4,
        "UNSUBSCRIBE": 1, "DISCONNECT": 1,
    } | ({"UNSUBACK": kinds.count(11)} if 11 in kinds else {})  # fmt: skip
    payloads = [text for (found,) in fields(capture, "mqtt.msgtype == 3", "mqtt.msg") for text in found.split(",")]
    assert Counter(payloads) == {b"at 0".hex(): 2, b"at 1".hex(): 2, bytes(BIG).hex(): 2}
    assert fields(capture, "mqtt.passwd", "mqtt.passwd") == [["*" * len("secret password")]]
    assert b"secret password" not in capture.read_bytes()


@each_version
@trio_test
async def test_one_line_of_lua_lets_it_read_mqtt_inside_websocket(version: int, tmp_path: Path) -> None:
    counterparts.need("tshark")
    capture = await recorded(version, tmp_path)
    script = tmp_path / "mqtt.lua"
    script.write_text(LUA + "\n")
    inside = "mqtt and tcp.port == 80"
    assert fields(capture, inside, "mqtt.msgtype") == []
    found = fields(capture, inside, "mqtt.msgtype", options=("-X", f"lua_script:{script}"))
    outside = fields(capture, "mqtt and tcp.port == 1883", "mqtt.msgtype")
    assert sorted(",".join(kinds for (kinds,) in found).split(",")) == sorted(
        ",".join(kinds for (kinds,) in outside).split(",")
    )
