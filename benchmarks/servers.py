"""``python -m benchmarks.servers endpoint|stub``: says where it listens, serves until its standard input ends."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

import trio

from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws.codec import ConnAck, Connect, Publish, SubAck, Subscribe, encode
from mqttws.endpoint import open_endpoint
from mqttws.link import Link, Upgrade
from mqttws.session import Connection
from mqttws.vocabulary import QoS, Role
from mqttws.webpubsub import Roles
from mqttws.websocket import WebSocket

#: Messages in one write of the stub.
BURST = 500


async def serve_endpoint() -> None:
    """The local endpoint, with a token that may do everything."""
    async with open_endpoint() as endpoint:
        print(json.dumps({"url": endpoint.client_access_url("bench", roles=Roles.everything())}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.buffer.read)


def serve_stub() -> None:
    """Listens with plain sockets, and sends the same prepared messages again and again."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    print(json.dumps({"url": f"ws://127.0.0.1:{port}/mqtt"}), flush=True)
    threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    sys.stdin.buffer.read()


def _accept(listener: socket.socket) -> None:
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_saturate, args=(peer,), daemon=True).start()


def _saturate(peer: socket.socket) -> None:
    """See a Client in, and once it has subscribed send until it is gone."""
    connection = Connection(Role.SERVER)
    link = Link.server(connection)
    link.start(time.monotonic())
    subscribed = False
    try:
        while not subscribed:
            now = time.monotonic()
            link.receive_data(peer.recv(65_536), now)
            for event in link.events():
                if isinstance(event, Upgrade):
                    link.accept(now)
                elif isinstance(event, Connect):
                    link.send(ConnAck(), now)
                elif isinstance(event, Subscribe):
                    link.send(SubAck(event.packet_id, [QoS.AT_MOST_ONCE]), now)
                    subscribed = True
            peer.sendall(link.data_to_send(now))
        burst = _burst(int(connection.version or 5))
        while True:
            peer.sendall(burst)
    except OSError:
        return  # the Client has had enough
    finally:
        peer.close()


def _burst(version: int) -> bytes:
    """Messages as a Server frames them: each packet in a WebSocket message of its own, as mosquitto does."""
    packet = encode(Publish(MESSAGE_TOPIC, payload_of(128)), version)
    client = WebSocket.client(host="localhost", target="/")
    server = WebSocket.server()
    server.receive_data(client.data_to_send())
    server.accept()
    server.data_to_send()
    for _ in range(BURST):
        server.send_message(packet)
    return server.data_to_send()


if __name__ == "__main__":
    if sys.argv[1] == "endpoint":
        trio.run(serve_endpoint)
    else:
        serve_stub()
