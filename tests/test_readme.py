"""The README does what it says: its Python blocks run in order, and so do its commands that are marked.

A block in ``python`` fences is run as a program of its own in an empty folder, unless ``<!-- not run: why -->`` stands
right before it, or ``<!-- recipe -->``: tests/interop/test_recipes.py runs those, against servers. A block in ``sh``
fences is run where ``<!-- run -->`` stands before it, as one script that its first failing command ends: line by line
would lose what a shell keeps between lines. The block after ``<!-- test-command -->`` is what ``.ci/run`` executes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK_SECONDS = 60.0

FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block, the line of its opening fence, and what the comment right before it says."""

    language: str
    text: str
    line: int
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.language or 'text'} at line {self.line}"


def blocks_of(markdown: str) -> list[Block]:
    """All fenced blocks in order."""
    return [
        Block(
            found["language"],
            found["text"],
            markdown.count("\n", 0, found.start("language")) + 1,
            found["mark"] or "",
        )
        for found in FENCE.finditer(markdown)
    ]


BLOCKS = blocks_of(README.read_text(encoding="utf-8")) if README.exists() else []


def is_python(block: Block) -> bool:
    return block.language == "python" and not block.mark.startswith(("not run: ", "recipe"))


def is_command(block: Block) -> bool:
    return block.language == "sh" and block.mark == "run"


def run(command: list[str], folder: Path) -> None:
    """Run a program to its end in ``folder``; a session of its own lets everything it started end with it."""
    environment = os.environ | {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=BLOCK_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"still running after {BLOCK_SECONDS} s; it had printed:\n{output}")
    assert process.returncode == 0, output


@pytest.mark.parametrize("block", [block for block in BLOCKS if is_python(block)], ids=str)
def test_python_blocks_run(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text("\n" * block.line + block.text, encoding="utf-8")  # a traceback names the README's lines
    run([sys.executable, "-W", "error", str(program)], tmp_path)


@pytest.mark.parametrize("block", [block for block in BLOCKS if is_command(block)], ids=str)
def test_marked_commands_run(block: Block, tmp_path: Path) -> None:
    run(["bash", "-euo", "pipefail", "-c", block.text], tmp_path)


def test_the_readme_shows_all_of_it() -> None:
    """The two kinds of block are there, and the two commands of a fresh machine: without them this file tests air."""
    assert sum(map(is_python, BLOCKS)) >= 3
    assert any(map(is_command, BLOCKS))
    assert [block.mark for block in BLOCKS if block.mark.endswith("-command")] == ["quickstart-command", "test-command"]


SAMPLE = """\
<!-- not run: needs a service -->
```python
first
```
text
```python
second
```

<!-- run -->

```sh
third
```
"""


def test_blocks_are_found_with_their_marks_and_lines() -> None:
    found = [(block.language, block.text, block.line, block.mark) for block in blocks_of(SAMPLE)]
    assert found == [
        ("python", "first\n", 2, "not run: needs a service"),
        ("python", "second\n", 6, ""),
        ("sh", "third\n", 12, "run"),
    ]
    assert [is_python(block) for block in blocks_of(SAMPLE)] == [False, True, False]


def test_a_block_that_fails_fails_its_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="out of order"):
        run([sys.executable, "-c", "raise SystemExit('out of order')"], tmp_path)
