"""Scripts: written, read again, and files of others that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mqttws.fuzz.live.script import END, Layer, Moment, Script, Step

WHOLE = Script(
    "frame: cut",
    5,
    [
        Step("handshake", b"GET {target}", Layer.HTTP, awaits="101"),
        Step("CONNECT", b"\x10\x00", awaits="CONNACK"),
        Step("answer", b"\x90\x03\x00\x01\x00", pieces=1, times=3, spoiled=True, debatable=True, identifier=2),
        Step("cut", b"\x82", Layer.WIRE, spoiled=True, demand="RFC 6455, 5.2", then=END),
    ],
    Moment.SUBSCRIBE,
    30,
)


def test_a_script_survives_being_written_and_read() -> None:
    assert Script.from_json(json.loads(json.dumps(WHOLE.to_json()))) == WHOLE


def test_defaults_are_left_out() -> None:
    plain = Script("k", 4, [Step("n", b"\x01")])
    assert plain.to_json() == {"kind": "k", "version": 4, "steps": [{"note": "n", "layer": "mqtt", "hex": "01"}]}


def test_the_spoiled_step_is_the_first_of_them() -> None:
    assert WHOLE.spoiled is WHOLE.steps[2]
    assert WHOLE.with_steps(WHOLE.steps[:2]).spoiled is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version is 4 or 5, not 3"),
        ({"version": True}, "another kind of value"),
        ({"repeat": -1}, "another kind of value"),
        ({"moment": "noon"}, "noon"),
        ({"steps": None}, "another kind of value"),
        ({"steps": [7]}, "JSON objects"),
        ({"steps": [{"note": "n", "hex": ""}]}, "'layer' is missing"),
        ({"steps": [{"note": "n", "layer": "mqtt", "hex": "xx"}]}, "non-hexadecimal"),
        ({"steps": [{"note": "n", "layer": "mqtt", "hex": "", "awaits": "PARCEL"}]}, "'PARCEL' is no packet"),
        ({"steps": [{"note": "n", "layer": "mqtt", "hex": "", "then": "fly"}]}, "not 'fly'"),
        ({"steps": [{"note": "n", "layer": "mqtt", "hex": "", "times": 0}]}, "too large"),
        ({"steps": [{"note": "n", "layer": "mqtt", "hex": "00" * (1 << 20) + "00"}]}, "too large"),
        ({"steps": [{"note": "n", "layer": "mqtt", "hex": "0000", "identifier": 1}]}, "no room"),
    ],
)
def test_what_is_no_script_is_refused_with_the_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Script.from_json({"kind": "k", "version": 5, "steps": []} | change)
