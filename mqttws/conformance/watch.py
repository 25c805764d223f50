"""What the bytes of a subject show by themselves, whatever a check is about: each packet and frame is judged once.

A packet that breaks a rule is held against that rule, not against the check in whose way it came.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from mqttws.codec import Packet
from mqttws.conformance.traits import traits_of
from mqttws.trace import Recorder
from mqttws.vocabulary import ProtocolVersion

__all__ = ["UNNUMBERED", "Sighting", "Watch"]

#: The rule of a fault that the standard names without giving it a number.
UNNUMBERED: Final = "no number"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A rule that was broken by one packet or frame. ``rule`` is a statement of ``version`` or ``RFC 6455, 5.1``."""

    version: ProtocolVersion
    rule: str
    message: str
    transcript: tuple[str, ...] = ()


class Watch:
    """What was seen of one subject, over all connections of a run."""

    def __init__(self) -> None:
        #: How often something was to be seen in a version (:mod:`mqttws.conformance.traits`).
        self.traits: Counter[tuple[ProtocolVersion, str]] = Counter()
        self._sightings: dict[tuple[ProtocolVersion, str], Sighting] = {}

    def packet(self, version: ProtocolVersion, packet: Packet) -> None:
        """The subject has sent a packet that breaks no rule by itself."""
        for trait in traits_of(packet):
            self.traits[version, trait] += 1

    def fault(self, version: ProtocolVersion, rule: str, message: str, recorder: Recorder) -> None:
        """It has broken a rule; what was recorded up to the first time is kept."""
        if (version, rule) not in self._sightings:
            self._sightings[version, rule] = Sighting(version, rule, message, tuple(recorder.lines))

    def frame(self, version: ProtocolVersion) -> None:
        """It has sent a frame, which may still be held against a rule."""
        self.traits[version, "frame"] += 1

    def broken(self, version: ProtocolVersion, rule: str) -> Sighting | None:
        """The first time that it has broken this rule."""
        return self._sightings.get((version, rule))

    @property
    def sightings(self) -> list[Sighting]:
        """The first of each rule."""
        return list(self._sightings.values())
