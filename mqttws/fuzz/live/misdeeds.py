"""What a hostile Server does to a Client, each from a seed and a number: the same two give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    RawPacket,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    encode,
)
from mqttws.codec.dispatch import read_header
from mqttws.errors import MalformedPacket
from mqttws.fuzz.grammar import BUILDERS, packet_types
from mqttws.fuzz.inputs import scramble
from mqttws.fuzz.live.answer_faults import ANSWER_FAULTS
from mqttws.fuzz.live.frame_faults import FRAME_FAULTS, Good
from mqttws.fuzz.live.mqtt_faults import malformed_vectors
from mqttws.fuzz.live.script import END, Layer, Moment, Script, Step
from mqttws.fuzz.mutations import spoil
from mqttws.fuzz.sources import RandomSource, Source
from mqttws.vocabulary import QOS, REASON_CODES, PacketType, ProtocolVersion, Role

__all__ = ["misdeed"]

#: A topic that a Client may have subscribed to; what it has not, it may drop.
_TOPIC: Final = "mqttwsfuzz"
_SILENCE: Final = Step("silence", b"", Layer.WIRE, spoiled=True)


def misdeed(seed: int, number: int, version: int, moments: Collection[Moment] = tuple(Moment)) -> Script:
    """The misdeed of that number, at one of the ``moments`` that this Client offers."""
    source = RandomSource(f"client {seed} {number}")
    moment = source.choice([each for each in _BY_MOMENT if each in moments])
    family = source.choice(_BY_MOMENT[moment])
    kind, steps = family(source, version, moment)
    return Script(f"{moment.value}: {kind}", version, steps, moment)


Family = Callable[[Source, int, Moment], tuple[str, list[Step]]]


def _good_packet(source: Source, version: int, moment: Moment) -> Packet:
    """What belongs there, or may."""
    match moment:
        case Moment.CONNACK:
            return ConnAck(False, 0, _limits(source) if version == ProtocolVersion.V5 else {})
        case Moment.SUBSCRIBE:
            return SubAck(1, [source.draw(2)])
        case Moment.PUBLISH:
            return PubAck(1) if source.boolean() else PubRec(1)
    packet_type = source.choice([each for each in packet_types(version, Role.SERVER) if each is not PacketType.CONNACK])
    built: Packet = BUILDERS[packet_type](source, version, Role.SERVER)
    return built


def _limits(source: Source) -> Any:
    """Legal and hostile: a Server that allows next to nothing."""
    offered = {
        "receive_maximum": 1,
        "maximum_packet_size": source.choice((1, 5, 20, 268_435_455)),
        "maximum_qos": source.draw(1),
        "retain_available": 0,
        "server_keep_alive": source.choice((0, 1, 65_535)),
        "topic_alias_maximum": source.choice((0, 65_535)),
        "session_expiry_interval": source.choice((0, 4_294_967_295)),
        "reason_string": "x" * source.choice((0, 1, 1_000)),
        "user_property": [("k", "v")] * source.choice((1, 1_000)),
        "wildcard_subscription_available": 0,
    }
    return {name: value for name, value in offered.items() if source.draw(3) == 3}


def _identifier(data: bytes, moment: Moment) -> int | None:
    """Where the identifier of the request that is answered stands, a 1 so far; None if it does not."""
    if moment not in (Moment.SUBSCRIBE, Moment.PUBLISH):
        return None
    try:
        header = read_header(data, 0)
    except MalformedPacket:
        return None
    return header[1] if header is not None and data[header[1] : header[1] + 2] == b"\0\1" else None


def _spoil_packet(source: Source, version: int, moment: Moment) -> tuple[str, list[Step]]:
    good = encode(_good_packet(source, version, moment), version)
    malformed = spoil(source, good, version, Role.SERVER)
    name = PacketType(good[0] >> 4).name
    step = Step(f"{name} spoiled: {malformed.mutation}", malformed.data, spoiled=True, debatable=malformed.debatable)
    step.identifier = _identifier(malformed.data, moment)
    return f"{malformed.mutation} in {name}", [step]


def _garble_packet(source: Source, version: int, moment: Moment) -> tuple[str, list[Step]]:
    good = encode(_good_packet(source, version, moment), version)
    name = PacketType(good[0] >> 4).name
    return f"garbled {name}", [Step(f"{name} with bytes changed", scramble(source, good), spoiled=True)]


def _send_vector(source: Source, version: int, _moment: Moment) -> tuple[str, list[Step]]:
    name, data = source.choice(malformed_vectors(version, Role.SERVER))
    return f"vector {name}", [Step(f"vector {name}", data, spoiled=True)]


def _break_frame(source: Source, version: int, moment: Moment) -> tuple[str, list[Step]]:
    good = encode(_good_packet(source, version, moment), version)
    name = source.choice(tuple(FRAME_FAULTS))
    return f"frame {name}", FRAME_FAULTS[name](source, Good(good, masked=False))


def _answer(source: Source, _version: int, _moment: Moment) -> tuple[str, list[Step]]:
    name = source.choice(tuple(ANSWER_FAULTS))
    return name, [ANSWER_FAULTS[name](source)]


def _be_silent(_source: Source, _version: int, _moment: Moment) -> tuple[str, list[Step]]:
    return "silence", [_SILENCE]


def _refuse(source: Source, version: int, _moment: Moment) -> tuple[str, list[Step]]:
    """CONNACK that says no; legal, and the Client should say so to its user."""
    codes: list[int] = [*REASON_CODES[PacketType.CONNACK][Role.SERVER]][1:]
    code = source.choice(codes) if version == ProtocolVersion.V5 else 1 + source.draw(4)
    data = encode(ConnAck(False, code), version)
    return f"refused with {code}", [Step(f"CONNACK 0x{code:02X}", data, spoiled=True, then=END)]


def _other_greeting(source: Source, version: int, _moment: Moment) -> tuple[str, list[Step]]:
    """Good packets where CONNACK is due, or more than one."""
    welcome = encode(ConnAck(), version)
    choices = {
        "CONNACK twice": welcome * 2,
        "session present": encode(ConnAck(True), version),
        "PUBLISH first": encode(Publish(_TOPIC, b"early"), version) + welcome,
        "PINGRESP first": encode(PingResp(), version) + welcome,
        "SUBACK first": encode(SubAck(1, [0]), version) + welcome,
        "CONNACK of the other version": encode(ConnAck(), 9 - version),
        "limits": encode(_good_packet(source, version, Moment.CONNACK), version),
    }
    name = source.choice(tuple(choices))
    return name, [Step(name, choices[name], spoiled=True)]


def _misbehave(source: Source, version: int, _moment: Moment) -> tuple[str, list[Step]]:
    """A packet that is good in itself, and wrong from a Server or at this point."""
    name = source.choice(tuple(_WRONG))
    return name, [Step(name, _WRONG[name](source, version), spoiled=True)]


def _client_packet(source: Source, version: int) -> bytes:
    packets: tuple[Packet, ...] = (
        Connect(ProtocolVersion(version), "x", keep_alive=60),
        Subscribe(1, [Subscription("a")]),
        PingReq(),
    )
    return encode(source.choice(packets), version)


def _stray_answer(source: Source, version: int) -> bytes:
    codes = [0] if version == ProtocolVersion.V5 else []
    packets: tuple[Packet, ...] = (PubAck(9), PubRec(9), PubRel(9), PubComp(9), SubAck(9, [0]), UnsubAck(9, codes))
    return encode(source.choice(packets), version)


def _alias(source: Source, version: int) -> bytes:
    if version != ProtocolVersion.V5:
        return bytes.fromhex("3008 0001 61 0023 0001 68")
    said: Any = {"topic_alias": source.choice((1, 2, 65_535))}
    return encode(Publish(source.choice(("", _TOPIC)), b"x", properties=said), version)


def _overrun(source: Source, version: int) -> bytes:
    qos = QOS[1 + source.draw(1)]
    return b"".join(encode(Publish(_TOPIC, b"x", qos, packet_id=1 + number), version) for number in range(400))


def _claim(source: Source, version: int) -> bytes:
    first = source.choice((0x30, 0x32, 0x90, 0x20))
    claimed = source.choice((268_435_455, 20_000_000, 300_000))
    return encode(RawPacket(first, b"\0\1a" + bytes(50), remaining_length=claimed), version)


def _goodbye(source: Source, version: int) -> bytes:
    if version != ProtocolVersion.V5:
        return encode(Disconnect(), version)
    code = source.choice([*REASON_CODES[PacketType.DISCONNECT][Role.SERVER]])
    said: Any = {"reason_string": "go away", "server_reference": "ws://elsewhere/"}
    return encode(Disconnect(code, said), version)


def _auth(source: Source, version: int) -> bytes:
    if version != ProtocolVersion.V5:
        return b"\xf0\0"
    return encode(Auth(source.choice((0, 0x18)), {"authentication_method": "x"}), version)


def _same_again(_source: Source, version: int) -> bytes:
    first = encode(Publish(_TOPIC, b"once", QOS[2], packet_id=1), version)
    return first + encode(Publish(_TOPIC, b"once", QOS[2], dup=True, packet_id=1), version) * 200


def _flood(_source: Source, version: int) -> bytes:
    return encode(Publish(_TOPIC, bytes(100)), version) * 500 + encode(PingResp(), version) * 500


def _large(_source: Source, version: int) -> bytes:
    return encode(Publish(_TOPIC, bytes(600_000)), version)


_WRONG: Final[dict[str, Callable[[Source, int], bytes]]] = {
    "packet of a client": _client_packet,
    "stray answer": _stray_answer,
    "topic alias": _alias,
    "receive maximum overrun": _overrun,
    "huge claim": _claim,
    "goodbye": _goodbye,
    "unasked AUTH": _auth,
    "QoS 2 again and again": _same_again,
    "flood": _flood,
    "large message": _large,
}


def _wrong_answer(source: Source, version: int, moment: Moment) -> tuple[str, list[Step]]:
    """An answer to SUBSCRIBE or PUBLISH that is good in its form and wrong in what it says."""
    v5 = version == ProtocolVersion.V5
    if moment is Moment.SUBSCRIBE:
        choices: dict[str, Packet] = {
            "another identifier": SubAck(65_000, [0]),
            "too many codes": SubAck(1, [0, 1, 2, 0x80, 0]),
            "a refusal": SubAck(1, [0x87 if v5 else 0x80]),
            "more than was asked": SubAck(1, [2]),
            "UNSUBACK": UnsubAck(1, [0] if v5 else []),
            "PUBACK": PubAck(1),
        }
    else:
        choices = {
            "another identifier": PubAck(65_000),
            "a refusal": PubAck(1, 0x87 if v5 else 0),
            "PUBCOMP": PubComp(1),
            "PUBREC": PubRec(1),
            "PUBREL": PubRel(1),
            "SUBACK": SubAck(1, [0]),
        }
    name = source.choice(tuple(choices))
    data = encode(choices[name], version)
    place = None if name == "another identifier" else _identifier(data, moment)
    times = source.choice((1, 1, 2))
    return f"{name} x{times}", [Step(name, data, times=times, spoiled=True, identifier=place)]


#: For each moment its kinds of misdeed, as often as they stand here.
_BY_MOMENT: Final[dict[Moment, tuple[Family, ...]]] = {
    Moment.HANDSHAKE: (_answer,),
    Moment.CONNACK: (
        *(_spoil_packet,) * 3,
        _garble_packet,
        _send_vector,
        _break_frame,
        _refuse,
        _other_greeting,
        _other_greeting,
        _be_silent,
    ),
    Moment.OPEN: (
        *(_spoil_packet,) * 4,
        *(_garble_packet,) * 2,
        *(_send_vector,) * 2,
        *(_break_frame,) * 3,
        *(_misbehave,) * 3,
    ),
    Moment.SUBSCRIBE: (_spoil_packet, _garble_packet, _wrong_answer, _wrong_answer, _be_silent),
    Moment.PUBLISH: (_spoil_packet, _garble_packet, _wrong_answer, _wrong_answer, _be_silent),
}
