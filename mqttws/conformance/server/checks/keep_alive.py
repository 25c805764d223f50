"""Keep Alive, PINGREQ and PINGRESP: 3.1.2.10 and 3.12."""

from __future__ import annotations

from typing import Final

import trio

from mqttws.codec import PingReq, PingResp, Will
from mqttws.conformance.server.deliveries import subscriber
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable, NotStrict
from mqttws.vocabulary import QOS

#: Seconds of Keep Alive that checks ask for, and the most that they wait for.
_ASKED, _MOST = 2, 5
#: Seconds beyond one and a half times the Keep Alive that a Server may need to notice, and beyond them to act at all.
_SLACK, _LATE = 1.0, 6.0
_PINGS: Final = 5


def _agreed(peer: Connected) -> int:
    """The Keep Alive in force, in seconds. Raises :class:`NotApplicable` if it takes too long to wait for its end."""
    seconds: int = peer.connack.properties.get("server_keep_alive", _ASKED)
    if not 0 < seconds <= _MOST:
        raise NotApplicable(f"the Server sets a Keep Alive of {seconds} s, which takes too long to wait for")
    return seconds


async def _silence(peer: Connected, began: float) -> None:
    """Say nothing until the Server has ended the connection."""
    seconds = _agreed(peer)
    due = began + 1.5 * seconds
    ending = await peer.end(within=due + peer.patience + _LATE - trio.current_time())
    waited = trio.current_time() - began
    if ending is None:
        raise Failed(f"the connection is still open after {waited:.1f} s of silence at a Keep Alive of {seconds} s")
    if waited < seconds - 0.1:  # which no sentence forbids: a Server may end a connection for reasons of its own
        raise NotStrict(f"the connection was ended after {waited:.1f} s of silence at a Keep Alive of {seconds} s")
    if trio.current_time() > due + peer.patience + _SLACK:
        raise NotStrict(f"the connection was ended after {waited:.1f} s of silence, {1.5 * seconds:g} s are asked for")


@server_check(v5=("MQTT-3.1.2-22", "MQTT-3.2.2-22"), v311="MQTT-3.1.2-24")
async def silent_client_kept(probe: ServerProbe) -> None:
    """A Client from which nothing comes for one and a half times its Keep Alive is disconnected."""
    began = trio.current_time()
    peer = await probe.connect(keep_alive=_ASKED)
    await _silence(peer, began)


@server_check(v5=("MQTT-3.1.2-22", "MQTT-3.1.2-8"), v311=("MQTT-3.1.2-24", "MQTT-3.1.2-8"), needs="will")
async def will_of_a_silent_client_lost(probe: ServerProbe) -> None:
    """The will of a Client that is disconnected for its silence is published."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic)
    peer = await probe.connect(keep_alive=_ASKED, will=Will(topic, b"silent", QOS[0]))
    seconds = _agreed(peer)
    watcher.patience = 1.5 * seconds + probe.patience + _LATE
    found = await probe.message(watcher, topic)
    if found.payload != b"silent":
        raise Failed(f"the will comes with the payload {bytes(found.payload)!r}")


@server_check(v5=("MQTT-3.2.2-22", "MQTT-3.12.4-1"), v311=("MQTT-3.1.2-24", "MQTT-3.12.4-1"))
async def pinging_client_disconnected(probe: ServerProbe) -> None:
    """A Client that sends PINGREQ within its Keep Alive stays connected, longer than one and a half times that."""
    peer = await probe.connect(keep_alive=_ASKED)
    until = trio.current_time() + 2.0 * _agreed(peer)
    while trio.current_time() < until:
        await trio.sleep(_agreed(peer) / 2)
        await peer.fence()


@server_check(v5="MQTT-3.12.4-1", v311="MQTT-3.12.4-1")
async def pingreq_unanswered(probe: ServerProbe) -> None:
    """Each PINGREQ is answered by a PINGRESP, several in one message too."""
    peer = await probe.connect()
    await peer.send(*[PingReq()] * _PINGS)
    for _ in range(_PINGS):
        await peer.expect(PingResp)
    await peer.send_each(*[PingReq()] * _PINGS)
    for _ in range(_PINGS):
        await peer.expect(PingResp)
