"""Every statement has a check or a reason, never both."""

from __future__ import annotations

import pytest

from mqttws.conformance import statements
from mqttws.conformance.reasons import REASONS, coverage
from mqttws.vocabulary import ProtocolVersion

#: Statements with a check that can fail: as many as there have to be, of how many there are.
WANTED = {ProtocolVersion.V5: (215, 251), ProtocolVersion.V3_1_1: (120, 141)}


@pytest.mark.parametrize("version", ProtocolVersion)
def test_every_statement_has_a_check_or_a_reason_and_never_both(version: ProtocolVersion) -> None:
    covered = list(coverage(version))
    assert [one.statement["id"] for one in covered] == [one["id"] for one in statements(version)]
    assert [one.statement["id"] for one in covered if bool(one.checks) == bool(one.reason)] == []
    assert all(check.version == version for one in covered for check in one.checks)


@pytest.mark.parametrize("version", ProtocolVersion)
def test_enough_statements_have_a_check(version: ProtocolVersion) -> None:
    least, of = WANTED[version]
    covered = list(coverage(version))
    assert len(covered) == of
    assert sum(bool(one.checks) for one in covered) >= least


@pytest.mark.parametrize("version", ProtocolVersion)
def test_reasons_are_one_line_about_a_statement_that_exists(version: ProtocolVersion) -> None:
    assert REASONS[version].keys() <= {one["id"] for one in statements(version)}
    for reason in REASONS[version].values():
        assert reason
        assert "\n" not in reason
        assert len(reason) < 120
