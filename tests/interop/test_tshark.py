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
BIG = 100_000
SAID = ["tcp.port", "http.request.method", "http.upgrade", "http.response.code", "http.sec_websocket_protocol",
        "websocket.opcode", "mqtt.msgtype", "mqtt.ver", "mqtt.msg", "mqtt.passwd"]  # fmt: skip
WRONG = ["_ws.malformed", "_ws.expert.severity", "tcp.analysis.flags"]
CHECKSUMS = ["ip.checksum.status", "tcp.checksum.status"]
GOOD = "1"
#: Expert severities from here on are warnings and errors.
WARNING = 0x600000

each_version = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


def packets(capture: Path, *options: str) -> list[dict[str, list[str]]]:
    """Of each packet the fields that it has, all their values. One run: tshark takes a second to start."""
    names = [*SAID, *WRONG, *CHECKSUMS]
    command = [
        str(counterparts.find_tshark()), "-r", str(capture), *options, "-T", "fields", "-E", "aggregator=,",
        "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
        *(word for name in names for word in ("-e", name)),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    return [{name: cell.split(",") for name, cell in zip(names, row, strict=True) if cell} for row in rows]


def all_of(found: list[dict[str, list[str]]], name: str, port: str = "") -> list[str]:
    """The values of a field in all packets, or in those of a port."""
    return [value for packet in found if not port or port in packet["tcp.port"] for value in packet.get(name, ())]


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
    found = await trio.to_thread.run_sync(packets, capture)
    assert [packet for packet in found if "_ws.malformed" in packet or "tcp.analysis.flags" in packet] == []
    assert [severity for severity in all_of(found, "_ws.expert.severity") if int(severity) >= WARNING] == []
    assert {tuple(packet[name] == [GOOD] for name in CHECKSUMS) for packet in found} == {(True, True)}
    assert (all_of(found, "http.request.method"), set(all_of(found, "http.upgrade"))) == (["GET"], {"websocket"})
    assert (all_of(found, "http.response.code"), set(all_of(found, "http.sec_websocket_protocol"))) == (
        ["101"],
        {"mqtt"},
    )
    opcodes = Counter(all_of(found, "websocket.opcode"))
    assert opcodes.keys() == {"2", "8"}
    assert opcodes["8"] == 2
    assert all_of(found, "mqtt.ver", "1883") == [str(version)]
    kinds = Counter(PacketType(int(kind)).name for kind in all_of(found, "mqtt.msgtype", "1883"))
    assert kinds.pop("UNSUBACK", 1) == 1  # the client does not wait for it
    assert kinds == {
        "CONNECT": 1, "CONNACK": 1, "SUBSCRIBE": 1, "SUBACK": 1, "PUBLISH": 6, "PUBACK": 4,
        "UNSUBSCRIBE": 1, "DISCONNECT": 1,
    }  # fmt: skip
    assert Counter(all_of(found, "mqtt.msg", "1883")) == {b"at 0".hex(): 2, b"at 1".hex(): 2, bytes(BIG).hex(): 2}
    assert all_of(found, "mqtt.passwd", "1883") == ["*" * len("secret password")]
    assert b"secret password" not in capture.read_bytes()


@each_version
@trio_test
async def test_one_line_of_lua_lets_it_read_mqtt_inside_websocket(version: int, tmp_path: Path) -> None:
    counterparts.need("tshark")
    capture = await recorded(version, tmp_path)
    script = tmp_path / "mqtt.lua"
    script.write_text(LUA + "\n")
    found = await trio.to_thread.run_sync(packets, capture, "-X", f"lua_script:{script}")
    inside = all_of(found, "mqtt.msgtype", "80")
    assert len(inside) > 10
    assert Counter(inside) == Counter(all_of(found, "mqtt.msgtype", "1883"))
