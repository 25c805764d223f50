"""``python -m benchmarks.peers.amqtt_server PORT``: the broker of amqtt on a WebSocket, until standard input ends."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from benchmarks.peers import load


async def main(port: int) -> None:
    """Anybody may connect; no other plugins, so that nothing is written or published beside the work."""
    broker = load("amqtt.broker").Broker(
        {
            "listeners": {"default": {"type": "ws", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    print(json.dumps({"url": f"ws://127.0.0.1:{port}/mqtt"}), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await broker.shutdown()


if __name__ == "__main__":
    logging.getLogger().addHandler(logging.NullHandler())  # else warnings are printed, each at a price
    asyncio.run(main(int(sys.argv[1])))
