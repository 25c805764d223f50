"""Wrong packets on connections of their own, and what is made of a Server's reaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import pytest
import trio

from mqttws.codec import ConnAck, Connect, Disconnect, PingReq, decode
from mqttws.conformance.server.hostile import connect_bytes, each, ends, ends_behind_each, refuses_each, shown
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Failed, Inconclusive, NotStrict, NotTested, Outcome
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import answer, read_head
from mqttws.conformance.wire.peer import Peer
from mqttws.trace import Recorder
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from tests.conformance.server.scripted import Serve, answering, in_time, reference, scripted

VERSIONS = list(ProtocolVersion)


def parting(connack: ConnAck, *farewell: Disconnect) -> Serve:
    """A Server that answers CONNECT, and ends the connection with these words at the next packet, or at once."""

    async def serve(stream: trio.abc.Stream) -> None:
        head = await read_head(stream, 10)
        assert head is not None
        await stream.send_all(answer(head))
        kept = Recorder(last=65_536)
        peer = Peer(stream, Role.SERVER, None, patience=60, watch=Watch(), recorder=kept, rest=head.rest)
        for words in ((connack,), farewell) if farewell else ((connack,),):
            with suppress(Inconclusive):  # what is wrong with a packet is not our business
                await peer.receive()
            await peer.send(*words)
        await stream.aclose()

    return serve


def probing(make: Callable[[trio.Nursery], ServerSubject], version: int) -> Callable[..., None]:
    """Run a step against a subject, and close what it leaves open."""

    def run(step: Callable[[ServerProbe], Awaitable[None]]) -> None:
        async def main(nursery: trio.Nursery) -> None:
            probe = ServerProbe(make(nursery), ProtocolVersion(version))
            try:
                await step(probe)
            finally:
                await probe.close()

        in_time(main)

    return run


def by(serve: Serve) -> Callable[[trio.Nursery], ServerSubject]:
    return partial(scripted, serve=serve)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connect_put_together_by_hand_says_what_the_encoder_would(version: ProtocolVersion) -> None:
    async def step(probe: ServerProbe) -> None:
        probe.subject.account = Account(probe.subject.account.target, "who", b"secret")
        made = decode(connect_bytes(probe, client_id=b"me"), version)
        assert made == Connect(version, "me", True, 60, "who", b"secret")

    probing(reference, version)(step)


@pytest.mark.parametrize("version", VERSIONS)
def test_vectors_are_those_of_the_version(version: ProtocolVersion) -> None:
    async def step(probe: ServerProbe) -> None:
        ((name, vector),) = shown(probe, "puback_flags_0001").items()
        assert (name, vector["version"]) == ("puback flags 0001", version)

    probing(reference, version)(step)


def test_the_worst_of_several_outcomes_counts_and_all_that_are_as_bad_are_told() -> None:
    async def give(outcome: Outcome | None) -> None:
        if outcome is not None:
            raise outcome

    def jobs(*outcomes: Outcome | None) -> list[Callable[[], Awaitable[None]]]:
        return [partial(give, outcome) for outcome in outcomes]

    async def main(nursery: trio.Nursery) -> None:
        await each(jobs(None, None))
        with pytest.raises(Failed, match=r"^(one; two|two; one)$"):
            await each(jobs(NotStrict("no"), Failed("one"), None, Failed("two"), Failed("one"), Inconclusive("no")))
        with pytest.raises(Inconclusive, match=r"^that$"):
            await each(jobs(NotStrict("no"), Inconclusive("that"), NotTested("no")))

    in_time(main)


def test_a_server_that_goes_on_fails() -> None:
    serve = answering(lambda _: ConnAck())
    with pytest.raises(Failed, match="goes on behind this"):
        probing(by(serve), 5)(lambda probe: ends_behind_each(probe, {"this": PingReq()}))


def test_a_disconnect_that_names_something_else_is_not_strict() -> None:
    serve = parting(ConnAck(), Disconnect(ReasonCode.SESSION_TAKEN_OVER))
    with pytest.raises(NotStrict, match="0x8E behind this, where 0x94 fits"):
        probing(by(serve), 5)(lambda probe: ends_behind_each(probe, {"this": b"\0\0"}, codes=(0x94,)))


def test_a_disconnect_that_fits_passes_and_so_does_a_general_one() -> None:
    async def step(probe: ServerProbe) -> None:
        peer = await probe.connect()
        await peer.send(b"\0\0")
        await ends(peer, "behind this", codes=(0x94,))
        assert peer.disconnect is not None

    for code in (ReasonCode.TOPIC_ALIAS_INVALID, ReasonCode.PROTOCOL_ERROR):
        probing(by(parting(ConnAck(), Disconnect(code))), 5)(step)


def test_who_accepts_a_wrong_connect_fails_though_the_connection_ends() -> None:
    with pytest.raises(Failed, match="accepts the connection behind that, before the end of the stream"):
        probing(by(parting(ConnAck())), 5)(lambda probe: refuses_each(probe, {"that": connect_bytes(probe)}))


def test_a_malformed_connect_is_answered_by_connack_in_5_0_only() -> None:
    async def step(probe: ServerProbe) -> None:
        await refuses_each(probe, {"that": connect_bytes(probe, flip=1)})

    probing(by(parting(ConnAck(reason_code=ReasonCode.MALFORMED_PACKET))), 5)(step)
    with pytest.raises(NotStrict, match="it answers that by a CONNACK"):
        probing(by(parting(ConnAck(reason_code=ReasonCode(1)))), 4)(step)
