"""The walls of the house: who imports whom, what lies at the top, how long a file may be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
PACKAGE = HOUSE / "mqttws"

TOP_LEVEL = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "mqttws", "tests", "benchmarks"}
LONGEST_FILE = {"mqttws": 450, "tests": 600, "benchmarks": 450}  #: lines; one concern a file, read top to bottom
LONGEST_BODY = 50  #: lines of a function below its docstring; it fits a screen

WORDS = {"vocabulary", "errors", "topics", "redaction", "notes"}
CORE = WORDS | {"codec", "session", "websocket", "http", "link", "link_endings", "trace"}

#: For each room the rooms it may import, besides itself. What is not here may not be.
MAY_IMPORT: dict[str, set[str]] = {
    "vocabulary": set(),
    "redaction": set(),
    "notes": {"redaction"},
    "errors": {"vocabulary", "redaction"},
    "topics": {"vocabulary", "errors"},
    "codec": WORDS,
    "session": WORDS | {"codec"},
    "websocket": {"vocabulary", "errors", "redaction", "notes", "http"},
    "http": {"vocabulary", "errors", "redaction"},
    "trace": WORDS | {"codec", "session", "websocket", "http", "link"},
    "link_endings": {"vocabulary", "errors", "http", "websocket"},
    "link": WORDS | {"codec", "session", "websocket", "http", "link_endings"},
    "webpubsub": WORDS,
    "transport": CORE | {"webpubsub"},
    "client": CORE | {"webpubsub", "transport"},
    "endpoint": CORE | {"webpubsub", "transport"},
    "simulation": CORE | {"webpubsub", "transport", "client", "endpoint"},
    "conformance": CORE | {"webpubsub", "transport"},
    "fuzz": CORE | {"webpubsub", "transport", "conformance"},
    "pytest_plugin": CORE | {"webpubsub", "transport", "client", "endpoint", "simulation", "conformance", "fuzz"},
    "cli": CORE | {"webpubsub", "transport", "client", "endpoint", "simulation", "conformance", "fuzz"},
    "__init__": CORE | {"webpubsub", "client", "endpoint"},
    "__main__": {"cli"},
}

#: Distributions beyond the standard library, and the rooms that may import them.
THIRD_PARTY: dict[str, set[str]] = {
    "wsproto": {"websocket"},
    "h11": {"websocket", "http"},
    "jwt": {"webpubsub"},
    "trio": {"transport", "client", "endpoint", "simulation", "conformance", "fuzz", "pytest_plugin", "cli"},
    "hypothesis": {"fuzz"},
    "paho": {"conformance"},  # programs of their own, which nothing imports: other people's clients as subjects
    "aiomqtt": {"conformance"},
    "pytest": {"pytest_plugin"},
    "rich": {"cli"},
    "trustme": {"cli", "pytest_plugin"},
}

#: Those below `transport` ask nobody for the time, wait for nothing and open nothing.
BELOW_TRANSPORT = CORE | {"webpubsub"}
CLOCKS_AND_SOCKETS = {"time", "socket", "select", "selectors", "asyncio", "threading", "trio", "subprocess", "ssl"}
#: A token's life is counted in calendar time, from now unless its maker says otherwise.
CLOCK_ALLOWED = {("webpubsub", "time")}


@dataclass(frozen=True)
class Import:
    """One imported module: where it stands, and whether it is loaded with the file or when a function runs."""

    file: Path
    line: int
    module: str
    at_top: bool

    @property
    def room(self) -> str:
        """The room the importing file belongs to."""
        return room_of(self.file)

    def __str__(self) -> str:
        return f"{self.file.relative_to(HOUSE)}:{self.line} imports {self.module}"


def room_of(file: Path) -> str:
    """``codec`` for a file in that folder, ``link`` for ``link.py``."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources(folder: Path = PACKAGE) -> list[Path]:
    """Every Python file below a folder."""
    return sorted(folder.rglob("*.py"))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def is_for_type_checkers(node: ast.AST) -> bool:
    """Whether this is an ``if TYPE_CHECKING:``; what is imported below it costs nothing and binds nobody."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports_of(file: Path) -> Iterator[Import]:
    """All imports of a file, those inside functions too; relative ones are spelled out."""
    package = file.relative_to(HOUSE).parent.parts

    def walk(node: ast.AST, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(file, child.lineno, alias.name, at_top)
            elif isinstance(child, ast.ImportFrom):
                base = list(package[: len(package) - child.level + 1]) if child.level else []
                module = ".".join([*base, *filter(None, [child.module])])
                # `from mqttws import codec` imports a room by its name
                for alias in child.names if module == "mqttws" else ():
                    yield Import(file, child.lineno, f"{module}.{alias.name}", at_top)
                if module != "mqttws":
                    yield Import(file, child.lineno, module, at_top)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, at_top and not inside and not is_for_type_checkers(child))

    yield from walk(parsed(file), True)


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(found for file in sources() for found in imports_of(file))


def test_every_room_has_its_place_in_the_plan() -> None:
    assert {room_of(file) for file in sources()} <= MAY_IMPORT.keys()


def test_imports_point_downwards() -> None:
    wrong = []
    for found in all_imports():
        top, _, rest = found.module.partition(".")
        target = rest.partition(".")[0]
        # a plain `mqttws.__version__` is nobody's room
        if top == "mqttws" and target in MAY_IMPORT and target != found.room and target not in MAY_IMPORT[found.room]:
            wrong.append(str(found))
    assert not wrong


def test_the_plan_has_no_circles() -> None:
    done: set[str] = set()
    while len(done) < len(MAY_IMPORT):
        free = {room for room, below in MAY_IMPORT.items() if room not in done and below <= done}
        assert free, f"rooms that need each other: {MAY_IMPORT.keys() - done}"
        done |= free


def test_no_two_files_of_a_room_import_each_other_when_loaded() -> None:
    """A circle of modules works or fails by the order in which they are first asked for."""
    edges: dict[str, set[str]] = {module_name(file): set() for file in sources()}
    for found in all_imports():
        if found.at_top:
            edges[module_name(found.file)].add(found.module)
    done: set[str] = set()
    while len(done) < len(edges):
        free = {name for name, below in edges.items() if name not in done and (below & edges.keys()) - done <= {name}}
        assert free, f"a circle among {sorted(edges.keys() - done)}"
        done |= free


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def test_each_dependency_stays_in_its_rooms() -> None:
    wrong = []
    for found in all_imports():
        top = found.module.partition(".")[0]
        if top in ("mqttws", "__future__") or top in sys.stdlib_module_names:
            continue
        if found.room not in THIRD_PARTY.get(top, set()):
            wrong.append(str(found))
    assert not wrong


def test_nobody_below_transport_asks_for_the_time_or_the_network() -> None:
    wrong = [
        str(found)
        for found in all_imports()
        if found.room in BELOW_TRANSPORT
        and (top := found.module.partition(".")[0]) in CLOCKS_AND_SOCKETS
        and (found.room, top) not in CLOCK_ALLOWED
    ]
    assert not wrong


def test_tokens_load_their_library_when_one_is_made_or_read() -> None:
    tokens = [found for found in all_imports() if found.module.partition(".")[0] == "jwt"]
    assert tokens
    assert not [str(found) for found in tokens if found.at_top]


def test_the_pytest_plugin_costs_a_run_nothing_but_pytest() -> None:
    """pytest loads it in every run of everybody who has the package installed."""
    light = {"__future__", "pytest", "collections", "typing", "contextlib"}
    wrong = [
        str(found)
        for found in all_imports()
        if found.room == "pytest_plugin" and found.at_top
        if found.module.partition(".")[0] not in light
    ]
    assert not wrong


HEAVY = ("trio", "wsproto", "h11", "jwt", "ssl", "hypothesis", "asyncio", "rich")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("mqttws", HEAVY),
        ("mqttws.codec", HEAVY),
        ("mqttws.session", HEAVY),
        ("mqttws.webpubsub", HEAVY),
        ("mqttws.link", ("trio", "jwt", "hypothesis", "rich")),
    ],
)
def test_importing_a_room_loads_nothing_heavy(module: str, heavy: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*[name for name in {heavy!r} if name in sys.modules])"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=bare
    )
    assert run.stdout.split() == []


def tracked_names() -> set[str]:
    """The names at the top of the repository, as git lists them; an unpacked archive has no git."""
    listing = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=HOUSE, capture_output=True, text=True, timeout=60, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return set(listing.stdout.split())


def test_the_top_holds_what_the_plan_says() -> None:
    assert {name for name in tracked_names() if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("folder", LONGEST_FILE)
def test_files_are_read_in_one_sitting(folder: str) -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in sources(HOUSE / folder)}
    assert {
        str(file.relative_to(HOUSE)): lines for file, lines in lengths.items() if lines > LONGEST_FILE[folder]
    } == {}


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement on; a public function's docstring may say as much as it has to."""
    first = function.body[1:2] if ast.get_docstring(function) else function.body[:1]
    return (function.end_lineno or 0) - first[0].lineno + 1 if first else 0


def test_functions_fit_a_screen() -> None:
    long = {
        f"{file.relative_to(HOUSE)}:{node.lineno} {node.name}": length
        for file in sources()
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := body_length(node)) > LONGEST_BODY
    }
    assert long == {}


def test_nothing_is_hidden_from_coverage() -> None:
    hiding = "pragma: no" + " cover"  # in two pieces, for this very file is read too
    folders = (PACKAGE, HOUSE / "tests", HOUSE / "benchmarks")
    assert [str(file) for folder in folders for file in sources(folder) if hiding in file.read_text("utf-8")] == []


def test_no_module_is_called_like_one_of_the_standard_library() -> None:
    """Except `http` and `trace`, which lie in a package of ours and are called what they are."""
    names = {file.stem for file in sources()} | {folder.name for folder in PACKAGE.rglob("*") if folder.is_dir()}
    assert (names & set(sys.stdlib_module_names)) - {"__main__", "http", "trace"} == set()
