"""How long does reading many packets take, in chunks of any size, and is it linear?"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers import Reader, find_codecs
from benchmarks.timing import Contender, Metric, Sample, Settings, Table, time_work
from benchmarks.workloads import large_publish, mixed_stream
from mqttws.codec import Framer

__all__ = ["run"]

PER_PACKET = Metric("time", "us CPU per packet", 1e6)
PER_MEBIBYTE = Metric("time", "ms CPU per MiB", 1e3)


def run(settings: Settings) -> list[Table]:
    """Mixed packets in 64 KiB chunks and byte by byte; then one large PUBLISH in 16 KiB chunks: flat means linear."""
    peers, skipped = find_codecs()
    readers: dict[str, Callable[[], Reader]] = {"mqttws": _reader}
    readers |= {peer.name: peer.reader for peer in peers if peer.reader is not None}
    skipped += [f"skipped: {peer.name} has no reader of its own" for peer in peers if peer.reader is None]
    mixed = Table("streams: mixed packets of a busy client (5.0)", "mqttws", [PER_PACKET], notes=list(skipped))
    for count, size, label in ((10_000, 65_536, "64 KiB chunks"), (1_000, 1, "1 byte chunks")):
        packets = settings.count(count, 50)
        chunks = _chunks(mixed_stream(packets), size)
        contenders = [_contender(name, make, chunks, packets) for name, make in readers.items()]
        mixed.add(label, _per(time_work(contenders, settings), packets))
    large = Table("streams: one large PUBLISH in 16 KiB chunks", "mqttws", [PER_MEBIBYTE], notes=list(skipped))
    for mebibytes in (1, 2) if settings.quick else (1, 4, 16):
        chunks = _chunks(large_publish(mebibytes), 16_384)
        contenders = [_contender(name, make, chunks, 1) for name, make in readers.items()]
        large.add(f"{mebibytes} MiB", _per(time_work(contenders, settings), mebibytes))
    return [mixed, large]


def _reader() -> Reader:
    framer = Framer(5)

    def read(chunk: bytes) -> int:
        framer.receive_data(chunk)
        count = 0
        for _packet in framer.packets():
            count += 1
        return count

    return read


def _chunks(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def _contender(name: str, make: Callable[[], Reader], chunks: list[bytes], packets: int) -> Contender:
    def work(times: int) -> None:
        for _ in range(times):
            read = make()
            found = sum([read(chunk) for chunk in chunks])
            assert found == packets, f"{name} finds {found} packets of {packets}"

    work(1)
    return Contender(name, work)


def _per(samples: dict[str, list[Sample]], units: int) -> dict[str, list[Sample]]:
    return {name: [{"time": sample["time"] / units} for sample in taken] for name, taken in samples.items()}
