"""Other libraries, each behind a small adapter; one that is not installed is skipped by name.

Adapters reach into private parts where a library has no public codec. Where a release has moved those, the adapter
fails and the library is skipped with the reason: a benchmark must not break because a peer has changed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from benchmarks.workloads import CASES
from mqttws.codec import Publish, decode

__all__ = ["CODECS", "CodecPeer", "Reader", "check_codec", "find_codecs", "load"]

#: Module of the adapter, and the distribution it is for.
CODECS: Final = {
    "paho": "paho-mqtt",
    "mqttium": "mqttium",
    "ohmqtt": "ohmqtt",
    "gmqtt": "gmqtt",
    "mqtt5": "mqtt5 (Rust)",
}


class Reader(Protocol):
    """An incremental reader: takes any chunk, returns how many packets it has completed."""

    def __call__(self, chunk: bytes) -> int: ...


@dataclass(frozen=True)
class CodecPeer:
    """A codec under its own names.

    ``decoders`` take the wire bytes of a case of ``workloads`` and return the library's own object, ``encoders`` start
    from plain values and make the object on the way if the library has one. ``message`` reads topic and payload out of
    a decoded PUBLISH, for the check. ``reader`` makes an incremental reader.
    """

    name: str
    decoders: Mapping[str, Callable[[bytes], Any]]
    encoders: Mapping[str, Callable[[], bytes | bytearray]]
    message: Callable[[Any], tuple[str, bytes]]
    reader: Callable[[], Reader] | None = None


def load(module: str) -> Any:
    """Somebody else's module, of which no type checker needs to know; ImportError if it is not installed."""
    return importlib.import_module(module)


def check_codec(codec: CodecPeer) -> None:
    """Raise AssertionError unless a codec reads and writes the cases as the standard says."""
    for case in CASES:
        if (read := codec.decoders.get(case.name)) is not None:
            found = read(case.wire)
            assert found is not None, f"{codec.name} does not decode {case.name}"
            if isinstance(case.packet, Publish):
                assert codec.message(found) == (case.packet.topic, case.packet.payload), f"misreads {case.name}"
        if (write := codec.encoders.get(case.name)) is not None:
            assert decode(bytes(write())) == case.packet, f"writes something else for {case.name}"


def find_codecs() -> tuple[list[CodecPeer], list[str]]:
    """The codecs that are installed, and a line about each that is not, or does not fit."""
    found, skipped = [], []
    for module, distribution in CODECS.items():
        try:
            codec = importlib.import_module(f"{__name__}.{module}_codec").peer()
            check_codec(codec)
            found.append(codec)
        except ImportError:
            skipped.append(f"skipped: {distribution} is not installed")
        except Exception as error:  # noqa: BLE001 - whatever a release of a peer has changed
            skipped.append(f"skipped: this release of {distribution} does not fit its adapter ({error!r})")
    return found, skipped
