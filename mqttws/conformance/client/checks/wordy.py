"""What a Client leaves out of a packet that would get too large for the Server: Reason String and User Properties."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from mqttws.codec import ConnAck, Disconnect, PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, NotTested

__all__: list[str] = []

_Kind: TypeAlias = type[PubAck] | type[PubRec] | type[PubRel] | type[PubComp] | type[Disconnect]

#: Bytes of a packet that the Server takes; enough for all that is asked here.
_LIMIT: Final = 32
_WORDS: Final = {"reason_string", "user_property"}


@client_check(v5=("MQTT-3.4.2-2", "MQTT-3.4.2-3"))
async def explains_puback_at_any_length(probe: ClientProbe) -> None:
    """PUBACK goes without Reason String and User Properties if these would make it too large."""
    await _compare(probe, PubAck, _exchange)


@client_check(v5=("MQTT-3.5.2-2", "MQTT-3.5.2-3"))
async def explains_pubrec_at_any_length(probe: ClientProbe) -> None:
    """PUBREC goes without Reason String and User Properties if these would make it too large."""
    await _compare(probe, PubRec, _exchange)


@client_check(v5=("MQTT-3.6.2-2", "MQTT-3.6.2-3"))
async def explains_pubrel_at_any_length(probe: ClientProbe) -> None:
    """PUBREL goes without Reason String and User Properties if these would make it too large."""
    await _compare(probe, PubRel, _exchange)


@client_check(v5=("MQTT-3.7.2-2", "MQTT-3.7.2-3"))
async def explains_pubcomp_at_any_length(probe: ClientProbe) -> None:
    """PUBCOMP goes without Reason String and User Properties if these would make it too large."""
    await _compare(probe, PubComp, _exchange)


@client_check(v5=("MQTT-3.14.2-3", "MQTT-3.14.2-4"))
async def explains_disconnect_at_any_length(probe: ClientProbe) -> None:
    """DISCONNECT goes without Reason String and User Properties if these would make it too large."""
    await _compare(probe, Disconnect, _misdeed)


async def _compare(probe: ClientProbe, kind: _Kind, cause: Callable[[ClientProbe, Visit], Awaitable[None]]) -> None:
    """Packets of a class, with all the room that there is, and then with little of it."""
    visit = await probe.connect()
    await cause(probe, visit)
    if not any(packet.properties.keys() & _WORDS for packet in _of(visit, kind)):
        raise NotTested(f"its {kind.__name__.upper()} has neither a Reason String nor a User Property")
    await probe.close()
    visit = await probe.connect(properties={"maximum_packet_size": _LIMIT})
    await cause(probe, visit)
    for packet in _of(visit, kind):
        if (size := len(visit.bytes_of(packet))) > _LIMIT:
            raise Failed(f"its {kind.__name__.upper()} has {size} bytes, told a Maximum Packet Size of {_LIMIT}")


def _of(visit: Visit, kind: _Kind) -> list[Any]:
    return [packet for packet in visit.arrived if isinstance(packet, kind)]


async def _exchange(probe: ClientProbe, visit: Visit) -> None:
    """Messages of both sides, so that there are acknowledgements of every kind."""
    await probe.subscribe(visit, "t")
    await visit.deliver(visit.message(b"x", 1))
    await visit.deliver(visit.message(b"x", 2))
    await probe.task("publish", topic="t", payload=b"", qos=2)
    await visit.accept(await probe.sent(visit, Publish, "publish"))


async def _misdeed(probe: ClientProbe, visit: Visit) -> None:
    """A second CONNACK, for which the Client may send DISCONNECT."""
    del probe
    await visit.send(ConnAck())
    await visit.end()
