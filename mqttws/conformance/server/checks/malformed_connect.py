"""3.1: a CONNECT that is wrong in itself. No Server lets such a Client in."""

from __future__ import annotations

from mqttws.codec import ConnAck
from mqttws.conformance.server.hostile import connect_bytes, refused, refuses_each, text
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.vocabulary import ProtocolVersion

#: Connect Flags: Clean Start, Will, Will QoS in its two bits, Will Retain, Password, User Name.
_CLEAN, _WILL, _QOS, _RETAIN, _PASSWORD, _USERNAME = 0x02, 0x04, 0x08, 0x20, 0x40, 0x80
_ILL_FORMED = b"a\xed\xa0\x80"


def _will(probe: ServerProbe, topic: bytes = b"a", payload: bytes = b"x") -> bytes:
    """A will as it stands in CONNECT, with empty properties where the version has some."""
    return (b"\0" if probe.is_v5 else b"") + text(topic) + text(payload)


@server_check(v5="MQTT-3.1.2-1", v311="MQTT-3.1.2-1")
async def wrong_protocol_name(probe: ServerProbe) -> None:
    """A CONNECT with another protocol name does not begin a connection."""
    for name in (b"HTTP", b"", b"mqtt"):
        try:
            await refused(probe, connect_bytes(probe, name=name), f"behind the protocol name {name!r}", judged=False)
        except Failed as failed:
            if probe.is_v5 or "does not end" not in str(failed):
                raise
            # 3.1.1 lets a Server go on by some other specification.
            raise NotStrict(f"the connection stays open behind the protocol name {name!r}") from None


@server_check(v5="MQTT-3.1.2-2", v311="MQTT-3.1.2-2")
async def unsupported_protocol_level(probe: ServerProbe) -> None:
    """A CONNECT with a protocol level that there is not is refused; in 3.1.1 by CONNACK with 0x01."""
    speaks_v5 = ProtocolVersion.V5 in probe.subject.capabilities
    for level in (0, 6, 0x7F):
        peer = await refused(probe, connect_bytes(probe, level=level), f"behind protocol level {level}", judged=False)
        if probe.is_v5 or any(isinstance(one, ConnAck) and one.reason_code == 0x01 for one in peer.arrived):
            continue
        if not speaks_v5:  # 5.0 allows it to say nothing, or 0x84 in its own form
            raise Failed(f"protocol level {level} is not answered by CONNACK with 0x01")


@server_check(v5=("MQTT-3.1.2-3", "MQTT-3.1.4-1"), v311="MQTT-3.1.2-3")
async def reserved_connect_flag(probe: ServerProbe) -> None:
    """A CONNECT with the reserved bit of the Connect Flags set is refused."""
    await refuses_each(probe, {"the reserved Connect Flag": connect_bytes(probe, flip=0x01)})


@server_check(v5=("MQTT-3.1.4-1", "MQTT-3.1.3-3"), v311=("MQTT-3.1.4-1", "MQTT-3.1.3-3"))
async def connect_cut_short(probe: ServerProbe) -> None:
    """A CONNECT that ends before its fields do is refused; in 3.1.1 without a CONNACK."""
    good = connect_bytes(probe, credentials=b"", flags=_CLEAN, client_id=b"abcdef")
    ends = {"in its Client Identifier": 3, "in the length of its Client Identifier": 7}
    ends |= {"before its Client Identifier": 8}
    wrong = {f"CONNECT that ends {name}": _cut(good, count) for name, count in ends.items()}
    wrong |= {"CONNECT with nothing in it": b"\x10\0", "CONNECT that ends behind the level": _cut(good, len(good) - 9)}
    await refuses_each(probe, wrong, judged=False, answered=Failed)


def _cut(packet: bytes, count: int) -> bytes:
    """The packet without its last bytes, of the length that it then has."""
    return bytes((packet[0], packet[1] - count)) + packet[2 : len(packet) - count]


@server_check(v5=("MQTT-3.1.4-1", "MQTT-3.1.2-16"), v311=("MQTT-3.1.4-1", "MQTT-3.1.2-18"))
async def bytes_behind_connect(probe: ServerProbe) -> None:
    """A CONNECT with more in it than its flags say is refused; in 3.1.1 without a CONNACK."""
    wrong = {"CONNECT with bytes behind its last field": connect_bytes(probe, behind=text(b"more"))}
    await refuses_each(probe, wrong, answered=Failed)


@server_check(
    v5=("MQTT-3.1.2-16", "MQTT-3.1.2-17", "MQTT-3.1.4-1"), v311=("MQTT-3.1.2-18", "MQTT-3.1.2-19", "MQTT-3.1.4-1")
)
async def user_name_against_its_flag(probe: ServerProbe) -> None:
    """A User Name without its flag, or the flag without a User Name, makes a CONNECT malformed."""
    wrong = {
        "CONNECT with a User Name but not its flag": connect_bytes(probe, flags=_CLEAN, credentials=text(b"who")),
        "CONNECT with the User Name Flag but without one": connect_bytes(
            probe, flags=_CLEAN | _USERNAME, credentials=b""
        ),
    }
    await refuses_each(probe, wrong)


@server_check(
    v5=("MQTT-3.1.2-18", "MQTT-3.1.2-19", "MQTT-3.1.4-1"), v311=("MQTT-3.1.2-20", "MQTT-3.1.2-21", "MQTT-3.1.4-1")
)
async def password_against_its_flag(probe: ServerProbe) -> None:
    """A Password without its flag, or the flag without a Password, makes a CONNECT malformed."""
    both = text(b"who") + text(b"secret")
    wrong = {
        "CONNECT with a Password but not its flag": connect_bytes(probe, flags=_CLEAN | _USERNAME, credentials=both),
        "CONNECT with the Password Flag but without one": connect_bytes(
            probe, flags=_CLEAN | _USERNAME | _PASSWORD, credentials=text(b"who")
        ),
    }
    await refuses_each(probe, wrong)


@server_check(v311=("MQTT-3.1.2-22", "MQTT-3.1.4-1"))
async def password_without_user_name(probe: ServerProbe) -> None:
    """A CONNECT with a Password but no User Name is refused."""
    wrong = connect_bytes(probe, flags=_CLEAN | _PASSWORD, credentials=text(b"secret"))
    await refuses_each(probe, {"CONNECT with a Password and no User Name": wrong})


@server_check(v5=("MQTT-3.1.3-12", "MQTT-1.5.4-1"), v311=("MQTT-3.1.3-11", "MQTT-1.5.3-1"))
async def ill_formed_user_name(probe: ServerProbe) -> None:
    """A CONNECT whose User Name is no proper text is refused."""
    wrong = {
        f"CONNECT with the User Name {name!r}": connect_bytes(
            probe, flags=_CLEAN | _USERNAME | _PASSWORD, credentials=text(name) + text(b"secret")
        )
        for name in (_ILL_FORMED, b"\xff", b"a\0b")
    }
    await refuses_each(probe, wrong)


@server_check(
    v5=("MQTT-3.1.3-4", "MQTT-1.5.4-1", "MQTT-1.5.4-2"), v311=("MQTT-3.1.3-4", "MQTT-1.5.3-1", "MQTT-1.5.3-2")
)
async def ill_formed_client_identifier(probe: ServerProbe) -> None:
    """A CONNECT whose Client Identifier is no proper text is refused."""
    names = (_ILL_FORMED, b"\xc0\x80", b"a\xff", b"a\0b")
    wrong = {f"CONNECT with the Client Identifier {name!r}": connect_bytes(probe, client_id=name) for name in names}
    await refuses_each(probe, wrong)


@server_check(v5=("MQTT-3.1.2-9", "MQTT-3.1.4-1"), v311=("MQTT-3.1.2-9", "MQTT-3.1.2-11", "MQTT-3.1.4-1"))
async def will_against_its_flag(probe: ServerProbe) -> None:
    """A CONNECT with the Will Flag but without the fields of a will, or the other way round, is refused."""
    wrong = {
        "CONNECT with the Will Flag but without a will": connect_bytes(probe, flip=_WILL),
        "CONNECT with a will that has no payload": connect_bytes(
            probe, flags=_CLEAN | _WILL, will=(b"\0" if probe.is_v5 else b"") + text(b"a"), credentials=b""
        ),
        "CONNECT with a will but not its flag": connect_bytes(probe, will=_will(probe)),
    }
    await refuses_each(probe, wrong)


@server_check(
    v5=("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.4-1"), v311=("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15")
)
async def will_qos_or_retain_without_a_will(probe: ServerProbe) -> None:
    """A CONNECT without a will, but with a QoS or RETAIN for one, is refused."""
    wrong = {
        "CONNECT with a Will QoS and no will": connect_bytes(probe, flip=_QOS),
        "CONNECT with Will Retain and no will": connect_bytes(probe, flip=_RETAIN),
    }
    await refuses_each(probe, wrong)


@server_check(v5=("MQTT-3.1.2-12", "MQTT-3.1.4-1"), v311=("MQTT-3.1.2-14", "MQTT-3.1.4-1"))
async def will_qos_3(probe: ServerProbe) -> None:
    """A CONNECT with the Will QoS 3 is refused."""
    wrong = connect_bytes(probe, flip=_WILL | 3 * _QOS, will=_will(probe))
    await refuses_each(probe, {"CONNECT with the Will QoS 3": wrong})


@server_check(v5=("MQTT-3.1.3-11", "MQTT-1.5.4-1"), v311=("MQTT-3.1.3-10", "MQTT-1.5.3-1"))
async def ill_formed_will_topic(probe: ServerProbe) -> None:
    """A CONNECT whose Will Topic is no proper text is refused."""
    wrong = {
        f"CONNECT with the Will Topic {topic!r}": connect_bytes(probe, flip=_WILL, will=_will(probe, topic))
        for topic in (_ILL_FORMED, b"\xff", b"a\0b")
    }
    await refuses_each(probe, wrong)


@server_check(v5=("MQTT-3.1.4-1", "MQTT-4.13.1-1"))
async def connect_with_wrong_properties(probe: ServerProbe) -> None:
    """A CONNECT with a property that is unknown, out of place, twice there, or 0 where it may not be, is refused."""
    wrong = {
        "an unknown property": "02 7f 00",
        "a Server Keep Alive": "03 13 000a",
        "two Topic Alias Maximums": "06 22 000a 22 000a",
        "a Receive Maximum of 0": "03 21 0000",
        "a Maximum Packet Size of 0": "05 27 00000000",
        "a Request Problem Information of 2": "02 17 02",
        "Authentication Data but no method": "04 16 0001 61",
        "properties that are longer than the packet": "7f",
    }
    packets = {
        f"CONNECT with {name}": connect_bytes(probe, properties=bytes.fromhex(properties))
        for name, properties in wrong.items()
    }
    await refuses_each(probe, packets)
