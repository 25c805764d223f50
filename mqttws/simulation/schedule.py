"""One run of the simulation as data: who publishes what and when, and what goes wrong meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from mqttws.simulation.faults import Direction, Fault, Kind, WirePlan

__all__ = ["PUBLISHER", "SUBSCRIBER", "Ending", "Planned", "Restart", "Schedule", "Strike"]

#: The Client Identifiers of the two clients.
PUBLISHER: Final = "publisher"
SUBSCRIBER: Final = "subscriber"


class Ending(StrEnum):
    """How a Server that goes down takes leave of its connections."""

    RESET = "reset"
    CLOSE = "close"
    VANISH = "vanish"
    """The machine is gone: no client hears of it."""
    GOODBYE = "goodbye"
    """In order, with DISCONNECT 0x8B where there is such a thing."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A message that will be published ``at`` so many seconds, with ``size`` bytes beyond its number.

    It is queued with ``publish_soon``, or with ``waits`` published by a task of its own, which is cancelled
    ``cancel_after`` seconds later if it still waits then. ``expiry`` is the Message Expiry Interval (5.0).
    """

    at: float
    topic: str
    qos: int
    size: int = 0
    waits: bool = False
    cancel_after: float | None = None
    expiry: int | None = None


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault of the connection that one client has ``at`` that time, wherever its bytes are."""

    at: float
    client: str
    kind: Kind
    direction: Direction
    seconds: float = 0.0

    @property
    def fault(self) -> Fault:
        """What happens to the wire."""
        return Fault(self.kind, self.direction, 0, self.seconds)


@dataclass(frozen=True, slots=True)
class Restart:
    """The Server goes down and comes back ``down`` seconds later; unless it ``keeps`` them, all Sessions are lost."""

    at: float
    down: float
    keeps: bool
    ending: Ending


@dataclass(frozen=True, slots=True)
class Schedule:
    """A whole run. ``seed`` decides about the order of tasks and the jitter of backoffs, everything else stands here.

    ``wires`` are for each client the plans of its first attempts to dial; later ones get a wire without faults.
    ``expiry``, ``keep_alive`` and ``pause`` (what the subscriber does with each message) are seconds;
    ``client_window`` and ``server_window`` the Receive Maximum of each end; ``queue`` bounds what is published and not
    yet completed.
    """

    seed: int
    version: int = 5
    keep_alive: int = 10
    expiry: int = 30
    client_window: int = 100
    server_window: int = 100
    queue: int = 1_000
    pause: float = 0.0
    messages: tuple[Planned, ...] = ()
    wires: Mapping[str, tuple[WirePlan, ...]] = field(default_factory=dict)
    strikes: tuple[Strike, ...] = ()
    restarts: tuple[Restart, ...] = ()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics in use, at least one."""
        return tuple(dict.fromkeys(message.topic for message in self.messages)) or ("a",)

    @property
    def last_event(self) -> float:
        """When nothing is planned any more."""
        moments = [0.0, *(message.at for message in self.messages), *(strike.at for strike in self.strikes)]
        return max(*moments, *(restart.at + restart.down for restart in self.restarts), 0.0)

    def to_json(self) -> str:
        """One line, from which :meth:`from_json` makes the same schedule."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """The schedule that :meth:`to_json` has written; :class:`ValueError` for anything else."""
        try:
            members: dict[str, Any] = json.loads(text)
            members["messages"] = tuple(Planned(**each) for each in members.get("messages", ()))
            members["wires"] = {name: tuple(map(_wire, plans)) for name, plans in members.get("wires", {}).items()}
            members["strikes"] = tuple(_strike(each) for each in members.get("strikes", ()))
            members["restarts"] = tuple(
                Restart(**{**each, "ending": Ending(each["ending"])}) for each in members.get("restarts", ())
            )
            return cls(**members)
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"no schedule: {error}") from None


def _wire(members: dict[str, Any]) -> WirePlan:
    faults = tuple(
        Fault(**{**each, "kind": Kind(each["kind"]), "direction": Direction(each["direction"])})
        for each in members.get("faults", ())
    )
    return WirePlan(**{**members, "faults": faults})


def _strike(members: dict[str, Any]) -> Strike:
    return Strike(**{**members, "kind": Kind(members["kind"]), "direction": Direction(members["direction"])})
