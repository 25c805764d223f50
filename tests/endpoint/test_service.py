"""The table of limits and open choices."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.endpoint import Origin, Service, settings_of, unproven


def test_every_setting_says_what_it_means_and_where_it_comes_from() -> None:
    rows = list(settings_of(Service()))
    assert len(rows) > 30
    for row in rows:
        assert row.meaning, row
        assert isinstance(row.origin, Origin)
        assert row.value == row.default
        assert (row.row == "-") <= (row.origin is Origin.OURS), row


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allow_underscore", False),
        ("client_id_length", 128),
        ("keep_alive_maximum", 180),
        ("will_payload_limit", 2000),
        ("topic_length", 1024),
        ("session_expiry_maximum", 30),
        ("maximum_packet_size", 1_048_576),
        ("v3_refusal_code", 3),
        ("queue_messages", 1000),
        ("queue_bytes", 16_777_216),
        ("clock_skew", 300.0),
        ("will_permission", True),
    ],
)
def test_defaults_are_those_of_the_contract(name: str, value: object) -> None:
    assert getattr(Service(), name) == value


def test_unproven_choices_are_listed_and_documented_ones_are_not() -> None:
    names = {setting.name for setting in unproven(Service())}
    assert {"v3_refusal_code", "wildcard_answer", "clock_skew", "queue_messages", "lenient_audience"} <= names
    assert not {"allow_underscore", "keep_alive_maximum", "handshake_timeout"} & names


def test_a_setting_is_changed_by_its_name() -> None:
    assert Service().changed(allow_underscore=True).allow_underscore
    assert Service().changed() == Service()


def test_an_unknown_setting_is_refused_with_the_name_that_was_meant() -> None:
    with pytest.raises(TypeError, match="did you mean 'allow_underscore'"):
        Service().changed(allow_underscores=True)
    with pytest.raises(TypeError, match=r"no setting 'zzz'$"):
        Service().changed(zzz=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allow_underscore", 1),
        ("client_id_length", True),
        ("client_id_length", 0),
        ("client_id_length", 65_536),
        ("client_id_length", "5"),
        ("group_qos", 3),
        ("wildcard_answer", "shrug"),
        ("clock_skew", -1.0),
        ("clock_skew", float("nan")),
        ("origins", ["https://example.org"]),
        ("v3_refusal_code", 6),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Service(**{name: value})


def test_whole_numbers_do_for_times() -> None:
    assert Service(clock_skew=5).clock_skew == 5


def test_origins_are_a_frozenset() -> None:
    assert Service(origins=frozenset({"https://example.org"})).origins


def test_the_rule_for_client_ids_reads_as_a_pattern() -> None:
    assert Service().client_id_rule == "[0-9A-Za-z]{1,128}"
    assert Service(allow_underscore=True, client_id_length=23).client_id_rule == "[0-9A-Za-z_]{1,23}"
