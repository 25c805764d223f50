"""The table for a terminal."""

from __future__ import annotations

from mqttws.codec import RawPacket
from mqttws.conformance.check import Kind
from mqttws.conformance.report import Report, text_lines
from mqttws.conformance.verdict import Verdict
from mqttws.vocabulary import ProtocolVersion
from tests.conformance.report.samples import HOSTILE, report, result, transcript


def test_counts_stand_chapter_by_chapter_and_version_by_version() -> None:
    lines = list(text_lines(report()))
    assert lines[0] == "brokerware 1.2.3: server, 2026-01-31T12:00:00+00:00, seed 7"
    heads = [line.split() for line in lines if line.startswith("MQTT ")]
    assert heads[0][:3] == ["MQTT", "5.0", "passed"]
    assert heads[1] == ["MQTT", "3.1.1", "failed"]
    assert next(line for line in lines if line.startswith("3.1 CONNECT")).split()[2:] == ["1"] * 6
    assert next(line for line in lines if line.startswith("4.7 Topics")).split()[-1] == "1"
    assert "1 of 251 statements of MQTT 5.0 decided" in lines
    assert lines[-1].startswith("7 checks: 1 passed, 1 not strict, 2 failed")


def test_a_failure_says_the_rule_and_what_was_seen_and_shows_the_packets() -> None:
    text = "\n".join(text_lines(report(result(Verdict.FAILED))))
    assert "FAILED server/5.0/second_connect: A second CONNECT" in text
    assert "the rule: MQTT-3.1.0-2: " in text
    assert "what was seen: what was seen is failed" in text
    assert "client → server  CONNECT" in text
    assert "server → client  PUBLISH topic='a'" in text
    assert "MALFORMED PACKET" in text
    assert "\n  |               36 06 00 01 61 00 01 00\n" in text
    assert "→" not in "\n".join(text_lines(report(result(Verdict.FAILED)), transcripts=False))


def test_of_a_long_transcript_the_beginning_and_the_end_are_shown() -> None:
    found = result(Verdict.FAILED)
    text = "\n".join(text_lines(report(result(Verdict.FAILED, transcript=found.transcript * 20))))
    assert "lines left out" in text
    assert len(text.splitlines()) < 70


def test_openings_and_ends_are_left_out_before_packets_are() -> None:
    made = [line for version in (5, 4) for line in transcript(ProtocolVersion(version))]
    text = "\n".join(text_lines(report(result(Verdict.FAILED, transcript=(*made, *made, *made)))))
    assert "… 18 lines about openings and ends left out …" in text
    assert "HTTP response" not in text
    assert text.count("client → server  CONNECT") == 6


def test_of_a_large_wrong_packet_the_first_bytes_are_shown() -> None:
    wrong = transcript(wrong=RawPacket(0x36, b"\0\1a\0\1\0" + bytes(1_000)))
    text = "\n".join(text_lines(report(result(Verdict.FAILED, transcript=wrong))))
    assert "\n  |               36 ee 07 00 01 61 00 01 " in text
    assert text.count(" …\n") == 1


def test_a_subject_cannot_move_the_cursor() -> None:
    made = report(result(Verdict.FAILED, reason=f"it says {HOSTILE}\nand more", transcript=("nonsense\x1b",)))
    text = "\n".join(text_lines(made))
    assert "\x1b" not in text
    assert "the transcript cannot be read: line 1" in text
    assert "and more" in text


def test_a_run_without_a_check_is_told_as_such() -> None:
    empty = Report("brokerware", "", Kind.SERVER, "2026-01-31", 0, ())
    assert list(text_lines(empty)) == ["brokerware: server, 2026-01-31, seed 0", "", "0 checks: none was made"]
    assert list(text_lines(report(result())))[-1] == "1 checks: 1 passed"
