"""Seeds: the same each time, named, in the layouts that fuzzers want."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from mqttws.codec import decode
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz import corpus
from mqttws.fuzz.corpus import dictionary, export, for_target, seeds
from mqttws.fuzz.targets import TARGETS


def test_seeds_are_the_same_each_time() -> None:
    first, second = list(seeds()), list(seeds())
    assert first == second
    assert len({seed.data for seed in first}) == len(first) > 1_000
    assert len({seed.name for seed in first}) == len(first)


def test_what_a_seed_says_of_itself_is_true() -> None:
    for seed in seeds():
        try:
            decode(seed.data, seed.version, sender=seed.sender)
            taken = True
        except RemoteProtocolError:
            taken = False
        if seed.valid and not taken:
            assert "payload_format" in seed.name or "auth" in seed.name, seed
        if seed.valid is False and taken:
            assert (
                "nonminimal" in seed.name
                or "share_without_slash" in seed.name
                or "format_1" in seed.name
                or (seed.name == "v5_auth_success_without_method")
            ), seed


@pytest.mark.parametrize("wanted", ["libfuzzer", "afl"])
def test_a_file_for_each_seed_and_a_dictionary_beside(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = list(islice(seeds(), 100))
    monkeypatch.setattr(corpus, "seeds", lambda: iter(few))
    folder = tmp_path / "corpus"
    count = export(folder, wanted)  # type: ignore[arg-type]  # one of the formats
    files = list(folder.iterdir())
    assert len(files) == count == 100
    assert all(file.name.startswith("id:") for file in files) == (wanted == "afl")
    words = (tmp_path / "mqtt.dict").read_text().splitlines()
    assert r'protocol_v5="\x00\x04\x4d\x51\x54\x54\x05"' in words
    assert len(words) == len(dictionary())


def test_json_tells_the_verdicts(tmp_path: Path) -> None:
    count = export(tmp_path, "json")
    rows = json.loads((tmp_path / "corpus.json").read_text())
    assert len(rows) == count
    assert {row["valid"] for row in rows} == {True, False, None}
    assert rows[0].keys() == {"name", "hex", "version", "sender", "valid"}


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_laid_out_for_a_target(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = list(islice(seeds(), 50))
    monkeypatch.setattr(corpus, "seeds", lambda: iter(few))
    count = export(tmp_path / "x", "libfuzzer", target)
    more = [file.name for file in (tmp_path / "x").iterdir() if file.name.startswith(("frame_", "found_", "handshake"))]
    assert bool(more) == target.startswith("link")
    assert count >= len(few)
    assert for_target(few[0], target).endswith(few[0].data)
