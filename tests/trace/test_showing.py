"""What passed over a connection, in words: in one line for each packet, or byte by byte."""

from __future__ import annotations

import pytest

from mqttws.codec import PingReq, Publish
from mqttws.conformance import rule_of
from mqttws.trace import read_trace
from mqttws.trace.showing import brief_lines, full_lines, gist, moments
from mqttws.vocabulary import QoS, Role
from tests.trace.wires import ANSWER, ASK, binary, connect, conversation, traced


@pytest.mark.parametrize("role", list(Role))
def test_a_connection_is_told_in_one_line_for_each_thing_that_passed(role: Role) -> None:
    (connection,) = read_trace(conversation(role, 5))
    lines = [line for moment in moments(3, connection) for line in brief_lines(moment)]
    assert all(line[12:].startswith("  #3  ") for line in lines)
    assert "opened, we are the " + role.value in lines[0]
    assert any("client → server  CONNECT" in line for line in lines)
    assert not any(line.endswith("frame") for line in lines)


def test_every_byte_is_told_with_the_rule_where_one_is_broken() -> None:
    connection = traced(Role.CLIENT, ("out", ASK), ("in", ANSWER), ("out", binary(connect(), b"\x36\x03\0\1a")))
    text = "\n".join(line for moment in moments(1, connection) for line in full_lines(moment, rule=rule_of))
    assert "client → server" in text
    assert "CONNECT, MQTT 5.0" in text
    assert "protocol_name" in text
    assert "[MQTT-3.3.1-4]" in text
    assert f"the rule: {rule_of('MQTT-3.3.1-4', 5)}"[:40] in text


def test_the_gist_of_a_packet_leaves_out_what_is_as_always() -> None:
    assert gist(PingReq()) == "PINGREQ"
    assert (
        gist(Publish("a", b"hi", QoS.AT_LEAST_ONCE, packet_id=7)) == "PUBLISH topic='a' payload='hi' qos=1 packet_id=7"
    )
