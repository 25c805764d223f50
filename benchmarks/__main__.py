"""``python -m benchmarks [question ...] [--rounds N] [--quick] [--json] [--node-packages FOLDER]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import codec, end_to_end, fanout, framing, memory, startup, store, storm, streams
from benchmarks.timing import Settings, machine

QUESTIONS = {
    "codec": codec.run,
    "streams": streams.run,
    "framing": framing.run,
    "end-to-end": end_to_end.run,
    "fanout": fanout.run,
    "storm": storm.run,
    "store": store.run,
    "memory": memory.run,
    "startup": startup.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the questions, print a table for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").strip())
    parser.add_argument("question", nargs="*", help=f"one of {', '.join(QUESTIONS)}; all of them by default")
    parser.add_argument("--rounds", type=int, help="how often everybody takes a turn (default: 7; end-to-end: 3)")
    parser.add_argument("--quick", action="store_true", help="one round of next to nothing: does everything run?")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument(
        "--node-packages",
        type=Path,
        metavar="FOLDER",
        default=os.environ.get("MQTTWS_NODE_PACKAGES") or None,
        help="what holds node_modules with aedes and ws (default: MQTTWS_NODE_PACKAGES)",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.question if name not in QUESTIONS]
    if unknown or (options.rounds is not None and options.rounds < 1):
        parser.error(f"no such question: {', '.join(unknown)}" if unknown else "--rounds is at least 1")
    tables = []
    if not options.json:
        print(machine(), end="\n\n", flush=True)
    for name in options.question or QUESTIONS:
        rounds = options.rounds or (1 if options.quick else 3 if name == "end-to-end" else 7)
        for table in QUESTIONS[name](Settings(rounds, options.quick, options.node_packages)):
            tables.append(table)
            if not options.json:
                print(table.render(), flush=True)
    if options.json:
        print(json.dumps({"machine": machine(), "tables": [table.as_json() for table in tables]}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
