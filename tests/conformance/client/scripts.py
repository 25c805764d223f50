"""What a ready subject has to do: scripts of a Server and of tasks for the Client."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)
from mqttws.codec.properties import AuthProperties
from mqttws.conformance.client.convention import (
    Authenticated,
    Connected,
    Disconnected,
    Error,
    Message,
    Published,
    Subscribed,
    Unsubscribed,
    Unsupported,
)
from mqttws.conformance.wire.peer import Peer
from mqttws.vocabulary import QOS
from tests.conformance.client.leading import Host, Led

both_versions = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


async def greeted(host: Host, subject: Led, version: int, *, present: bool = False, **settings: Any) -> Peer:
    """A connection that is open."""
    await subject.do("connect", version=version, client_id="subject", **settings)
    peer = await host.accept()
    await peer.expect(Connect)
    await peer.send(ConnAck(present, 0))
    event = await subject.expect(Connected)
    assert event.session_present in (present, None)
    assert event.reason_code == 0
    return peer


async def farewell(peer: Peer, subject: Led) -> None:
    """The end of it, by the Client."""
    await subject.do("disconnect")
    assert (await peer.expect(Disconnect)).reason_code == 0
    await peer.end()
    await peer.drop()
    await subject.expect(Disconnected)


async def whole_way(host: Host, subject: Led, version: int) -> None:
    """Connect with all that CONNECT may hold, subscribe, publish and receive, unsubscribe, disconnect."""
    later = {"session_expiry": 60, "receive_maximum": 7, "maximum_packet_size": 4096} if version == 5 else {}
    will = {"will_topic": "w", "will_payload": b"\0gone", "will_qos": 1, "will_retain": True}
    await subject.do("connect", version=version, client_id="subject", clean_start=True, keep_alive=33,
                     username="joe", password=b"s3cret", **will, **later)  # fmt: skip
    peer = await host.accept()
    connect = await peer.expect(Connect)
    said = (connect.version, connect.client_id, connect.keep_alive, connect.username, connect.password)
    assert said == (version, "subject", 33, "joe", b"s3cret")
    assert connect.will is not None
    assert (connect.will.topic, connect.will.payload, connect.will.qos, connect.will.retain) == (
        "w",
        b"\0gone",
        1,
        True,
    )
    if version == 5:
        assert connect.properties["session_expiry_interval"] == 60
        assert connect.properties["receive_maximum"] == 7
        assert connect.properties["maximum_packet_size"] == 4096
    await peer.send(ConnAck(False, 0))
    assert (await subject.expect(Connected)).reason_code == 0
    await subscribe(peer, subject)
    await publish(peer, subject)
    await receive(peer, subject)
    await subject.do("unsubscribe", topic_filter="a/+")
    unsubscribe = await peer.expect(Unsubscribe)
    assert unsubscribe.topic_filters == ["a/+"]
    await peer.send(UnsubAck(unsubscribe.packet_id, [0] if version == 5 else []))
    await subject.expect(Unsubscribed)
    await farewell(peer, subject)


async def subscribe(peer: Peer, subject: Led) -> None:
    """One that is granted, one that is not."""
    options: dict[str, Any] = {}
    if peer.version == 5:
        options = {"no_local": True, "retain_as_published": True, "retain_handling": 2}
    await subject.do("subscribe", topic_filter="a/+", qos=2, **options)
    asked = await peer.expect(Subscribe)
    assert asked.subscriptions == [Subscription("a/+", QOS[2], *options.values())]
    await peer.send(SubAck(asked.packet_id, [1]))
    assert await subject.expect(Subscribed) == Subscribed((1,))
    await subject.do("subscribe", topic_filter="b b", qos=1, **({"subscription_identifier": 9} if options else {}))
    asked = await peer.expect(Subscribe)
    assert asked.subscriptions[0].topic_filter == "b b"
    assert asked.properties.get("subscription_identifier", 9) == 9
    await peer.send(SubAck(asked.packet_id, [0x80]))
    assert await subject.expect(Subscribed) == Subscribed((0x80,))


async def publish(peer: Peer, subject: Led) -> None:
    """At each QoS, several under way at once, and with properties."""
    for qos in (0, 1, 2):
        await subject.do("publish", topic="t/ü", payload=b"\xff\0", qos=qos, retain=True)
    came = [await peer.receive() for _ in range(3)]
    messages = [packet for packet in came if isinstance(packet, Publish)]
    assert [(one.topic, one.payload, one.qos, one.retain, one.dup) for one in messages] == [
        ("t/ü", b"\xff\0", qos, True, False) for qos in (0, 1, 2)
    ]
    assert await subject.expect(Published) in (Published(0), Published())
    await peer.send(PubRec(messages[2].packet_id or 0), PubAck(messages[1].packet_id or 0))
    assert await subject.expect(Published) in (Published(0), Published())
    released = await peer.expect(PubRel)
    await peer.send(PubComp(released.packet_id))
    assert await subject.expect(Published) in (Published(0), Published())
    if peer.version == 5:
        properties = {"message_expiry": 60, "content_type": "x", "response_topic": "r", "correlation_data": b"\1"}
        await subject.do("publish", topic="t", payload=b"", qos=0, **properties)
        message = await peer.expect(Publish, aside=())
        assert sorted(message.properties) == [
            "content_type", "correlation_data", "message_expiry_interval", "response_topic",
        ]  # fmt: skip
        await subject.expect(Published)


async def receive(peer: Peer, subject: Led) -> None:
    """At each QoS; what is retained says so."""
    for qos in (0, 1, 2):
        packet_id = qos or None
        await peer.send(Publish("a/ü", b"\0\xfe", QOS[qos], qos == 1, False, packet_id))
        if qos == 1:
            assert (await peer.expect(PubAck)).packet_id == 1
        if qos == 2:
            assert (await peer.expect(PubRec)).packet_id == 2
            await peer.send(PubRel(2))
            assert (await peer.expect(PubComp)).packet_id == 2
        assert await subject.expect(Message) == Message("a/ü", b"\0\xfe", qos, qos == 1)


async def refused(host: Host, subject: Led, version: int) -> None:
    """A CONNACK that says no is told, and the next connection is tried as if nothing had been."""
    await subject.do("connect", version=version, client_id="subject")
    peer = await host.accept()
    await peer.expect(Connect)
    await peer.send(ConnAck(False, 0x87 if version == 5 else 5))
    assert (await subject.expect(Connected)).reason_code != 0
    await peer.drop()
    await subject.expect(Disconnected)
    await farewell(await greeted(host, subject, version), subject)


async def ended_by_the_server(host: Host, subject: Led, version: int) -> None:
    """The end of a connection is told, with the code of DISCONNECT where the library says it."""
    peer = await greeted(host, subject, version)
    if version == 5:
        await peer.send(Disconnect(0x8B))
    await peer.drop()
    event = await subject.expect(Disconnected)
    assert event.reason_code in ((0x8B, None) if version == 5 else (None,))


async def session_goes_on(host: Host, subject: Led, version: int) -> None:
    """A message under way when the connection breaks is sent again on the next, which asks for the Session."""
    settings: dict[str, Any] = {"clean_start": False} | ({"session_expiry": 60} if version == 5 else {})
    peer = await greeted(host, subject, version, **settings)
    await subject.do("publish", topic="t", payload=b"once more", qos=1)
    first = await peer.expect(Publish)
    assert not first.dup
    await peer.drop()
    await subject.expect(Disconnected)
    await subject.do("connect", version=version, client_id="subject", **settings)
    peer = await host.accept()
    assert (await peer.expect(Connect)).clean_start is False
    await peer.send(ConnAck(True, 0))
    await subject.expect(Connected)
    again = await peer.expect(Publish, aside=())
    assert (again.packet_id, again.payload) == (first.packet_id, b"once more")
    await peer.send(PubAck(first.packet_id or 0))
    await farewell(peer, subject)


async def comes_back(host: Host, subject: Led, version: int) -> None:
    """With ``reconnect=1`` the Client comes again by itself, without it does not."""
    peer = await greeted(host, subject, version, reconnect=True)
    await peer.drop()
    await subject.expect(Disconnected)
    peer = await host.accept()
    await peer.expect(Connect)
    await peer.send(ConnAck(False, 0))
    await subject.expect(Connected)
    await farewell(peer, subject)


async def leaves_with(host: Host, subject: Led, code: int) -> None:
    """DISCONNECT with another code than 0x00."""
    peer = await greeted(host, subject, 5)
    await subject.do("disconnect", reason_code=code)
    assert (await peer.expect(Disconnect)).reason_code == code
    await peer.drop()
    await subject.expect(Disconnected)


async def authenticates(host: Host, subject: Led) -> Peer:
    """AUTH is answered with the same data again."""
    await subject.do("connect", version=5, client_id="subject", auth_method="twice", auth_data=b"\x01\x02")
    peer = await host.accept()
    method = {"authentication_method": "twice"}
    assert (await peer.expect(Connect)).properties.items() >= (method | {"authentication_data": b"\x01\x02"}).items()
    await peer.send(Auth(0x18, {"authentication_method": "twice", "authentication_data": b"?"}))
    answer = await peer.expect(Auth)
    assert answer == Auth(0x18, {"authentication_method": "twice", "authentication_data": b"\x01\x02"})
    await peer.send(ConnAck(False, 0, {"authentication_method": "twice"}))
    assert (await subject.expect(Connected)).reason_code == 0
    return peer


async def authenticates_again(peer: Peer, subject: Led) -> None:
    """And so is the task to authenticate again done."""
    await subject.do("reauthenticate")
    said: AuthProperties = {"authentication_method": "twice", "authentication_data": b"\x01\x02"}
    assert await peer.expect(Auth) == Auth(0x19, said)
    await peer.send(Auth(0, {"authentication_method": "twice"}))
    assert await subject.expect(Authenticated) == Authenticated()


async def nothing_without_a_connection(subject: Led) -> None:
    """A task that comes too early fails, and so does one for nobody."""
    await subject.do("subscribe", topic_filter="a", qos=0)
    assert (await subject.expect(Error)).task == "subscribe"
    await subject.do("connect", version=5, client_id="subject")
    assert (await subject.expect(Error)).task == "connect"


async def cannot(subject: Led, task: str, **values: Any) -> None:
    """It says that it cannot do this."""
    await subject.do(task, **values)
    event = await subject.expect(Unsupported)
    assert event.task == task
    assert event.why
