"""Receive Maximum: what a Server may do about a Client that exceeds its own."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from mqttws.codec import ConnAck, Connect, PingReq, PingResp, Publish, PubRec
from mqttws.conformance.server.checks.flow import exceeded_receive_maximum
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.verdict import Failed, NotStrict, Outcome
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import answer, read_head
from mqttws.conformance.wire.peer import Peer
from mqttws.trace import Recorder
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from tests.conformance.server.scripted import in_time, scripted

MAXIMUM = 2


@pytest.mark.parametrize(("code", "verdict"), [(ReasonCode.QUOTA_EXCEEDED, NotStrict), (ReasonCode.SUCCESS, Failed)])
def test_a_message_too_many_that_is_refused_is_not_taken(code: ReasonCode, verdict: type[Outcome]) -> None:
    async def serve(stream: trio.abc.Stream) -> None:
        head = await read_head(stream, 10)
        assert head is not None
        await stream.send_all(answer(head))
        kept = Recorder(last=65_536)
        peer = Peer(stream, Role.SERVER, None, patience=60, watch=Watch(), recorder=kept, rest=head.rest)
        open_messages = 0
        with suppress(Outcome):
            while True:
                packet = await peer.receive()
                if isinstance(packet, Connect):
                    await peer.send(ConnAck(properties={"receive_maximum": MAXIMUM}))
                elif isinstance(packet, Publish):
                    open_messages += 1
                    said = code if open_messages > MAXIMUM else ReasonCode.SUCCESS
                    await peer.send(PubRec(packet.packet_id or 0, said))
                elif isinstance(packet, PingReq):
                    await peer.send(PingResp())
        await stream.aclose()

    async def main(nursery: trio.Nursery) -> None:
        subject = scripted(nursery, serve)
        subject.offers[ProtocolVersion.V5] = {"receive_maximum": MAXIMUM}
        probe = ServerProbe(subject, ProtocolVersion.V5)
        try:
            with pytest.raises(verdict, match="PUBREC" if verdict is NotStrict else "PINGRESP was answered"):
                await exceeded_receive_maximum(probe)
        finally:
            await probe.close()

    in_time(main)
