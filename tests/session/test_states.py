"""Who may send what when: every role, state and packet has a defined answer."""

from __future__ import annotations

import pytest

from mqttws.conformance import statements
from mqttws.errors import LocalProtocolError
from mqttws.session.states import TRANSITIONS, State, StateTable
from mqttws.vocabulary import PacketType, ProtocolVersion, Role

EVERYTHING = [
    pytest.param(role, state, packet, id=f"{role.value}-{state.name}-{packet.name}")
    for role in Role
    for state in TRANSITIONS[role]
    for packet in PacketType
]


def test_each_end_has_these_states_and_moves_through_them() -> None:
    closing = {PacketType.DISCONNECT: State.CLOSED}
    both = (PacketType.PUBLISH, PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP)
    client = (*both, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE, PacketType.PINGREQ)
    server = (*both, PacketType.SUBACK, PacketType.UNSUBACK, PacketType.PINGRESP, PacketType.AUTH)
    assert TRANSITIONS[Role.CLIENT] == {
        State.GREETING: {PacketType.CONNECT: State.EAGER},
        State.EAGER: {**dict.fromkeys(client, State.EAGER), **closing},
        State.AUTHENTICATING: {PacketType.AUTH: State.AUTHENTICATING, **closing},
        State.OPEN: {**dict.fromkeys((*client, PacketType.AUTH), State.OPEN), **closing},
        State.CLOSED: {},
    }
    assert TRANSITIONS[Role.SERVER] == {
        State.SILENT: {},
        State.ANSWERING: {PacketType.CONNACK: State.OPEN, PacketType.AUTH: State.ANSWERING},
        State.OPEN: {**dict.fromkeys(server, State.OPEN), **closing},
        State.CLOSED: {},
    }


def table_in(role: Role, state: State, version: ProtocolVersion = ProtocolVersion.V5) -> StateTable:
    table = StateTable()
    table.version = version
    table.authentication_method = "m"
    table.states[role] = state
    return table


@pytest.mark.parametrize(("role", "state", "packet"), EVERYTHING)
def test_each_packet_is_let_pass_or_refused_in_each_state(role: Role, state: State, packet: PacketType) -> None:
    table = table_in(role, state)
    if packet in TRANSITIONS[role][state]:
        table.check(role, packet)
        table.advance(role, packet)
        assert table.states[role] is TRANSITIONS[role][state][packet]
    else:
        with pytest.raises(LocalProtocolError, match=f"{packet.name} from the {role.name.title()} while {state.name}"):
            table.check(role, packet)
        assert table.states[role] is state


@pytest.mark.parametrize("version", ProtocolVersion)
@pytest.mark.parametrize(("role", "state", "packet"), EVERYTHING)
def test_statements_cited_exist_in_the_version_in_force(
    role: Role, state: State, packet: PacketType, version: ProtocolVersion
) -> None:
    table = table_in(role, state, version)
    if packet in TRANSITIONS[role][state]:
        return
    with pytest.raises(LocalProtocolError) as caught:
        table.check(role, packet)
    assert caught.value.version == version
    assert caught.value.statement in {None, *(item["id"] for item in statements(version))}


@pytest.mark.parametrize(
    ("role", "state", "packet", "by_version"),
    [
        (Role.CLIENT, State.GREETING, PacketType.PUBLISH, ("MQTT-3.1.0-1", "MQTT-3.1.0-1")),
        (Role.CLIENT, State.EAGER, PacketType.CONNECT, ("MQTT-3.1.0-2", "MQTT-3.1.0-2")),
        (Role.CLIENT, State.OPEN, PacketType.CONNECT, ("MQTT-3.1.0-2", "MQTT-3.1.0-2")),
        (Role.CLIENT, State.AUTHENTICATING, PacketType.CONNECT, ("MQTT-3.1.0-2", None)),
        (Role.CLIENT, State.AUTHENTICATING, PacketType.PUBLISH, ("MQTT-3.1.2-30", None)),
        (Role.CLIENT, State.CLOSED, PacketType.PUBLISH, ("MQTT-3.14.4-1", "MQTT-3.14.4-2")),
        (Role.SERVER, State.ANSWERING, PacketType.PUBLISH, ("MQTT-3.2.0-1", "MQTT-3.2.0-1")),
        (Role.SERVER, State.ANSWERING, PacketType.DISCONNECT, ("MQTT-3.14.0-1", None)),
        (Role.SERVER, State.OPEN, PacketType.CONNACK, ("MQTT-3.2.0-2", None)),
        (Role.SERVER, State.OPEN, PacketType.SUBSCRIBE, (None, None)),
    ],
)
def test_what_comes_at_the_wrong_time_breaks_this_statement(
    role: Role, state: State, packet: PacketType, by_version: tuple[str | None, str | None]
) -> None:
    for version, statement in zip((ProtocolVersion.V5, ProtocolVersion.V3_1_1), by_version, strict=True):
        with pytest.raises(LocalProtocolError) as caught:
            table_in(role, state, version).check(role, packet)
        assert caught.value.statement == statement


def test_connect_and_connack_move_both_ends() -> None:
    table = StateTable()
    table.advance(Role.CLIENT, PacketType.CONNECT)
    assert table.states == {Role.CLIENT: State.EAGER, Role.SERVER: State.ANSWERING}
    table.advance(Role.SERVER, PacketType.CONNACK)
    assert table.states == {Role.CLIENT: State.OPEN, Role.SERVER: State.OPEN}


@pytest.mark.parametrize("sender", Role)
def test_disconnect_closes_both_ends(sender: Role) -> None:
    table = table_in(Role.CLIENT, State.OPEN)
    table.states[Role.SERVER] = State.OPEN
    table.advance(sender, PacketType.DISCONNECT)
    assert set(table.states.values()) == {State.CLOSED}


@pytest.mark.parametrize(("sender", "statement"), [(Role.CLIENT, "MQTT-4.12.0-7"), (Role.SERVER, "MQTT-4.12.0-6")])
def test_auth_needs_an_authentication_method(sender: Role, statement: str) -> None:
    table = table_in(sender, State.OPEN)
    table.authentication_method = None
    with pytest.raises(LocalProtocolError) as caught:
        table.check(sender, PacketType.AUTH)
    assert caught.value.statement == statement


def test_a_3_1_1_server_has_no_disconnect() -> None:
    with pytest.raises(LocalProtocolError, match=r"which 3\.1\.1 does not know"):
        table_in(Role.SERVER, State.OPEN, ProtocolVersion.V3_1_1).check(Role.SERVER, PacketType.DISCONNECT)
