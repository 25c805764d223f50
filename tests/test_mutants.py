"""The tool that spoils the package: its operators, its verdicts, and a slice of mutants that must die in every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.__main__ import files_of, gathered, main, summary
from tests.mutants.equivalents import EQUIVALENTS, Equivalent, reason_of
from tests.mutants.operators import OPERATORS, Mutant, mutants_of
from tests.mutants.trial import HOUSE, SuiteIsRed, Trial, Verdict, judges_of

#: For each operator: a file, and all it becomes under that operator.
EXAMPLES = [
    ("boundary", "x = a < b", ["x = (a <= b)"]),
    ("boundary", "x = 0 <= a > b", ["x = (0 < a > b)", "x = (0 <= a >= b)"]),
    ("boundary", "x = a == b", []),
    ("comparison", "x = a < b", ["x = (a >= b)"]),
    ("comparison", "x = a is not None", ["x = (a is None)"]),
    ("comparison", "x = a in b", ["x = (a not in b)"]),
    ("logic", "x = a and b", ["x = (a or b)"]),
    ("operand", "x = a or b or c", ["x = (b or c)", "x = (a or c)", "x = (a or b)"]),
    ("negation", "x = not a", ["x = (a)"]),
    ("negation", "x = -a", ["x = (a)"]),
    ("arithmetic", "x = a + b * c", ["x = (a - b * c)", "x = a + (b // c)"]),
    ("arithmetic", "x %= 3", ["x *= 3"]),
    ("bits", "x = a << 8 | b", ["x = (a << 8 & b)", "x = (a >> 8) | b"]),
    ("number", "x = 5", ["x = (6)", "x = (4)"]),
    ("truth", "x = True", ["x = False"]),
    ("word", "x = 'qos'", ["x = 'qos~'"]),
    ("word", r"x = b'\0'", [r"x = b'\x01'"]),
    ("word", "x = b''", ["x = b'~'"]),
    ("return", "def f(): return a", ["def f(): return None"]),
    ("return", "def f(): return None", []),
    ("statement", "a.b()", ["pass"]),
    ("statement", "raise a", ["pass"]),
    ("statement", "a.b = c", ["pass"]),
    ("statement", "a[b]: int = c", []),
    ("statement", "a.b: int = c", ["pass"]),
    ("statement", "del a[b]", ["pass"]),
    ("statement", "a += 1", ["pass"]),
    ("statement", "a = b", []),
    ("condition", "if a: b", ["if True: b", "if False: b"]),
    ("condition", "while a: b", ["while False: b"]),
    ("condition", "while True: b", []),
    ("condition", "x = b if a else c", ["x = b if True else c", "x = b if False else c"]),
    ("condition", "x = [a for a in b if c]", ["x = [a for a in b if True]", "x = [a for a in b if False]"]),
    ("row", "x = {a: b, **c}", ["x = {**c}", "x = {a: b}"]),
    ("row", "x = (a, b, c)", ["x = (b, c)", "x = (a, c)", "x = (a, b)"]),
    ("row", "def f(): x = (a, b)", []),
    ("slice", "x = a[b:c]", ["x = a[b + 1:c]", "x = a[:c]", "x = a[b:c - 1]", "x = a[b:]"]),
    ("loop", "for a in b: break", ["for a in b: continue"]),
    ("handler", "try: a\nexcept E: b", ["try: a\nexcept E: raise"]),
    ("handler", "try: a\nexcept E: raise", []),
    ("extreme", "x = min(a, b)", ["x = max(a, b)"]),
]

SILENT = [
    pytest.param('"""one"""', id="docstring"),
    pytest.param("def f(a: 'one') -> 'two': '''three'''", id="annotation"),
    pytest.param("A: TypeAlias = 'B'", id="type alias"),
    pytest.param("@a(slots=True)\nclass A: ...", id="decorator"),
    pytest.param("assert a is not None", id="assert"),
    pytest.param("__all__ = ['a', 'b']\n__slots__ = ('a', 'b')", id="names"),
    pytest.param("def __repr__(self): return 'a'", id="repr"),
    pytest.param("@overload\ndef f(a=5): ...", id="overload"),
    pytest.param("from a import b", id="import"),
    pytest.param("x = f'{a + 1}{b}'", id="f-string"),
    pytest.param("x = 'runs past the end'", id="message"),
    pytest.param("x = cast('A', a)", id="cast"),
    pytest.param("if TYPE_CHECKING: a = 1", id="type checking"),
]


def texts(source: str, operator: str | None = None) -> list[str]:
    """What a file becomes."""
    data = source.encode()
    return [item.apply(data).decode() for item in mutants_of(data, "a.py") if operator in (None, item.operator)]


@pytest.mark.parametrize(("operator", "source", "spoilt"), EXAMPLES)
def test_an_operator_makes_these_and_no_others(operator: str, source: str, spoilt: list[str]) -> None:
    assert sorted(texts(source, operator)) == sorted(spoilt)


def test_every_operator_has_an_example() -> None:
    assert {operator for operator, _, spoilt in EXAMPLES if spoilt} == set(OPERATORS)


@pytest.mark.parametrize("source", SILENT)
def test_what_is_no_behaviour_stays_as_it_is(source: str) -> None:
    assert texts(source) == []


def test_a_mutant_says_where_it_is_and_what_it_changes() -> None:
    source = b"'''Gr\xc3\xbc\xc3\x9fe'''\n\nif (a and\n    '\xc3\xbc' in b):\n    c()\n"
    (mutant,) = [item for item in mutants_of(source, "a.py") if item.operator == "comparison"]
    assert str(mutant) == "a.py:4: comparison: 'ü' in b → ('ü' not in b)"
    assert (mutant.scope, mutant.text) == ("", "'ü' in b):")
    assert mutant.apply(source) == source.replace("'ü' in b".encode(), "('ü' not in b)".encode())


def test_a_mutant_knows_the_function_it_is_in() -> None:
    scopes = [item.scope for item in mutants_of(b"class A:\n  def f(a=1):\n    def g(): b()\n    c()\n", "a.py")]
    assert scopes == ["A.f", "A.f", "A.f.g", "A.f"]


@pytest.mark.parametrize("file", ["mqttws/codec/publish.py", "mqttws/session/exchanges.py"])
def test_each_mutant_of_a_file_is_another_text(file: str) -> None:
    source = (HOUSE / file).read_bytes()
    spoilt = [mutant.apply(source) for mutant in all_of(file)]
    assert len(spoilt) > 200
    assert len({source, *spoilt}) == 1 + len(spoilt)


class TestEquivalents:
    @pytest.mark.parametrize("entry", EQUIVALENTS, ids=lambda entry: f"{entry.scope}: {entry.change}")
    def test_each_is_still_one_mutant_of_its_file_and_says_why(self, entry: Equivalent) -> None:
        assert sum(map(entry.matches, mutants_of((HOUSE / entry.file).read_bytes(), entry.file))) == 1
        assert len(entry.reason.split()) > 3

    def test_they_are_left_out_and_counted(self) -> None:
        alive, equivalent, everything = gathered(["mqttws/session/states.py"], None, 0)
        assert equivalent == sum(entry.file == "mqttws/session/states.py" for entry in EQUIVALENTS) > 0
        assert len(alive) == everything - equivalent
        assert all(reason_of(mutant) is None for mutant in alive)


def all_of(file: str) -> list[Mutant]:
    return mutants_of((HOUSE / file).read_bytes(), file)


def test_the_same_seed_draws_the_same_sample() -> None:
    files = files_of(["session"])
    (first, _, everything), (second, _, _), (other, _, _) = (gathered(files, 20, seed) for seed in (1, 1, 2))
    assert first == second != other
    assert everything > 500


def test_the_tests_that_mirror_a_file_go_first_and_the_rest_of_its_room_follows() -> None:
    first, *rest = judges_of("mqttws/codec/publish.py")
    assert first == "tests/codec/test_publish.py"
    assert {*rest} == {f"tests/codec/{path.name}" for path in (HOUSE / "tests/codec").glob("test_*.py")} - {first}
    assert (rest[0], rest[-1]) == ("tests/codec/test_vectors.py", "tests/codec/test_walk.py")
    assert judges_of("mqttws/session/store.py")[-1] == "tests/session/test_machine.py"
    assert judges_of("mqttws/topics.py") == ["tests/test_topics.py"]


def test_the_report_counts_by_file_and_names_survivors() -> None:
    one, two, three = mutants_of(b"x = a < b\nreturn_ = 5", "a.py")[:3]
    report = summary([Verdict(one, "killed", "t"), Verdict(two, "timeout"), Verdict(three, "survived")])
    assert report["files"] == {"a.py": {"killed": 1, "timeout": 1, "survived": 1}}
    assert (report["tried"], report["died"]) == (3, 2)
    assert report["survivors"] == [{"place": "a.py:2", "operator": "number", "before": "5", "after": "(6)"}]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A project of one function, one strong test and one that hangs if the function does not help."""
    (tmp_path / "mqttws").mkdir()
    (tmp_path / "mqttws" / "__init__.py").write_text("")
    (tmp_path / "mqttws" / "pytest_plugin.py").write_text("")  # what pytest loads if the real package is installed
    (tmp_path / "mqttws" / "steps.py").write_text("UNUSED = 7\n\n\ndef step(n):\n    return n - 1\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_steps.py").write_text(
        "from mqttws.steps import step\n\n\n"
        "def test_steps_lead_to_zero():\n    n = 3\n    while n:\n        n = step(n)\n    assert n == 0\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nfilterwarnings = ['error']\n")
    return tmp_path


def of_tiny(root: Path, change: str) -> Mutant:
    """One mutant of the small project, by what it changes."""
    source = (root / "mqttws" / "steps.py").read_bytes()
    return next(item for item in mutants_of(source, "mqttws/steps.py") if item.change == change)


def test_mutants_are_killed_or_survive_or_hang_and_the_sources_stay_as_they_are(tiny: Path) -> None:
    source = (tiny / "mqttws" / "steps.py").read_bytes()
    tests = judges_of("mqttws/steps.py", tiny)
    with Trial.opened(tiny, grace=0.5) as trial:
        killed = trial.judge(of_tiny(tiny, "return n - 1 → return None"), tests)
        hung = trial.judge(of_tiny(tiny, "n - 1 → (n + 1)"), tests)
        survivor = trial.judge(of_tiny(tiny, "7 → (8)"), tests)
        assert (trial.copy / "mqttws" / "steps.py").read_bytes() == source
        place = trial.copy
    assert (killed.outcome, killed.by) == ("killed", "tests/test_steps.py::test_steps_lead_to_zero")
    assert (hung.outcome, survivor.outcome) == ("timeout", "survived")
    assert [item.died for item in (killed, hung, survivor)] == [True, True, False]
    assert (tiny / "mqttws" / "steps.py").read_bytes() == source
    assert not place.exists()


def test_a_suite_that_fails_without_a_mutant_proves_nothing(tiny: Path) -> None:
    mutant = of_tiny(tiny, "7 → (8)")
    (tiny / "tests" / "test_steps.py").write_text("def test_red():\n    assert False\n")
    with Trial.opened(tiny) as trial, pytest.raises(SuiteIsRed, match="test_red without any mutant"):
        trial.judge(mutant, ["tests/test_steps.py"])


VECTORS = "tests/codec/test_publish.py::test_vectors_in_both_directions"
REFUSALS = "tests/codec/test_publish.py::test_what_the_standard_forbids_is_refused"
KEEP_ALIVE = "tests/session/test_keepalive.py"

#: Mutants that must die, by file, what changes, and the tests that are to notice.
SLICE = [
    ("mqttws/codec/publish.py", "length += 2 → pass", VECTORS),
    ("mqttws/codec/publish.py", "first += 8 → pass", VECTORS),
    ("mqttws/codec/publish.py", "not packet_id → False", REFUSALS),
    ("mqttws/codec/ping.py", "return PingReq() → return None", "tests/codec/test_ping.py"),
    ("mqttws/session/keepalive.py", "1.5 → (2.5)", KEEP_ALIVE),
    ("mqttws/session/keepalive.py", "min → max", KEEP_ALIVE),
]


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    """A copy of this project."""
    with Trial.opened() as opened:
        yield opened


@pytest.mark.parametrize(("file", "change", "tests"), SLICE)
def test_a_few_known_mutants_die(trial: Trial, file: str, change: str, tests: str) -> None:
    mutant = next(item for item in all_of(file) if item.change == change)
    verdict = trial.judge(mutant, [tests])
    assert verdict.outcome == "killed"
    assert verdict.by.startswith(tests)


def test_the_command_reports_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mqttws/session/aliases.py", "--sample", "0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["tried"], report["died"], report["survivors"]) == (0, 0, [])


@pytest.mark.whole
def test_the_command_says_for_people_how_many_died(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mqttws/codec/ping.py", "--sample", "1"]) == 0
    assert "1 of 1 mutants died: 100.0%" in capsys.readouterr().out
