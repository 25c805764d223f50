"""A QoS 0 message that was encoded once for many."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Publish, encode
from mqttws.errors import LocalProtocolError
from mqttws.session import Connection
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from tests.pair import Pair, publishes

MESSAGE = Publish("a", b"x" * 20)


@pytest.mark.parametrize("version", list(ProtocolVersion))
def test_it_arrives_among_others_in_order(version: ProtocolVersion) -> None:
    pair = Pair().connect(Connect(version, "c"))
    pair.server.send(Publish("a", b"1"), 0)
    pair.server.relay(MESSAGE, encode(MESSAGE, version), 0)
    pair.server.send(Publish("a", b"3"), 0)
    pair.run()
    assert [publish.payload for publish in publishes(pair.client_events())] == [b"1", MESSAGE.payload, b"3"]


def test_the_peer_s_limits_hold_for_it() -> None:
    limits: Any = {"maximum_packet_size": 20}
    pair = Pair().connect(Connect(client_id="c", properties=limits), ConnAck())
    with pytest.raises(LocalProtocolError) as caught:
        pair.server.relay(MESSAGE, encode(MESSAGE), 0)
    assert caught.value.reason_code == ReasonCode.PACKET_TOO_LARGE
    aliased = Publish("a", b"", properties={"topic_alias": 1})
    with pytest.raises(LocalProtocolError, match="Topic Alias"):
        pair.server.relay(aliased, encode(aliased), 0)
    assert pair.server.bytes_pending == 0


def test_it_takes_an_open_connection() -> None:
    with pytest.raises(LocalProtocolError, match="open connection"):
        Connection(Role.SERVER).relay(MESSAGE, encode(MESSAGE), 0)
    pair = Pair().connect()
    pair.server.close(0)
    with pytest.raises(LocalProtocolError, match="open connection"):
        pair.server.relay(MESSAGE, encode(MESSAGE), 0)
