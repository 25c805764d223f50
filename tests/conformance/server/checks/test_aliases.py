"""Topic Aliases: what a Server may take."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from mqttws.conformance.server.checks.aliases import alias_above_maximum, alias_refused
from mqttws.conformance.server.discovery import discover
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import NotApplicable
from mqttws.conformance.wrong.entry import OFFERS
from mqttws.conformance.wrong.in_process import server_target
from mqttws.conformance.wrong.reference_server import ReferenceServer
from mqttws.vocabulary import ProtocolVersion
from tests.conformance.server.scripted import in_time

V5 = ProtocolVersion.V5


def test_a_server_that_takes_every_alias_is_not_blamed_for_the_last_one() -> None:
    async def main(nursery: trio.Nursery) -> None:
        full = OFFERS["full"]
        server = ReferenceServer(replace(full, limits={**full.limits, "topic_alias_maximum": 0xFFFF}))
        subject = ServerSubject(Account(server_target(server, nursery)))
        await discover(subject, [V5])
        probe = ServerProbe(subject, V5)
        try:
            await alias_refused(probe)
            with pytest.raises(NotApplicable, match="every Topic Alias"):
                await alias_above_maximum(probe)
        finally:
            await probe.close()

    in_time(main)
