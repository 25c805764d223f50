"""Wanted: the SUBSCRIBE that a request becomes, by the connection that it is sent on."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.client.failure import Failure
from mqttws.client.wanted import Request, Wanted, takes_identifiers
from mqttws.codec import Subscribe, Subscription
from mqttws.errors import ConnectionLost
from mqttws.vocabulary import RetainHandling
from tests.client.lines import Line


@pytest.mark.parametrize(
    ("version", "said", "taken"), [(5, {}, True), (5, {"subscription_identifier_available": 0}, False), (4, {}, False)]
)
def test_the_identifier_goes_where_it_is_taken(version: int, said: dict[str, Any], taken: bool) -> None:
    line = Line(version)
    line.connect(**said)
    request = Request({"user_property": [("k", "v")]} if version == 5 else {}, 7)
    request.asked.append((Wanted(Subscription("a"), request), Subscription("a")))
    packet = request.packet(line.connection)
    assert takes_identifiers(line.connection) is taken
    assert packet == Subscribe(0, [Subscription("a")], packet.properties)
    assert packet.properties.get("subscription_identifier") == (7 if taken else None)


def test_a_renewal_asks_for_no_retained_messages_and_the_callers_identifier_wins() -> None:
    line = Line()
    line.connect()
    request = Request({"subscription_identifier": 1}, 7, renewal=True)
    asked = Subscription("a")
    request.asked.append((Wanted(asked, request), asked))
    packet = request.packet(line.connection)
    assert packet.properties == {"subscription_identifier": 1}
    assert packet.subscriptions == [Subscription("a", retain_handling=RetainHandling.DO_NOT_SEND)]
    assert asked.retain_handling == RetainHandling.SEND


@trio_test
async def test_a_request_that_fails_raises_in_everybody_who_waits() -> None:
    request = Request({})
    wanted = Wanted(Subscription("a"), request)
    refused = [wanted.refused]
    request.fail(Failure(ConnectionLost("gone")))
    refused.append(wanted.refused)
    assert refused == [False, True]
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="gone"), trio.fail_after(1):
            await request.wait()
