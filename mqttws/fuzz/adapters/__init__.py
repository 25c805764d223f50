"""Ways to ask a decoder what it makes of some bytes: in this process, behind a command, or one known by name."""

from __future__ import annotations

from mqttws.fuzz.adapters.command import CommandDecoder
from mqttws.fuzz.adapters.in_process import InProcess
from mqttws.fuzz.adapters.verdict import Answer, Decoder, DecoderUnusable, Verdict

__all__ = ["Answer", "CommandDecoder", "Decoder", "DecoderUnusable", "InProcess", "Verdict"]
