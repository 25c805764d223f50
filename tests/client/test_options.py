"""Options: what the arguments of open_client settle, and what is refused before anything is dialled."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws import transport
from mqttws.client.options import Deadlines, Options, new_client_id
from mqttws.client.policy import Verdict
from mqttws.client.profiles import MQTT, WEB_PUBSUB
from mqttws.client.reconnect import Reconnect
from mqttws.codec import Connect, Publish, Will
from mqttws.errors import ConnectionLost, LocalProtocolError, ServerDisconnected
from mqttws.session import MemoryStore, OutgoingStored
from mqttws.vocabulary import ProtocolVersion, QoS


def options(**changed: Any) -> Options:
    arguments: dict[str, Any] = {
        "version": 5,
        "client_id": "me",
        "clean_start": None,
        "session_expiry_interval": None,
        "keep_alive": 60,
        "username": None,
        "password": None,
        "will": None,
        "properties": None,
        "headers": (),
        "ssl_context": None,
        "dial": transport.dial,
        "deadlines": Deadlines(),
        "store": None,
        "receive_maximum": 100,
        "maximum_packet_size": 1_048_576,
    }
    arguments |= changed
    arguments["version"] = ProtocolVersion(arguments["version"])
    return Options(**arguments)


def connect(**changed: Any) -> Connect:
    return options(**changed).connect_packet(MQTT)


def test_a_client_id_made_here_is_one_that_every_server_takes() -> None:
    made = {new_client_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(name) == 20 and name.isascii() and name.isalnum() for name in made)
    assert connect(client_id=None).client_id != connect(client_id=None).client_id


def test_an_empty_client_id_is_left_to_the_server() -> None:
    assert connect(client_id="").client_id == ""


def test_the_packet_says_what_the_arguments_do() -> None:
    will = Will("w", b"gone", QoS.AT_LEAST_ONCE)
    packet = connect(username="u", password="päss", will=will, keep_alive=7, properties={"user_property": [("a", "b")]})
    assert packet == Connect(
        ProtocolVersion.V5,
        "me",
        True,
        7,
        "u",
        "päss".encode(),
        will,
        {
            "session_expiry_interval": 0,
            "receive_maximum": 100,
            "maximum_packet_size": 1_048_576,
            "user_property": [("a", "b")],
        },
    )


def test_a_password_of_bytes_goes_as_it_is() -> None:
    assert connect(username="u", password=b"\xff\x00").password == b"\xff\x00"


def test_3_1_1_has_no_properties() -> None:
    assert connect(version=4).properties == {}
    with pytest.raises(LocalProtocolError):
        connect(version=4, properties={"user_property": [("a", "b")]})


@pytest.mark.parametrize(
    ("arguments", "clean_start", "expiry"),
    [
        ({}, True, 0),
        ({"session_expiry_interval": 5}, True, 5),
        ({"clean_start": False}, False, 0),
        ({"clean_start": False, "session_expiry_interval": 5}, False, 5),
        ({"store": MemoryStore()}, False, 30),
        ({"store": MemoryStore(), "clean_start": True}, True, 30),
        ({"store": MemoryStore(), "session_expiry_interval": 5}, False, 5),
    ],
)
def test_how_the_session_begins_and_ends_in_5_0(arguments: dict[str, Any], clean_start: bool, expiry: int) -> None:
    packet = connect(**arguments)
    assert packet.clean_start is clean_start
    assert packet.properties.get("session_expiry_interval") == expiry


@pytest.mark.parametrize(
    ("arguments", "clean_session", "wiping"),
    [
        ({}, True, False),
        ({"session_expiry_interval": 5}, False, True),
        ({"clean_start": False}, False, False),
        ({"store": MemoryStore()}, False, False),
        ({"store": MemoryStore(), "clean_start": True}, False, True),
    ],
)
def test_how_the_session_begins_and_ends_in_3_1_1(arguments: dict[str, Any], clean_session: bool, wiping: bool) -> None:
    settled = options(version=4, **arguments)
    assert settled.connect_packet(MQTT).clean_start is clean_session
    assert settled.needs_wiping is wiping


@pytest.mark.parametrize(
    ("arguments", "expiry", "wiping", "forgets"),
    [
        ({"client_id": None}, 30, False, True),
        ({"client_id": "me"}, 30, False, False),
        ({"client_id": ""}, 30, False, False),
        ({"client_id": None, "session_expiry_interval": 30}, 30, False, False),
        ({"client_id": None, "session_expiry_interval": 0}, 0, False, False),
        ({"client_id": None, "store": MemoryStore(), "clean_start": True}, 30, False, False),
        ({"client_id": None, "version": 4}, 30, False, False),
        ({"client_id": "me", "version": 4}, 30, True, False),
        ({"client_id": "", "version": 4}, 0, False, False),
    ],
)
def test_a_client_that_reconnects_keeps_its_session_for_a_while(
    arguments: dict[str, Any], expiry: int, wiping: bool, forgets: bool
) -> None:
    settled = options(reconnect=Reconnect(), **arguments)
    assert settled.session_expiry_interval == expiry
    assert settled.needs_wiping is wiping
    assert settled.forgets_session is forgets
    first, later = settled.connect_packet(MQTT), settled.connect_packet(MQTT, resuming=True)
    assert later.clean_start is (settled.version == 4 and not expiry)
    assert first.client_id == later.client_id == settled.client_id


def test_redirects_are_failures_unless_they_are_followed() -> None:
    moved = ServerDisconnected(0x9D, {"server_reference": "other"})
    for follow, verdict in ((False, Verdict.GIVE_UP), (True, Verdict.REDIRECT)):
        settled = options(reconnect=Reconnect(), follow_redirects=follow)
        assert settled.verdict(moved) is verdict
        assert settled.verdict(ConnectionLost("cut")) is Verdict.RETRY


def test_the_packet_that_wipes_has_clean_session_and_no_will() -> None:
    packet = options(version=4, session_expiry_interval=5, will=Will("w")).connect_packet(MQTT, wiping=True)
    assert packet.clean_start
    assert packet.will is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"version": 3}, "3 is not a valid ProtocolVersion"),
        ({"receive_maximum": 0}, "receive_maximum is 1 to 65535, not 0"),
        ({"receive_maximum": 65_536}, "receive_maximum"),
        ({"session_expiry_interval": -1}, "session_expiry_interval is 0 to 4294967295"),
        ({"session_expiry_interval": 2**32}, "session_expiry_interval"),
        ({"session_expiry_interval": 0, "store": MemoryStore()}, "a store has nothing to keep"),
        ({"clean_start": False, "client_id": ""}, "clean_start=False needs a client_id"),
        ({"properties": {"receive_maximum": 1}}, "pass it as receive_maximum"),
        ({"properties": {"session_expiry_interval": 1}}, "pass it as session_expiry_interval"),
        ({"properties": {"maximum_packet_size": 1}}, "pass it as maximum_packet_size"),
        ({"properties": {"authentication_method": "x"}}, "pass an authenticator"),
        ({"properties": {"topic_alias_maximum": 1}}, "pass it as topic_alias_maximum"),
        ({"topic_alias_maximum": 65_536}, "topic_alias_maximum is 0 to 65535, not 65536"),
        ({"topic_alias_maximum": -1}, "topic_alias_maximum"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"client_id": "a\0b"},
        {"keep_alive": 65_536},
        {"will": Will("a/#")},
        {"maximum_packet_size": 0},
        {"properties": {"topik_alias_maximum": 1}},
    ],
)
def test_what_mqtt_forbids_is_refused_before_anything_is_dialled(arguments: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        connect(**arguments)


def test_the_profile_has_its_say() -> None:
    with pytest.raises(LocalProtocolError, match="Web PubSub: a client id"):
        options(client_id="mqttjs_1").connect_packet(WEB_PUBSUB)


def test_the_session_held_is_an_empty_one_or_what_the_store_has() -> None:
    empty = options().held_session()
    assert not empty.durable
    assert len(empty.outgoing) == 0
    store = MemoryStore()
    store.commit([OutgoingStored(Publish("a", b"", QoS.AT_LEAST_ONCE, packet_id=1))])
    kept = options(store=store).held_session()
    assert kept.durable
    assert len(kept.outgoing) == 1


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", ["access", "dial", "handshake", "connack", "ping", "linger"])
def test_a_deadline_is_above_zero(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"Deadlines: {name} is a number of seconds above 0, not {value}"):
        Deadlines(**{name: value})


def test_nothing_that_shows_options_shows_a_secret() -> None:
    settled = options(username="u", password="canary", headers=[("Authorization", "Bearer canary")])
    assert "canary" not in repr(settled)
