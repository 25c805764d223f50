"""The correct Server before checks of its own kind, with each offer, and what it does that no check asks for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio
import trio.testing

from mqttws.codec import Auth, ConnAck, Disconnect, Publish, SubAck, Subscribe, Subscription, Will
from mqttws.conformance.check import Kind
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.run import server_checks
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.entry import OFFERS, Wrong
from mqttws.conformance.wrong.in_process import server_target
from mqttws.conformance.wrong.proxy import Item, Tamper
from mqttws.conformance.wrong.reference_server import Offer, ReferenceServer
from mqttws.conformance.wrong.scram import METHOD
from mqttws.conformance.wrong.trial_server import try_server
from mqttws.vocabulary import QOS, ProtocolVersion, ReasonCode
from tests.conformance.wrong.test_scram import FIRST, answer

Talk = Callable[[ServerProbe], Coroutine[Any, Any, None]]


def serve(talk: Talk, offer: Offer | None = None, version: ProtocolVersion = ProtocolVersion.V5) -> None:
    """Talk with a correct Server in memory, on a clock that jumps."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server = ReferenceServer(offer)
            nursery.start_soon(server.broker.tend)
            subject = ServerSubject(Account(server_target(server, nursery)))
            await talk(ServerProbe(subject, version))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


class Transparent(Tamper):
    """Takes everything apart, and changes nothing."""

    def from_subject(self, packet: Item) -> tuple[Item, ...]:
        return (packet,)

    def from_tester(self, packet: Item) -> tuple[Item, ...]:
        return (packet,)


def test_a_proxy_that_changes_nothing_is_not_noticed() -> None:
    """Hostile bytes pass it as they are: the Server behind it still refuses them all."""
    plain = Wrong(
        "plain", Kind.SERVER, "Nothing is wrong.", {ProtocolVersion.V5: ("MQTT-3.1.0-2",)}, tamper=Transparent
    )
    results = try_server(server_checks()[::12], "full", plain)
    assert [one.check for one in results if one.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)] == []
    assert sum(one.verdict is Verdict.PASSED for one in results) > 20


def test_who_proves_the_password_gets_in_and_may_do_so_again() -> None:
    async def talk(probe: ServerProbe) -> None:
        peer = await probe.open()
        packet = probe.connect_packet(authentication_method=METHOD, authentication_data=FIRST)
        await peer.send(packet)
        challenge = await peer.expect(Auth)
        data = answer(challenge.properties["authentication_data"], b"secret of the first")
        said: Any = {"authentication_method": METHOD, "authentication_data": data}
        await peer.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, said))
        assert (await peer.expect(ConnAck)).properties["authentication_data"].startswith(b"v=")
        said = {"authentication_method": METHOD, "authentication_data": FIRST}
        await peer.send(Auth(ReasonCode.RE_AUTHENTICATE, said))
        challenge = await peer.expect(Auth)
        data = answer(challenge.properties["authentication_data"], b"secret of the first")
        said = {"authentication_method": METHOD, "authentication_data": data}
        await peer.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, said))
        assert (await peer.expect(Auth)).reason_code == ReasonCode.SUCCESS

    serve(talk, OFFERS["accounts"])


@pytest.mark.parametrize(
    ("topic_filter", "identifier", "code"),
    [("a/#", None, 0xA2), ("$share/group/a", None, 0x9E), ("a", 1, 0xA1), ("a", None, 1)],
)
def test_what_is_not_offered_is_refused_by_its_code(topic_filter: str, identifier: int | None, code: int) -> None:
    async def talk(probe: ServerProbe) -> None:
        peer = await probe.connect()
        said: Any = {} if identifier is None else {"subscription_identifier": identifier}
        await peer.send(Subscribe(1, [Subscription(topic_filter, QOS[2])], said))
        assert (await peer.expect(SubAck)).reason_codes == [code]

    serve(talk, OFFERS["limited"])


@pytest.mark.parametrize(("qos", "retain", "code"), [(2, False, 0x9B), (0, True, 0x9A)])
def test_wills_beyond_the_offer_are_refused(qos: int, retain: bool, code: int) -> None:
    async def talk(probe: ServerProbe) -> None:
        peer = await probe.open()
        await peer.send(probe.connect_packet(will=Will("a", b"x", QOS[qos], retain)))
        assert (await peer.expect(ConnAck)).reason_code == code

    serve(talk, OFFERS["limited"])


def test_limits_of_time_are_told() -> None:
    async def talk(probe: ServerProbe) -> None:
        peer = await probe.connect(keep_alive=0, session_expiry_interval=100)
        assert peer.connack.properties["server_keep_alive"] == 30
        assert peer.connack.properties["session_expiry_interval"] == 0
        peer = await probe.connect("asks", request_response_information=1)
        assert peer.connack.properties["response_information"] == "replies/asks"

    serve(talk, OFFERS["limited"])


@pytest.mark.parametrize("version", ProtocolVersion)
def test_a_wrong_password_is_refused(version: ProtocolVersion) -> None:
    async def talk(probe: ServerProbe) -> None:
        peer = await probe.open()
        packet = probe.connect_packet()
        packet.username, packet.password = "first", b"wrong"
        await peer.send(packet)
        assert (await peer.expect(ConnAck)).reason_code == (0x86 if probe.is_v5 else 4)

    serve(talk, OFFERS["accounts"], version)


def test_what_stands_behind_connect_is_carried_out_though_the_client_has_left() -> None:
    async def talk(probe: ServerProbe) -> None:
        watcher = await probe.connect()
        await probe.subscribe(watcher, "left")
        peer = await probe.open()
        await peer.send(probe.connect_packet(), Publish("left", b"behind"), Disconnect())
        assert (await probe.message(watcher, "left")).payload == b"behind"

    serve(talk)
