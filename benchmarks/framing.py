"""What does a WebSocket message cost, in and out, against wsproto by itself?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage

from benchmarks.timing import Contender, Metric, Sample, Settings, Table, time_work
from benchmarks.workloads import payload_of
from mqttws.websocket import WebSocket

__all__ = ["run"]

MICROSECONDS = Metric("time", "us CPU per message", 1e6)
CHUNK: Final = 65_536

#: Takes a chunk of bytes, gives the messages in it.
Read = Callable[[bytes], list[Any]]
#: Takes a payload, gives the bytes of its frame.
Write = Callable[[bytes], bytes]


def run(settings: Settings) -> list[Table]:
    """Whole binary messages; received ones come packed in chunks of 64 KiB, as from a busy socket."""
    tables = []
    for size in (128, 16_384):
        count = settings.count(max(16, 262_144 // size), 4)
        table = Table(f"framing: messages of {size} bytes", "mqttws", [MICROSECONDS])
        payload = payload_of(size)
        for role in (ConnectionType.CLIENT, ConnectionType.SERVER):
            name = role.name.lower()
            table.add(f"{name} receives", _receiving(role, payload, count, settings))
            table.add(f"{name} sends", _sending(role, payload, count, settings))
        tables.append(table)
    return tables


def _receiving(role: ConnectionType, payload: bytes, count: int, settings: Settings) -> dict[str, list[Sample]]:
    other = ConnectionType.SERVER if role is ConnectionType.CLIENT else ConnectionType.CLIENT
    write = _wsproto_writer(other)
    stream = b"".join(write(payload) for _ in range(count))
    chunks = [stream[start : start + CHUNK] for start in range(0, len(stream), CHUNK)]

    def contender(name: str, read: Read) -> Contender:
        def work(times: int) -> None:
            for _ in range(times):
                size = sum([sum(map(len, read(chunk))) for chunk in chunks])
                assert size == count * len(payload), f"{name} loses bytes"

        return Contender(name, work)

    contenders = [
        contender("mqttws", _reader(role, fast_path=True)),
        contender("mqttws, no fast path", _reader(role, fast_path=False)),
        contender("wsproto", _wsproto_reader(role)),
    ]
    return _per(time_work(contenders, settings), count)


def _sending(role: ConnectionType, payload: bytes, count: int, settings: Settings) -> dict[str, list[Sample]]:
    read = _wsproto_reader(ConnectionType.SERVER if role is ConnectionType.CLIENT else ConnectionType.CLIENT)

    def contender(name: str, write: Write) -> Contender:
        assert b"".join(read(write(payload))) == payload, f"{name} writes something else"

        def work(times: int) -> None:
            for _ in range(times * count):
                write(payload)

        return Contender(name, work)

    contenders = [
        contender("mqttws", _writer(role, fast_path=True)),
        contender("mqttws, no fast path", _writer(role, fast_path=False)),
        contender("wsproto", _wsproto_writer(role)),
    ]
    return _per(time_work(contenders, settings), count)


def _open(role: ConnectionType, *, fast_path: bool) -> WebSocket:
    """One end of a WebSocket whose handshake is over."""
    client = WebSocket.client(host="localhost", target="/mqtt", subprotocols=("mqtt",), fast_path=fast_path)
    server = WebSocket.server(fast_path=fast_path)
    server.receive_data(client.data_to_send())
    server.accept(("mqtt",))
    client.receive_data(server.data_to_send())
    client.events()
    server.events()
    return client if role is ConnectionType.CLIENT else server


def _reader(role: ConnectionType, *, fast_path: bool) -> Read:
    websocket = _open(role, fast_path=fast_path)

    def read(chunk: bytes) -> list[Any]:
        websocket.receive_data(chunk)
        return [event if type(event) is bytes else getattr(event, "data", b"") for event in websocket.events()]

    return read


def _writer(role: ConnectionType, *, fast_path: bool) -> Write:
    websocket = _open(role, fast_path=fast_path)

    def write(payload: bytes) -> bytes:
        websocket.send_message(payload)
        return websocket.data_to_send()

    return write


def _wsproto_reader(role: ConnectionType) -> Read:
    connection = Connection(role)

    def read(chunk: bytes) -> list[Any]:
        connection.receive_data(chunk)
        return [getattr(event, "data", b"") for event in connection.events()]

    return read


def _wsproto_writer(role: ConnectionType) -> Write:
    connection = Connection(role)

    def write(payload: bytes) -> bytes:
        return connection.send(BytesMessage(payload))

    return write


def _per(samples: dict[str, list[Sample]], count: int) -> dict[str, list[Sample]]:
    return {name: [{"time": sample["time"] / count} for sample in taken] for name, taken in samples.items()}
