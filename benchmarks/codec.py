"""How long do encoding and decoding of one packet take?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.peers import CodecPeer, check_codec, find_codecs
from benchmarks.timing import Contender, Metric, Settings, Table, time_work
from benchmarks.workloads import CASES, Case
from mqttws.codec import Connect, PubAck, Publish, Will, decode, encode
from mqttws.vocabulary import ProtocolVersion

__all__ = ["run"]

MICROSECONDS = Metric("time", "us CPU", 1e6)
V5 = ProtocolVersion.V5


def run(settings: Settings) -> list[Table]:
    """Decoding goes from bytes to the library's object, encoding from plain values to bytes, the object included."""
    peers, skipped = find_codecs()
    decoding = Table("codec: decode one packet (5.0)", "mqttws", [MICROSECONDS], notes=list(skipped))
    encoding = Table("codec: encode one packet (5.0)", "mqttws", [MICROSECONDS], notes=list(skipped))
    ours = CodecPeer(
        "mqttws",
        {case.name: decode for case in CASES},
        {case.name: _encoder(case) for case in CASES},
        lambda packet: (packet.topic, packet.payload),
    )
    check_codec(ours)
    everybody = [ours, *peers]
    for case in CASES:
        decoders = [
            _repeated(peer.name, partial(peer.decoders[case.name], case.wire))
            for peer in everybody
            if case.name in peer.decoders
        ]
        decoding.add(case.name, time_work(decoders, settings))
        encoders = [_repeated(peer.name, peer.encoders[case.name]) for peer in everybody if case.name in peer.encoders]
        encoding.add(case.name, time_work(encoders, settings))
    return [decoding, encoding]


def _encoder(case: Case) -> Callable[[], bytes]:
    """From plain values: making the packet is part of the work, as it is for the others."""
    packet: Any = case.packet
    if isinstance(packet, Publish):
        topic, payload, qos, packet_id = packet.topic, packet.payload, packet.qos, packet.packet_id
        return lambda: encode(Publish(topic, payload, qos, False, False, packet_id))
    if isinstance(packet, PubAck):
        number = packet.packet_id
        return lambda: encode(PubAck(number))
    assert isinstance(packet, Connect)
    assert packet.will is not None
    said, client_id, username, password = packet.properties, packet.client_id, packet.username, packet.password
    will = packet.will
    return lambda: encode(
        Connect(
            V5, client_id, True, 60, username, password,
            Will(will.topic, will.payload, will.qos, True, will.properties), said,
        )
    )  # fmt: skip


def _repeated(name: str, work: Callable[[], object]) -> Contender:
    def loop(times: int) -> None:
        for _ in range(times):
            work()

    return Contender(name, loop)
