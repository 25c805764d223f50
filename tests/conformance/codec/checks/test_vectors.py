"""The checks of codecs: each can fail, none accuses whom the standard leaves free, and all vectors are asked about."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mqttws.codec import decode
from mqttws.conformance import statements, vectors
from mqttws.conformance.check import Kind, checks
from mqttws.conformance.codec import InProcess
from mqttws.conformance.codec.checks.vectors import groups
from mqttws.conformance.codec.probe import CodecProbe, examine
from mqttws.conformance.fields import fields_of
from mqttws.conformance.verdict import Result, Verdict
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import ProtocolVersion, Role


def ours(data: bytes, version: int, sender: str) -> dict[str, Any]:
    return fields_of(decode(data, version, sender=Role(sender)), version)


def results(function: Any, *only: str, limit: float = 5.0, **options: Any) -> dict[str, Result]:
    decoder = InProcess(function, name="x", refusals=[RemoteProtocolError], limit=limit)
    return {each.check: each for each in examine(CodecProbe(decoder, **options), only=only)}


def takes_all(_data: bytes, _version: int, _sender: str) -> None:
    """A decoder that has never seen a rule."""


def refuses_all(_data: bytes) -> None:
    raise RemoteProtocolError("no")


def test_our_own_codec_fails_none() -> None:
    found = results(ours)
    assert len(found) > 200
    assert {each.verdict for each in found.values()} <= {Verdict.PASSED, Verdict.NOT_STRICT}
    lax = [each for each in found.values() if each.verdict is Verdict.NOT_STRICT]
    assert all(each.reason.startswith("the standard leaves open") for each in lax)
    assert len(lax) < 5


def test_each_check_fails_somebody() -> None:
    """Whoever takes everything, or nothing."""
    lax, strict = results(takes_all), results(refuses_all)
    assert lax.keys() == strict.keys() == {check.id for check in checks(Kind.CODEC)}
    assert [name for name in lax if Verdict.FAILED not in (lax[name].verdict, strict[name].verdict)] == []


def test_every_vector_that_can_be_asked_about_alone_is_in_a_group() -> None:
    held = {vector["name"] for group in groups() for vector in group.vectors}
    left = [vector for vector in vectors() if vector["name"] not in held]
    assert all(vector["kind"] in ("stream", "fixed_header") or vector.get("ambiguous") for vector in left)
    assert len(held) > 700


def test_most_codec_statements_have_a_check() -> None:
    for version in ProtocolVersion:
        numbers = {each["id"] for each in statements(version) if each["layer"] == "codec"}
        checked = {rule for check in checks(Kind.CODEC) if check.version == version for rule in check.statements}
        assert len(numbers & checked) / len(numbers) > 0.7


def test_a_failure_shows_the_packets_and_the_bytes_of_the_first() -> None:
    found = results(takes_all, "MQTT-3.3.1-4")
    assert set(found) == {"codec/5.0/mqtt_3_3_1_4", "codec/3.1.1/mqtt_3_3_1_4"}
    reason = found["codec/5.0/mqtt_3_3_1_4"].reason
    first, packet, *_ = reason.splitlines()
    assert first.endswith("packets are taken wrongly")
    assert "accepted, and has to be refused" in packet
    assert "from the client: 36" in packet
    assert "PUBLISH" in reason.partition("\n\n")[2]
    assert "… and" in results(takes_all, "5.0/connect_property_not_allowed").popitem()[1].reason


def test_what_is_read_wrongly_or_refused_wrongly_is_told_apart() -> None:
    assert "refused, and has to be read" in results(refuses_all, "5.0/pingreq_valid").popitem()[1].reason
    wrong = results(lambda _: {"type": "PINGRESP"}, "5.0/pingreq_valid").popitem()[1].reason
    assert "read as something else (type: 'PINGRESP', not 'PINGREQ')" in wrong


def test_a_crash_fails_and_so_does_a_hang_which_is_waited_for_once() -> None:
    def crashes(_data: bytes) -> None:
        raise IndexError("oops")

    assert "fails over it (IndexError: oops)" in results(crashes, "5.0/publish_invalid").popitem()[1].reason
    began = time.monotonic()
    found = results(lambda _: time.sleep(60), "5.0/publish_invalid", limit=0.05)
    assert time.monotonic() - began < 20
    (hung,) = found.values()
    assert hung.verdict is Verdict.FAILED
    assert hung.reason.startswith("1 of 1 packets")


def test_what_the_standard_leaves_open_fails_nobody() -> None:
    def stubborn(data: bytes, version: int, sender: str) -> dict[str, Any]:
        found = ours(data, version, sender)
        if any(byte < 32 for byte in str(found.get("topic", "")).encode()):
            raise RemoteProtocolError("a control character")
        return found

    (kept,) = results(stubborn, "3.1.1/utf8").values()
    assert kept.verdict is Verdict.NOT_STRICT
    assert "refused; the text says such code points" in kept.reason


@pytest.mark.parametrize("way", ["options", "answers"])
def test_a_decoder_for_one_version_and_one_end_is_asked_about_no_other(way: str) -> None:
    asked: set[tuple[int, str]] = set()

    def decoder(data: bytes, version: int, sender: str) -> Any:
        if way == "answers" and (version, sender) != (5, "server"):
            return NotImplemented
        asked.add((version, sender))
        return ours(data, version, sender)

    options: dict[str, Any] = {"versions": [5], "senders": [Role.SERVER]} if way == "options" else {}
    found = results(decoder, **options)
    assert asked == {(5, "server")}
    assert {each.verdict for each in found.values() if each.version == 4} == {Verdict.NOT_APPLICABLE}
    assert found["codec/5.0/connect_valid"].verdict is Verdict.NOT_APPLICABLE
    assert found["codec/5.0/connack_valid"].verdict is Verdict.PASSED


def test_who_is_not_told_the_sender_is_not_held_to_rules_of_one_end() -> None:
    def blind(data: bytes, version: int) -> dict[str, Any]:
        return fields_of(decode(data, version), version)

    found = results(blind)
    assert not [name for name, each in found.items() if each.verdict is Verdict.FAILED]
    unasked = {name: each.reason for name, each in found.items() if each.verdict is Verdict.NOT_APPLICABLE}
    assert {"codec/5.0/connect_direction", "codec/5.0/mqtt_3_3_4_6", "codec/3.1.1/disconnect_direction"} <= set(unasked)
    assert set(unasked.values()) == {"it is not told who sends a packet"}
    told = results(lambda data, version, _sender: blind(data, version))
    assert [name for name, each in told.items() if each.verdict is Verdict.FAILED] == list(unasked)
