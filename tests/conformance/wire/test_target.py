"""Only this machine, and no secret where a request is shown."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.wire.target import NotLoopback, Target, loopback_address
from mqttws.errors import ConnectionLost
from mqttws.fuzz.live.conversation import REQUEST


class Names(trio.abc.HostnameResolver):
    """What names mean in these tests."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: Any, port: Any, family: int = 0, *_: Any, **__: Any) -> Any:
        if not self.addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]

    async def getnameinfo(self, *_: Any) -> Any:
        raise NotImplementedError


@trio_test
async def test_loopback_addresses_may_be_attacked() -> None:
    assert await loopback_address("127.0.0.1", 1) == "127.0.0.1"
    assert await loopback_address("::1", 1) == "::1"
    target = await Target.find("ws://127.0.0.1:9/mqtt")
    assert (target.address, repr(target)) == ("127.0.0.1", "<Target ws://127.0.0.1:9/mqtt>")


@trio_test
async def test_others_may_not_unless_that_is_said() -> None:
    with pytest.raises(NotLoopback, match=r"192\.0\.2\.1"):
        await Target.find("ws://192.0.2.1/mqtt")
    assert (await Target.find("ws://192.0.2.1/mqtt", anywhere=True)).address == "192.0.2.1"


@trio_test
async def test_one_address_elsewhere_is_enough_to_refuse_a_name() -> None:
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1", "192.0.2.1"))
    with pytest.raises(NotLoopback, match=r"two\.example is 192\.0\.2\.1"):
        await loopback_address("two.example", 80)


@trio_test
async def test_a_name_that_is_checked_is_not_looked_up_again() -> None:
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1"))
    assert (await Target.find("ws://mine.example/")).address == "127.0.0.1"


@trio_test
async def test_a_name_that_nobody_knows_is_no_connection() -> None:
    trio.socket.set_custom_hostname_resolver(Names())
    with pytest.raises(ConnectionLost, match=r"cannot find the host nobody\.example"):
        await loopback_address("nobody.example", 80)


@trio_test
async def test_a_request_has_its_secrets_on_the_wire_only() -> None:
    url = "ws://127.0.0.1:9/mqtt?access_token=SECRET"
    target = await Target.find(url, headers=[("Authorization", "Bearer HIDDEN")])
    sent, shown = target.fill(REQUEST), target.fill_safely(REQUEST)
    assert b"GET /mqtt?access_token=SECRET HTTP" in sent
    assert b"Host: 127.0.0.1:9\r\n" in sent
    assert b"\r\nAuthorization: Bearer HIDDEN\r\n\r\n" in sent
    assert b"SECRET" not in shown
    assert b"HIDDEN" not in shown
    assert b"GET /mqtt?[redacted] HTTP" in shown
    assert "SECRET" not in repr(target)
