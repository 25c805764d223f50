"""Run one target under atheris (libFuzzer for Python), guided by the coverage of this package.

``python -m mqttws.fuzz.atheris_runner codec --seconds 1200 --corpus DIR``; what follows ``--`` goes to libFuzzer as it
is. atheris comes from the Python Package Index and is no dependency; it has wheels for some Pythons only. Exit status:
0 nothing found, 2 no atheris or wrong usage, anything else a finding (a file in the folder of findings).
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["arguments_for_libfuzzer", "main", "mutator"]


def main(argv: list[str] | None = None) -> int:
    """Set up and start; libFuzzer ends the process when it is done, so this returns only if it cannot begin."""
    args, rest = _parser().parse_known_args(argv)
    try:
        atheris: Any = import_module("atheris")
    except ImportError as error:
        print(f"atheris cannot be loaded: {error}", file=sys.stderr)
        return 2
    # What is loaded in this block is instrumented: this package and what its wires are made of.
    with atheris.instrument_imports(include=["mqttws", "wsproto", "h11"]):
        targets = import_module("mqttws.fuzz.targets").TARGETS
        corpus = import_module("mqttws.fuzz.corpus")
    if args.target not in targets:
        print(f"no target {args.target!r}; there are {', '.join(targets)}", file=sys.stderr)
        return 2
    Path(args.findings).mkdir(parents=True, exist_ok=True)
    if args.corpus:
        corpus.export(Path(args.corpus), "libfuzzer", args.target)
    options = arguments_for_libfuzzer(args, [each for each in rest if each != "--"])
    atheris.Setup([sys.argv[0], *options], targets[args.target], custom_mutator=mutator(atheris, args.target))
    atheris.Fuzz()
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m mqttws.fuzz.atheris_runner", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", help="name of a target, as for mqttws fuzz self")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--count", type=int, help="stop after so many inputs")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer's choices (0: another one each time)")
    parser.add_argument("--corpus", help="a folder for what is learned; seeds are put into it")
    parser.add_argument("--findings", default="findings", help="a folder for inputs that fail (default: findings)")
    return parser


def arguments_for_libfuzzer(args: Namespace, rest: list[str]) -> list[str]:
    """Our options as libFuzzer spells them: bounds, five seconds and 2 GiB at most for an input, and the corpus."""
    options = ["-timeout=5", "-rss_limit_mb=2048", "-max_len=4096", f"-artifact_prefix={args.findings}/"]
    if args.seconds is not None:
        options.append(f"-max_total_time={max(1, round(args.seconds))}")
    if args.count is not None:
        options.append(f"-runs={args.count}")
    if args.seed:
        options.append(f"-seed={args.seed}")
    if args.corpus:
        options.append(f"-dict={Path(args.corpus).parent / 'mqtt.dict'}")
        options.append(args.corpus)
    return [*options, *rest]


def mutator(atheris: Any, target: str) -> Callable[[bytes, int, int], bytes]:
    """A mutator that lets libFuzzer change bytes most of the time, and else makes an input that knows MQTT."""
    inputs = import_module("mqttws.fuzz.inputs").Inputs
    random_source = import_module("mqttws.fuzz.sources").RandomSource
    ours = inputs(random_source(target))

    def change(data: bytes, most: int, seed: int) -> bytes:
        if seed % 4:
            # looked up at each call: atheris puts another function there when it begins
            changed: bytes = atheris.Mutate(data, most)
            return changed
        made: bytes = ours.next(target)
        return made[:most]

    return change


if __name__ == "__main__":
    sys.exit(main())
