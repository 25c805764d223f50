"""amqtt's server with a WebSocket listener on a port of 127.0.0.1; it lets everybody in, and is ended from outside."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from amqtt.broker import Broker

_PORT = int(sys.argv[1])
_CONFIGURATION: dict[str, Any] = {
    "listeners": {"default": {"type": "ws", "bind": f"127.0.0.1:{_PORT}", "max_connections": 1000}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


async def main() -> None:
    """Serve for ever."""
    logging.basicConfig(level=logging.ERROR)
    await Broker(_CONFIGURATION).start()
    await asyncio.Event().wait()


asyncio.run(main())
