"""Decoders of other projects, each behind a few lines; one that is not installed is skipped by name.

They reach into private parts where a library has no public decoder, and call the decoder alone: a layer above it may
still refuse what it lets pass. Where a release has moved those parts, the decoder is skipped with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, Final, TypeAlias

from mqttws.codec.dispatch import read_header
from mqttws.conformance.codec.answer import DecoderUnusable
from mqttws.conformance.codec.in_process import InProcess
from mqttws.vocabulary import PacketType, Role

__all__ = ["PEERS", "Peer", "decoder_of"]

#: One packet in; returns, or raises one of the refusals.
Decode: TypeAlias = Callable[[bytes], Any]


class Incomplete(Exception):
    """The decoder waits for more bytes, or has left some."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A decoder: its distribution, what it reads, and a function that gives it together with its refusals."""

    distribution: str
    versions: tuple[int, ...]
    senders: tuple[Role, ...]
    make: Callable[[int, Role], tuple[Decode, tuple[type[BaseException], ...]]]

    def release(self) -> str:
        """The installed release. Raises :class:`DecoderUnusable`."""
        try:
            release = metadata.version(self.distribution)
            for version in self.versions:
                self.make(version, self.senders[0])
        except (ImportError, AttributeError) as error:
            raise DecoderUnusable(f"{self.distribution} is not installed, or has changed: {error}") from None
        return release


def decoder_of(name: str, version: int, sender: Role) -> InProcess:
    """A decoder for what ``sender`` sends in ``version``; it says that it does not read what it does not."""
    peer = PEERS[name]
    if version not in peer.versions or sender not in peer.senders:
        return InProcess(lambda _: NotImplemented, name=name)
    try:
        decode, refusals = peer.make(version, sender)
    except (ImportError, AttributeError) as error:
        raise DecoderUnusable(f"{peer.distribution} is not installed, or has changed: {error}") from None
    return InProcess(decode, name=name, refusals=(*refusals, Incomplete), limit=3600)


def _load(module: str) -> Any:
    return import_module(module)


def _split(data: bytes) -> tuple[int, bytes]:
    """First byte and body, for decoders that begin behind the fixed header."""
    header = read_header(data, 0)
    if header is None or sum(header) != len(data):
        raise Incomplete("the fixed header does not fit")
    return data[0], data[header[1] :]


def _mqttium(version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    packets, codec, enums = _load("mqttium.packets"), _load("mqttium.codec"), _load("mqttium.enums")
    validate = _load("mqttium.codec.packet_validation").validate_raw_packet
    protocol = enums.MQTTProtocolVersion.MQTTv5 if version == 5 else enums.MQTTProtocolVersion.MQTTv311
    names = {
        "CONNACK": "ConnAck",
        "PUBACK": "PubAck",
        "PUBREC": "PubRec",
        "PUBREL": "PubRel",
        "PUBCOMP": "PubComp",
        "SUBACK": "SubAck",
        "UNSUBACK": "UnsubAck",
        "DISCONNECT": "Disconnect",
        "AUTH": "Auth",
    }
    classes = {name: getattr(packets, f"{stem}Packet") for name, stem in names.items()}

    def decode(data: bytes) -> None:
        decoder = codec.IncrementalDecoder()
        decoder.feed(data)
        raw = decoder.next_packet()
        if raw is None:
            raise Incomplete("waits for more")
        validate(raw)
        name = raw.packet_type.name
        if name == "PUBLISH":
            packets.PublishPacket.decode(raw.flags, raw.remaining, protocol)
        elif name in classes:
            classes[name].decode(raw.remaining, protocol)
        elif name != "PINGRESP" or raw.remaining:
            raise Incomplete(f"a client takes no such {name}")

    return decode, (_load("mqttium.errors").MQTTError,)


def _ohmqtt(_version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    return _load("ohmqtt.packet").decode_packet, (_load("ohmqtt.error").MQTTError,)


def _zmqtt(version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    inner = _load("zmqtt._internal.packets.codec").decode

    def decode(data: bytes) -> None:
        if inner(data, version="5.0" if version == 5 else "3.1.1") is None:
            raise Incomplete("waits for more")

    return decode, (ValueError, _load("zmqtt.errors").MQTTError)


def _amqtt(_version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    mqtt, adapters, errors = _load("amqtt.mqtt"), _load("amqtt.adapters"), _load("amqtt.errors")

    async def read(data: bytes) -> None:
        reader = adapters.BufferReader(data)
        header = await mqtt.MQTTFixedHeader.from_stream(reader)
        if header is None:
            raise Incomplete("no fixed header")
        await mqtt.packet_class(header).from_stream(reader, fixed_header=header)
        if await reader.read(1):
            raise Incomplete("left bytes")

    def decode(data: bytes) -> None:
        coroutine = read(data)
        try:
            coroutine.send(None)  # its reader never waits
        except StopIteration:
            return
        raise Incomplete("waits for more")

    refusals = (errors.AMQTTError, errors.MQTTError, errors.CodecError, errors.NoDataError)
    return decode, refusals


def _moat(_version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    inner = _load("moat.lib.mqtt._types").decode_packet

    def decode(data: bytes) -> None:
        rest, _ = inner(memoryview(data))
        if rest:
            raise Incomplete("left bytes")

    return decode, (_load("moat.lib.mqtt._exceptions").MQTTException,)


def _mqtt5(_version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    inner = _load("mqtt5").read

    def decode(data: bytes) -> None:
        _, size = inner(memoryview(data))
        if size != len(data):
            raise Incomplete("left bytes")

    return decode, (ValueError, IndexError)  # IndexError is how it asks for more


def _paho(version: int, _sender: Role) -> tuple[Decode, tuple[type[BaseException], ...]]:
    inner, enums = _load("paho.mqtt._packet"), _load("paho.mqtt.enums")
    exceptions = _load("paho.mqtt.exception")
    protocol = enums.MQTTProtocolVersion.MQTTv5 if version == 5 else enums.MQTTProtocolVersion.MQTTv311
    names = ("CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK", "DISCONNECT")
    decoders = {name: getattr(inner, f"decode_{name.lower()}") for name in names}

    def decode(data: bytes) -> Any:
        first, body = _split(data)
        name = PacketType(first >> 4).name if first >> 4 else ""
        if name == "AUTH" and version == 5:
            return NotImplemented  # it never asks for enhanced authentication
        if name in decoders and (name != "DISCONNECT" or version == 5):
            decoders[name](first, body, protocol)
        elif name not in ("PINGREQ", "PINGRESP") or body:
            raise Incomplete(f"takes no such {name}")
        return None

    return decode, (exceptions.MQTTException,)


_BOTH: Final = (Role.CLIENT, Role.SERVER)
_FROM_SERVER: Final = (Role.SERVER,)

#: By the name that the command line uses. mqtt-packet is a command of its own, for it runs in Node.js.
PEERS: Final[dict[str, Peer]] = {
    "mqttium": Peer("mqttium", (4, 5), _FROM_SERVER, _mqttium),
    "ohmqtt": Peer("ohmqtt", (5,), _BOTH, _ohmqtt),
    "zmqtt": Peer("zmqtt", (4, 5), _BOTH, _zmqtt),
    "amqtt": Peer("amqtt", (4,), _BOTH, _amqtt),
    "moat-lib-mqtt": Peer("moat-lib-mqtt", (5,), _BOTH, _moat),
    "mqtt5": Peer("mqtt5", (5,), _BOTH, _mqtt5),
    "paho-mqtt": Peer("paho-mqtt", (4, 5), _FROM_SERVER, _paho),
}
