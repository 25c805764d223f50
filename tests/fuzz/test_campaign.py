"""Campaigns against decoders that are right, lenient, strict, forgetful, fragile or slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from mqttws import codec
from mqttws.conformance.codec import InProcess
from mqttws.conformance.fields import fields_of
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.adapters import own
from mqttws.fuzz.campaign import CampaignReport, replay, run_campaign
from mqttws.fuzz.findings import Finding
from mqttws.vocabulary import Role


def decoder(decode: Callable[..., Any], limit: float = 5.0) -> InProcess:
    return InProcess(decode, name="under test", refusals=[RemoteProtocolError], limit=limit)


def test_our_own_decoder_has_no_findings() -> None:
    report = run_campaign(decoder(own.decode), count=2_500, seed=5)
    assert report.findings == []
    assert report.inputs.total() == 2_500
    assert min(report.inputs.values()) > 50
    assert set(report.verdicts) == {"accepted", "refused"}


def test_a_decoder_that_forgets_a_rule_is_found_out() -> None:
    def lenient(data: bytes, version: int, sender: str) -> Any:
        try:
            codec.decode(data, version, sender=Role(sender))
        except RemoteProtocolError as error:
            if error.statement != "MQTT-3.1.2-12":
                raise

    report = run_campaign(decoder(lenient), count=6_000, seed=1, versions=[5], senders=[Role.CLIENT])
    assert {finding.kind for finding in report.findings} == {"wrong-accept"}
    assert {finding.statement for finding in report.findings} == {"MQTT-3.1.2-12"}
    made = [finding for finding in report.findings if finding.mutation == "will-qos-3"]
    assert len(made) == 1
    assert len(made[0].data) <= 30  # made smaller
    assert made[0].original is not None
    assert report.wrong["wrong-accept"] > len(report.findings)


def test_a_decoder_that_is_too_strict_is_found_out() -> None:
    def strict(data: bytes, version: int, sender: str) -> Any:
        packet = codec.decode(data, version, sender=Role(sender))
        if getattr(packet, "dup", False):
            raise RemoteProtocolError("never heard of DUP")

    report = run_campaign(decoder(strict), count=1_500, seed=1, versions=[4])
    assert {finding.kind for finding in report.findings} == {"wrong-reject"}
    assert all(finding.data[0] & 8 for finding in report.findings)


def test_a_decoder_that_reads_something_else_is_found_out() -> None:
    def wrong(data: bytes, version: int, sender: str) -> Any:
        fields = fields_of(codec.decode(data, version, sender=Role(sender)), version)
        if "keep_alive" in fields:
            fields["keep_alive"] = fields["keep_alive"] & 0xFF
        return fields

    report = run_campaign(decoder(wrong), count=2_000, seed=1, senders=[Role.CLIENT])
    assert {finding.kind for finding in report.findings} == {"wrong-fields"}
    assert "keep_alive" in report.findings[0].answer


def test_crashes_are_told_apart_by_what_they_say() -> None:
    def fragile(data: bytes, _version: int, _sender: str) -> Any:
        if data[0] >> 4 == 3:
            raise IndexError("out of range")
        if data[0] >> 4 == 8:
            raise KeyError(data[0])
        raise RemoteProtocolError("no")

    found: list[Finding] = []
    report = run_campaign(decoder(fragile), count=900, seed=1, versions=[5], senders=[Role.CLIENT], found=found.append)
    assert found == report.findings
    crashes = [finding for finding in report.findings if finding.kind == "crash"]
    assert sorted(finding.answer.split()[1] for finding in crashes) == ["IndexError:", "KeyError:"]


def test_a_decoder_that_hangs_is_a_finding_with_few_attempts() -> None:
    asked = []

    def slow(data: bytes, version: int, sender: str) -> Any:
        if data[0] >> 4 == 10:
            asked.append(data)
            time.sleep(60)
        return own.decode(data, version, sender)

    report = run_campaign(decoder(slow, limit=0.02), count=900, seed=1, versions=[4], senders=[Role.CLIENT])
    assert [finding.kind for finding in report.findings] == ["hang"]
    assert len(asked) < 100


def test_a_failure_that_comes_and_goes_is_kept_as_it_was() -> None:
    seen: set[bytes] = set()

    def moody(data: bytes, version: int, sender: str) -> Any:
        if data[0] >> 4 == 1 and data not in seen:
            seen.add(data)
            raise ZeroDivisionError
        return own.decode(data, version, sender)

    report = run_campaign(decoder(moody), count=1_400, seed=1, versions=[5], senders=[Role.CLIENT])
    assert {finding.kind for finding in report.findings} == {"crash"}


def test_time_is_a_bound_too_and_progress_is_told() -> None:
    told: list[CampaignReport] = []
    report = run_campaign(decoder(own.decode), seconds=1.3, progress=told.append)
    assert told
    assert report.seconds >= 1.3
    with pytest.raises(ValueError, match="a count or a time"):
        run_campaign(decoder(own.decode))


def test_findings_stop_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.fuzz.campaign._MOST", 3)
    report = run_campaign(decoder(lambda *_: None), count=1_300, seed=1)
    assert len(report.findings) == 3
    assert report.wrong["wrong-accept"] > 300


def test_a_finding_is_tried_again() -> None:
    report = run_campaign(decoder(lambda *_: None), count=200, seed=1)
    finding = report.findings[0]
    assert replay(finding, decoder(lambda *_: None))[1] == "wrong-accept"
    assert replay(finding, decoder(own.decode))[1] is None
    assert replay(finding, decoder(lambda *_: NotImplemented))[1] is None
