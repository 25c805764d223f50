"""The adapters of other projects' decoders, with stand-ins of the form that the known releases have."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mqttws.conformance.codec import Taken
from mqttws.fuzz.adapters.peers import PEERS, decoder_of
from mqttws.vocabulary import Role

PUBLISH = bytes.fromhex("3004 0001 61 00")
PINGRESP = b"\xd0\0"
CUT_OFF = b"\x30\x7f\0"


class Theirs(Exception):
    """What a stand-in refuses with."""


def install(monkeypatch: pytest.MonkeyPatch, modules: dict[str, dict[str, Any]]) -> None:
    """Stand-ins by their dotted names, and what they hold."""
    for name, members in modules.items():
        parents = name.split(".")[:-1]
        for count in range(1, len(parents) + 1):
            parent = ".".join(parents[:count])
            if parent not in modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


def verdict(name: str, data: bytes, version: int = 5, sender: Role = Role.SERVER) -> Taken:
    return decoder_of(name, version, sender).decode(data, version, sender).taken


def test_mqttium(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decoder:
        def feed(self, data: bytes) -> None:
            self.data = data

        def next_packet(self) -> Any:
            kinds = {3: "PUBLISH", 13: "PINGRESP", 4: "PUBACK", 8: "SUBSCRIBE"}
            if len(self.data) < 2 + self.data[1]:
                return None
            kind = SimpleNamespace(name=kinds[self.data[0] >> 4])
            return SimpleNamespace(packet_type=kind, flags=self.data[0] & 15, remaining=self.data[2:])

    def validate(raw: Any) -> None:
        if raw.flags == 6:
            raise Theirs

    taken: list[Any] = []
    stems = ["ConnAck", "PubAck", "PubRec", "PubRel", "PubComp", "SubAck", "UnsubAck", "Disconnect", "Auth", "Publish"]
    classes = {f"{stem}Packet": SimpleNamespace(decode=lambda *given: taken.append(given)) for stem in stems}
    versions = SimpleNamespace(MQTTv5="five", MQTTv311="four")
    install(
        monkeypatch,
        {
            "mqttium.packets": classes,
            "mqttium.codec": {"IncrementalDecoder": Decoder},
            "mqttium.codec.packet_validation": {"validate_raw_packet": validate},
            "mqttium.enums": {"MQTTProtocolVersion": versions},
            "mqttium.errors": {"MQTTError": Theirs},
        },
    )
    assert verdict("mqttium", PUBLISH) is Taken.ACCEPTED
    assert verdict("mqttium", b"\x40\2\0\1", 4) is Taken.ACCEPTED
    assert taken == [(0, PUBLISH[2:], "five"), (b"\0\1", "four")]
    assert verdict("mqttium", PINGRESP) is Taken.ACCEPTED
    assert verdict("mqttium", b"\xd0\1\0") is Taken.REFUSED
    assert verdict("mqttium", b"\x82\0") is Taken.REFUSED
    assert verdict("mqttium", b"\x36\0") is Taken.REFUSED
    assert verdict("mqttium", CUT_OFF) is Taken.REFUSED
    assert verdict("mqttium", PUBLISH, sender=Role.CLIENT) is Taken.UNSUPPORTED


def test_ohmqtt(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes) -> None:
        if data != PUBLISH:
            raise Theirs

    install(monkeypatch, {"ohmqtt.packet": {"decode_packet": decode}, "ohmqtt.error": {"MQTTError": Theirs}})
    assert verdict("ohmqtt", PUBLISH) is Taken.ACCEPTED
    assert verdict("ohmqtt", CUT_OFF) is Taken.REFUSED
    assert verdict("ohmqtt", PUBLISH, 4) is Taken.UNSUPPORTED


def test_zmqtt(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes, *, version: str) -> Any:
        if data == b"\0":
            raise ValueError(version)
        return (version, len(data)) if data == PUBLISH else None

    inner = {"zmqtt._internal.packets.codec": {"decode": decode}}
    install(monkeypatch, {**inner, "zmqtt.errors": {"MQTTError": Theirs}})
    assert verdict("zmqtt", PUBLISH) is Taken.ACCEPTED
    assert verdict("zmqtt", CUT_OFF) is Taken.REFUSED
    assert decoder_of("zmqtt", 4, Role.CLIENT).decode(b"\0", 4, Role.CLIENT).text == "ValueError: 3.1.1"


def test_amqtt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        def __init__(self, data: bytes) -> None:
            self.data = data

        async def read(self, size: int) -> bytes:
            taken, self.data = self.data[:size], self.data[size:]
            return taken

    class Header:
        @staticmethod
        async def from_stream(reader: Reader) -> Any:
            head = await reader.read(2)
            return None if head == b"\0\0" else head

    class Packet:
        @staticmethod
        async def from_stream(reader: Reader, *, fixed_header: bytes) -> None:
            if len(await reader.read(fixed_header[1])) < fixed_header[1]:
                raise Theirs

    install(
        monkeypatch,
        {
            "amqtt.mqtt": {"MQTTFixedHeader": Header, "packet_class": lambda _: Packet},
            "amqtt.adapters": {"BufferReader": Reader},
            "amqtt.errors": dict.fromkeys(("AMQTTError", "MQTTError", "CodecError", "NoDataError"), Theirs),
        },
    )
    assert verdict("amqtt", PUBLISH, 4) is Taken.ACCEPTED
    assert verdict("amqtt", CUT_OFF, 4) is Taken.REFUSED
    assert verdict("amqtt", PUBLISH + b"x", 4) is Taken.REFUSED
    assert verdict("amqtt", b"\0\0", 4) is Taken.REFUSED


def test_moat_and_mqtt5(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_packet(view: memoryview) -> Any:
        if len(view) < 2 + view[1]:
            raise Theirs
        return view[2 + view[1] :], None

    def read(view: memoryview) -> Any:
        if len(view) < 2 + view[1]:
            raise IndexError
        return None, 2 + view[1]

    install(
        monkeypatch,
        {
            "moat.lib.mqtt._types": {"decode_packet": decode_packet},
            "moat.lib.mqtt._exceptions": {"MQTTException": Theirs},
            "mqtt5": {"read": read},
        },
    )
    for name in ("moat-lib-mqtt", "mqtt5"):
        assert verdict(name, PUBLISH) is Taken.ACCEPTED
        assert verdict(name, PUBLISH + b"x") is Taken.REFUSED
        assert verdict(name, CUT_OFF) is Taken.REFUSED


def test_paho(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(first: int, body: bytes, _protocol: str) -> None:
        if first == 0x36 or not body:
            raise Theirs

    names = ["connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback", "disconnect"]
    install(
        monkeypatch,
        {
            "paho.mqtt._packet": {f"decode_{name}": decode for name in names},
            "paho.mqtt.enums": {"MQTTProtocolVersion": SimpleNamespace(MQTTv5="five", MQTTv311="four")},
            "paho.mqtt.exception": {"MQTTException": Theirs},
        },
    )
    assert verdict("paho-mqtt", PUBLISH) is Taken.ACCEPTED
    assert verdict("paho-mqtt", b"\x36\4\0\1a\0") is Taken.REFUSED
    assert verdict("paho-mqtt", PINGRESP) is Taken.ACCEPTED
    assert verdict("paho-mqtt", b"\xd0\1\0") is Taken.REFUSED
    assert verdict("paho-mqtt", b"\xe0\1\0", 4) is Taken.REFUSED
    assert verdict("paho-mqtt", b"\x82\1\0") is Taken.REFUSED
    assert verdict("paho-mqtt", CUT_OFF) is Taken.REFUSED
    assert verdict("paho-mqtt", b"\0\0") is Taken.REFUSED


def test_all_of_them_are_known() -> None:
    assert set(PEERS) == {"mqttium", "ohmqtt", "zmqtt", "amqtt", "moat-lib-mqtt", "mqtt5", "paho-mqtt"}
