"""The passive checks: every row is a rule that the wire can be seen to break, and no good packet breaks one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest
import trio
from trio.testing import memory_stream_pair, trio_test

from mqttws.codec import Connect
from mqttws.conformance import vectors
from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.passive import ROWS, passive_checks
from mqttws.conformance.verdict import Failed, Inconclusive, NotTested
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.frames import PING, TEXT, frame
from mqttws.conformance.wire.peer import Peer
from mqttws.trace import Recorder
from mqttws.transport.tap import tap
from mqttws.vocabulary import ProtocolVersion, Role

#: Kinds of subjects, by what they are on the wire.
KINDS = {Kind.SERVER: Role.SERVER, Kind.CLIENT: Role.CLIENT}
#: Packets that break rules of which no vector of the sender's speaks.
MORE = {
    (Role.SERVER, "sends_shortest_lengths"): b"\x20\x83\x00\x00\x00\x00",
    (Role.CLIENT, "sends_shortest_lengths"): b"\xc0\x80\x00",
    (Role.SERVER, "sends_auth_flags"): b"\xf2\x00",
    (Role.SERVER, "sends_no_empty_topic"): b"\x30\x02\x00\x00",
}
PING_TOO_LONG = bytes(126)


def frames_against(row: str, role: Role) -> list[bytes]:
    """Frames of a subject of this role that break a rule of WebSocket."""
    masked = role is Role.CLIENT
    return {
        "sends_binary_frames": [frame(b"\xd0\x00", TEXT, masked=masked)],
        "sends_frames_masked_as_its_role": [frame(b"\xd0\x00", masked=not masked)],
        "sends_known_frames": [frame(b"\xd0\x00", reserved=4, masked=masked), frame(b"", 3, masked=masked)],
        "sends_small_control_frames": [frame(b"", PING, fin=False, masked=masked), frame(PING_TOO_LONG, PING)],
    }.get(row, [])


def packets_of(role: Role, version: ProtocolVersion, *, valid: bool) -> Iterator[bytes]:
    """The vectors that this sender may send in this version, or may not."""
    for vector in vectors():
        if (
            vector["kind"] in (("packet", "stream") if valid else ("packet", "stream", "fixed_header"))
            and vector["valid"] is valid
            and not vector.get("ambiguous", False)
            and vector["direction"] in ("either", role.name.lower())
            and vector["version"] in ("both", int(version))
        ):
            yield bytes.fromhex(vector["hex"])


async def watched(role: Role, version: ProtocolVersion, *wires: bytes, first: bool = False) -> Watch:
    """What is seen of a subject that sends these bytes, each on a connection of its own; ``first`` of all on it."""
    watch = Watch()
    for wire in wires:
        ours, theirs = memory_stream_pair()
        recorder = Recorder(last=1 << 16)
        stream = tap(ours, recorder, role.peer)
        peer = Peer(stream, role.peer, None if first else version, patience=5, watch=watch, recorder=recorder)
        await theirs.send_all(wire)
        await theirs.aclose()
        with suppress(Inconclusive):
            await peer.end()
        await peer.drop()
    return watch


def probe_of(watch: Watch) -> SimpleNamespace:
    return SimpleNamespace(watch=watch)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ProtocolVersion)
def test_every_row_fails_somebody_who_breaks_its_rule(kind: Kind, version: ProtocolVersion) -> None:
    role = KINDS[kind]

    async def main() -> None:
        bad = await watched(
            role, version, *(frame(data, masked=role is Role.CLIENT) for data in packets_of(role, version, valid=False))
        )
        for check in passive_checks(kind):
            if check.version != version:
                continue
            watch = bad
            if (role, check.name) in MORE:
                watch = await watched(role, version, frame(MORE[role, check.name], masked=role is Role.CLIENT))
            if check.name == "sends_connect_first":
                watch = await watched(role, ProtocolVersion.V5, frame(b"\xc0\x00"), first=True)
            for wire in frames_against(check.name, role):
                watch = await watched(role, version, wire)
                with pytest.raises(Failed):
                    await check.run(probe_of(watch))
            with pytest.raises(Failed) as failure:
                await check.run(probe_of(watch))
            assert failure.value.transcript

    trio.run(main)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ProtocolVersion)
def test_nobody_who_sends_good_packets_fails_and_every_row_can_be_seen_to_be_kept(
    kind: Kind, version: ProtocolVersion
) -> None:
    role = KINDS[kind]

    async def main() -> None:
        good = await watched(
            role, version, *(frame(data, masked=role is Role.CLIENT) for data in packets_of(role, version, valid=True))
        )
        if role is Role.CLIENT and version == ProtocolVersion.V3_1_1:
            good.packet(version, Connect(version, "", True))
        assert good.sightings == []
        for check in passive_checks(kind):
            if check.version == version:
                await check.run(probe_of(good))

    trio.run(main)


@pytest.mark.parametrize("check", passive_checks(Kind.SERVER), ids=lambda check: check.id)
@trio_test
async def test_what_was_not_seen_is_not_tested(check: Check) -> None:
    with pytest.raises(NotTested, match="it has sent no "):
        await check.run(probe_of(Watch()))


def test_passive_checks_are_among_all_checks_and_there_are_none_of_codecs() -> None:
    for kind in KINDS:
        assert {check.id for check in passive_checks(kind)} <= {check.id for check in checks(kind)}
    assert passive_checks(Kind.CODEC) == []
    assert all(check.passive and not check.needs for check in passive_checks(Kind.CLIENT))


def test_no_name_stands_for_two_rows_of_one_sender() -> None:
    for kind in KINDS:
        ids = [check.id for check in passive_checks(kind)]
        assert len(ids) == len(set(ids))
    assert {row.name for row in ROWS} == {check.name for kind in KINDS for check in passive_checks(kind)}


@trio_test
async def test_a_peer_that_does_not_judge_holds_nothing_against_anybody() -> None:
    watch = Watch()
    ours, theirs = memory_stream_pair()
    peer = Peer(ours, Role.CLIENT, ProtocolVersion.V5, patience=5, watch=watch, recorder=Recorder(last=1 << 16))
    peer.judges = False
    await theirs.send_all(frame(b"\x20\x02\x00\x01\x30\x03\x00\x01a\xff", TEXT, masked=False))
    await theirs.aclose()
    await peer.end()
    await peer.drop()
    assert watch.sightings == []
    assert not watch.traits
