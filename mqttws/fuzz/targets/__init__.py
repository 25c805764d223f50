"""Fuzz targets: functions from bytes to None that raise if this package breaks a promise.

Any exception is a finding: the promise is that a peer's bytes lead to a packet, an event or one typed error, that
nothing grows beyond them, and that the pieces in which they come make no difference. Each target runs under Hypothesis,
under a coverage-guided fuzzer (:mod:`mqttws.fuzz.atheris_runner`) and in a plain loop (``mqttws fuzz self``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mqttws.fuzz.targets.connection import connection_client, connection_server
from mqttws.fuzz.targets.link import link_client, link_server
from mqttws.fuzz.targets.packets import codec, dissection, framer

__all__ = [
    "TARGETS",
    "Target",
    "codec",
    "connection_client",
    "connection_server",
    "dissection",
    "framer",
    "link_client",
    "link_server",
]

Target: TypeAlias = Callable[[bytes], None]

#: All targets by the names that the command line uses.
TARGETS: Final[dict[str, Target]] = {
    "codec": codec,
    "framer": framer,
    "connection-client": connection_client,
    "connection-server": connection_server,
    "link-client": link_client,
    "link-server": link_server,
    "dissection": dissection,
}
