"""A codec under test: how it is asked, in this process or behind a command, and how its answers are judged."""

from __future__ import annotations

from mqttws.conformance.codec.answer import Answer, Decoder, DecoderUnusable, Taken
from mqttws.conformance.codec.command import CommandDecoder
from mqttws.conformance.codec.in_process import InProcess

__all__ = ["Answer", "CommandDecoder", "Decoder", "DecoderUnusable", "InProcess", "Taken"]
