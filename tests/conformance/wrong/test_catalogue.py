"""What the catalogue of wrong subjects is, and that they are caught: those by hand all, those from data by sample."""

from __future__ import annotations

import pytest

from mqttws.conformance import statements
from mqttws.conformance.check import Kind
from mqttws.conformance.wrong import catalogue_data
from mqttws.conformance.wrong.catalogue import catalogue
from mqttws.conformance.wrong.entry import Wrong
from mqttws.conformance.wrong.selftest import try_wrong

FROM_DATA = {(one.kind, one.name) for one in catalogue_data.entries()}
#: So many groups share the wrong subjects by hand, for tests that run side by side.
GROUPS = 12


def by_hand(kind: Kind) -> list[Wrong]:
    return [one for one in catalogue(kind) if (one.kind, one.name) not in FROM_DATA]


@pytest.mark.parametrize("kind", Kind)
def test_each_breaks_a_statement_that_exists(kind: Kind) -> None:
    for one in catalogue(kind):
        assert one.statements, one.name
        for version, rules in one.statements.items():
            known = {statement["id"] for statement in statements(version)}
            assert all(rule in known or ", " in rule for rule in rules), one.name


def test_names_are_words_that_a_shell_takes() -> None:
    assert all(set(one.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-") for one in catalogue())


def test_there_are_many_of_each_kind() -> None:
    assert {kind: len(catalogue(kind)) > 200 for kind in Kind} == dict.fromkeys(Kind, True)


@pytest.mark.parametrize("kind", [Kind.SERVER, Kind.CLIENT])
@pytest.mark.parametrize(
    "group", [pytest.param(group, marks=pytest.mark.whole if group % 4 else ()) for group in range(GROUPS)]
)
def test_those_by_hand_are_caught(kind: Kind, group: int) -> None:
    trials = [try_wrong(one, quick=True) for one in by_hand(kind)[group::GROUPS]]
    assert [trial.name for trial in trials if not trial.is_caught] == []
    assert [trial.accidents for trial in trials if trial.accidents] == []


@pytest.mark.parametrize("kind", Kind)
def test_those_from_data_are_caught(kind: Kind) -> None:
    chosen = [one for one in catalogue(kind) if kind is Kind.CODEC or (one.kind, one.name) in FROM_DATA]
    trials = [try_wrong(one, quick=True) for one in chosen[:: 1 if kind is Kind.CODEC else 15]]
    assert [trial.name for trial in trials if not trial.is_caught] == []
