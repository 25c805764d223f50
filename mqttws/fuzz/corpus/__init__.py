"""Seeds for fuzzers, each named for what it shows, made anew each time and always the same.

They come from the byte vectors of both standards, from the grammar (each packet small and large) and from the mutations
(each one in each packet type that it fits). What a fuzzer once found in this package stays in this folder.
Findings in other people's decoders do not belong here: they stay in the folder of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from mqttws.codec import encode
from mqttws.codec.properties import TABLE
from mqttws.conformance import vectors
from mqttws.fuzz.findings import FORMAT
from mqttws.fuzz.grammar import BUILDERS, packet_types
from mqttws.fuzz.mutations import every
from mqttws.fuzz.sources import RandomSource, ReplaySource
from mqttws.fuzz.targets.link import HANDSHAKE, binary_frame
from mqttws.vocabulary import PacketType, Role

__all__ = ["FORMATS", "Seed", "dictionary", "export", "for_target", "past_findings", "seeds"]

Format = Literal["libfuzzer", "afl", "json"]
FORMATS: Final[tuple[Format, ...]] = ("libfuzzer", "afl", "json")

#: Packets of each type that are taken from the grammar.
_PER_TYPE: Final = 4
#: Larger seeds slow every mutation of them down.
_LARGEST: Final = 1_024


@dataclass(frozen=True, slots=True)
class Seed:
    """Some bytes. ``valid`` is what a strict decoder thinks of them; None where they are not one packet."""

    name: str
    data: bytes
    version: int
    sender: Role | None
    valid: bool | None


def seeds() -> Iterator[Seed]:
    """All seeds, in the same order with the same bytes at each call; no two of them have the same bytes."""
    seen: set[bytes] = set()
    for seed in (*_from_vectors(), *_from_grammar()):
        if seed.data not in seen and len(seed.data) <= _LARGEST:
            seen.add(seed.data)
            yield seed


def _from_vectors() -> Iterator[Seed]:
    for vector in vectors():
        either = vector["direction"] == "either"
        yield Seed(
            vector["name"],
            bytes.fromhex(vector["hex"]),
            4 if vector["version"] == 4 else 5,
            None if either else Role(vector["direction"]),
            vector["valid"] if vector["kind"] == "packet" else None,
        )


def _from_grammar() -> Iterator[Seed]:
    for version in (4, 5):
        for packet_type in packet_types(version):
            name = f"v{version}_{packet_type.name.lower()}"
            simplest = encode(BUILDERS[packet_type](ReplaySource([]), version, None), version)
            yield Seed(f"{name}_simplest", simplest, version, None, True)
            for number in range(_PER_TYPE):
                source = RandomSource(f"corpus {name} {number}")
                data = encode(BUILDERS[packet_type](source, version, None), version)
                yield Seed(f"{name}_{number}", data, version, None, True)
                for spoiled in every(source, data, version):
                    yield Seed(f"{name}_{number}_{spoiled.mutation}", spoiled.data, version, spoiled.sender, False)


def past_findings(target: str) -> Iterator[tuple[str, bytes]]:
    """What was once found in this package, as inputs for the target that found it."""
    for file in sorted(resources.files(__name__).iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".json"):
            continue
        members = json.loads(file.read_text("utf-8"))
        if members["format"] == FORMAT and members["target"] == target:
            yield f"found_{file.name.removesuffix('.json')}", bytes.fromhex(members["hex"])


def for_target(seed: Seed, target: str) -> bytes:
    """The input for a target that has ``seed`` in it: such as need one get a few bytes of choices in front."""
    if target in ("codec", "dissection"):
        return seed.data
    if target == "framer":
        return bytes((2 if seed.version == 5 else 1, 0, 0, 0)) + seed.data
    if target.startswith("connection"):
        return bytes((0 if seed.version == 5 else 1, 1, 0, 0)) + seed.data
    return bytes((0, 1, 0)) + seed.data


def _wires() -> Iterator[tuple[str, bytes]]:
    """Seeds for whole wires only: a handshake, and frames of a few kinds."""
    yield "handshake", bytes((2, 0, 0)) + HANDSHAKE
    for masked in (True, False):
        kind = "masked" if masked else "unmasked"
        frame = binary_frame(bytes.fromhex("c000"), masked=masked)
        yield f"frame_{kind}", bytes((1, 1, 0)) + frame
        yield f"ping_{kind}", bytes((1, 1, 0)) + b"\x89" + frame[1:]
        yield f"close_{kind}", bytes((1, 1, 0)) + b"\x88" + frame[1:]
        yield f"fragment_{kind}", bytes((1, 1, 0)) + b"\x02" + frame[1:] + b"\x80" + frame[1:]


def dictionary() -> list[tuple[str, bytes]]:
    """Words that stand in many packets, for the dictionaries of fuzzers."""
    words = [
        ("protocol_v3_1_1", b"\0\4MQTT\4"),
        ("protocol_v5", b"\0\4MQTT\5"),
        ("share", b"$share/"),
        ("surrogate", b"\xed\xa0\x80"),
        ("overlong_null", b"\xc0\x80"),
        ("largest_varint", b"\xff\xff\xff\x7f"),
        ("five_byte_varint", b"\x80\x80\x80\x80\x01"),
        ("longest_text", b"\xff\xff"),
    ]
    words += [(f"first_byte_{each.name.lower()}", bytes((each << 4,))) for each in PacketType]
    words += [(f"property_{row.name}", bytes((row.identifier,))) for row in TABLE]
    return words


def _row(seed: Seed, data: bytes) -> str:
    sender = None if seed.sender is None else seed.sender.value
    return json.dumps(
        {"name": seed.name, "hex": data.hex(), "version": seed.version, "sender": sender, "valid": seed.valid}
    )


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def export(folder: Path, wanted: Format, target: str | None = None) -> int:
    """Write the seeds into ``folder``, which is made if it is not there; returns how many.

    ``libfuzzer`` and ``afl`` write a file for each, and ``mqtt.dict`` *beside* the folder, where neither takes it for a
    seed; ``json`` writes one file ``corpus.json`` that tells version, sender and verdict. With a ``target`` of this
    package they are laid out as that wants them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = list(seeds())
    inputs = [(seed.name, seed.data if target is None else for_target(seed, target)) for seed in known]
    if wanted == "json":
        rows = [_row(seed, data) for seed, (_, data) in zip(known, inputs, strict=True)]
        (folder / "corpus.json").write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
        return len(rows)
    if target is not None:
        inputs += [*past_findings(target), *(_wires() if target.startswith("link") else ())]
    for number, (name, data) in enumerate(inputs):
        file = name if wanted == "libfuzzer" else f"id:{number:06},orig:{name}"
        (folder / file).write_bytes(data)
    words = [f'{name}="{_escaped(word)}"\n' for name, word in dictionary()]
    (folder.parent / "mqtt.dict").write_text("".join(words), encoding="ascii")
    return len(inputs)
