"""A Python decoder on standard input and output, in the line protocol of :mod:`~mqttws.conformance.codec.command`.

``python -m mqttws.fuzz.adapters.serve NAME VERSION SENDER`` for a decoder of :mod:`~mqttws.fuzz.adapters.peers`, or
``module:function`` for any other. ``--check`` only says whether it is there, and which release.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from mqttws.conformance.codec.answer import Answer, DecoderUnusable, Taken
from mqttws.conformance.codec.in_process import InProcess, load
from mqttws.fuzz.adapters import peers
from mqttws.vocabulary import Role

__all__ = ["main", "serve"]


def main(argv: list[str], lines: TextIO, output: TextIO) -> int:
    """Check or serve; the exit status is 1 where the decoder is not there."""
    name = argv[0]
    try:
        if argv[1:] == ["--check"]:
            print(peers.PEERS[name].release(), file=output)
            return 0
        version, sender = int(argv[1]), Role(argv[2])
        decoder = (
            InProcess(load(name), name=name, limit=3600) if ":" in name else peers.decoder_of(name, version, sender)
        )
    except (DecoderUnusable, KeyError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return serve(decoder, version, sender, lines, output)


def serve(decoder: InProcess, version: int, sender: Role, lines: TextIO, output: TextIO) -> int:
    """Answer line by line until the input ends."""
    for line in lines:
        print(_line(decoder.decode(bytes.fromhex(line), version, sender)), file=output, flush=True)
    return 0


def _line(answer: Answer) -> str:
    if answer.taken is Taken.ACCEPTED:
        return f"ok {json.dumps(answer.fields)}" if answer.fields is not None else "ok"
    word = {Taken.REFUSED: "error", Taken.UNSUPPORTED: "unsupported"}.get(answer.taken, "crash")
    return f"{word} {' '.join(answer.text.split())}".rstrip()


if __name__ == "__main__":
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    sys.exit(main(sys.argv[1:], sys.stdin, protocol))
