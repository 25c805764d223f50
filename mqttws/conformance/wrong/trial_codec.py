"""Decoders of this process on trial: the core's own, and wrong ones, before the checks of codecs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import trio

from mqttws.codec import Packet, decode
from mqttws.conformance.check import Check
from mqttws.conformance.codec import Answer, Taken
from mqttws.conformance.codec.probe import CodecProbe
from mqttws.conformance.fields import fields_of
from mqttws.conformance.runner import Plan, run_checks
from mqttws.conformance.verdict import Result
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import Role

__all__ = ["ReferenceDecoder", "try_codec"]

_PLAN: Final = Plan(at_once=1, check_seconds=600.0, seconds=100_000.0, confirm=False)


@dataclass(frozen=True, slots=True)
class ReferenceDecoder:
    """The core's decoder. A wrong one ``forgives`` some errors, ``dislikes`` some packets, or ``misreads`` fields."""

    name: str = "reference"
    forgives: Callable[[RemoteProtocolError, bytes, int], bool] | None = None
    dislikes: Callable[[Packet, int], bool] | None = None
    misreads: Callable[[dict[str, Any], int], dict[str, Any]] | None = None

    def decode(self, data: bytes, version: int, sender: Role) -> Answer:
        """What it makes of one packet."""
        try:
            packet = decode(data, version, sender=sender)
        except RemoteProtocolError as error:
            if self.forgives is not None and self.forgives(error, data, version):
                return Answer(Taken.ACCEPTED)
            return Answer(Taken.REFUSED, str(error))
        if self.dislikes is not None and self.dislikes(packet, version):
            return Answer(Taken.REFUSED, "not to its liking")
        fields = fields_of(packet, version)
        return Answer(Taken.ACCEPTED, fields=fields if self.misreads is None else self.misreads(fields, version))

    def close(self) -> None:
        """There is nothing to let go of."""


def try_codec(checks: Sequence[Check], decoder: ReferenceDecoder | None = None) -> list[Result]:
    """Put a decoder before these checks, the correct one without another."""
    probe = CodecProbe(decoder or ReferenceDecoder())
    return trio.run(run_checks, list(checks), probe.for_check, _PLAN)
