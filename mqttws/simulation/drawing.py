"""Schedules drawn from seeds: every number the same schedule each time, and each another one."""

from __future__ import annotations

from random import Random

from mqttws.simulation.faults import Direction, Fault, Kind, WirePlan
from mqttws.simulation.schedule import PUBLISHER, SUBSCRIBER, Ending, Planned, Restart, Schedule, Strike

__all__ = ["draw"]

#: Seconds in which the messages and faults of a schedule fall.
_SPAN = 20.0


def draw(seed: int) -> Schedule:
    """The schedule of a seed.

    Faults fall on the bytes of a handshake as often as on later ones, and times on whole and half seconds, where
    deadlines are, as often as between them.
    """
    chance = Random(seed)  # noqa: S311 - a schedule is no secret
    version = chance.choice((4, 5))
    return Schedule(
        seed=seed,
        version=version,
        keep_alive=chance.choice((1, 2, 5, 10, 60)),
        expiry=chance.choice((2, 10, 30, 30)),
        client_window=chance.choice((1, 2, 5, 100)),
        server_window=chance.choice((1, 2, 5, 100)),
        queue=chance.choice((2, 10, 1_000, 1_000)),
        pause=chance.choice((0.0, 0.0, 0.01, 0.3)),
        messages=_messages(chance, version),
        wires={PUBLISHER: _wires(chance), SUBSCRIBER: _wires(chance)},
        strikes=tuple(_strike(chance) for _ in range(chance.choice((0, 1, 2, 4)))),
        restarts=_restarts(chance),
    )


def _time(chance: Random) -> float:
    return chance.choice((round(chance.uniform(0, _SPAN), 3), chance.randrange(2 * int(_SPAN)) / 2))


def _messages(chance: Random, version: int) -> tuple[Planned, ...]:
    topics = ("a", "b")[: chance.randint(1, 2)]
    return tuple(
        sorted(
            (_message(chance, version, chance.choice(topics)) for _ in range(chance.randint(3, 25))),
            key=lambda message: message.at,
        )
    )


def _message(chance: Random, version: int, topic: str) -> Planned:
    waits = chance.random() < 0.3
    return Planned(
        at=_time(chance),
        topic=topic,
        qos=chance.choice((0, 1, 1, 2, 2)),
        size=chance.choice((0, 0, 20, 200, 5_000, 70_000)),
        waits=waits,
        cancel_after=_time(chance) / 4 if waits and chance.random() < 0.3 else None,
        expiry=chance.randint(1, 20) if version == 5 and chance.random() < 0.1 else None,
    )


def _wires(chance: Random) -> tuple[WirePlan, ...]:
    return tuple(_wire(chance) for _ in range(chance.choice((1, 2, 3, 6))))


def _wire(chance: Random) -> WirePlan:
    return WirePlan(
        opens=chance.choices((True, False, None), (12, 2, 1))[0],
        latency=chance.choice((0.0, 0.001, 0.05, 0.5)),
        chunk=chance.choice((1, 10, 100, *(65_536,) * 7)),
        capacity=chance.choice((500, 65_536, 65_536)),
        faults=tuple(_fault(chance) for _ in range(chance.choice((0, 1, 1, 2)))),
    )


def _fault(chance: Random) -> Fault:
    return Fault(chance.choice(tuple(Kind)), _direction(chance), int(2 ** chance.uniform(0, 13)), _seconds(chance))


def _strike(chance: Random) -> Strike:
    client = chance.choice((PUBLISHER, SUBSCRIBER))
    return Strike(_time(chance), client, chance.choice(tuple(Kind)), _direction(chance), _seconds(chance))


def _restarts(chance: Random) -> tuple[Restart, ...]:
    restarts: list[Restart] = []
    at = 0.0
    for _ in range(chance.choice((0, 0, 1, 2))):
        at = round(at + chance.uniform(0, _SPAN / 2), 3)
        down = chance.choice((0.0, 0.1, 1.0, 5.0))
        restarts.append(Restart(at, down, chance.random() < 0.6, chance.choice(tuple(Ending))))
        at += down
    return tuple(restarts)


def _direction(chance: Random) -> Direction:
    return chance.choice(tuple(Direction))


def _seconds(chance: Random) -> float:
    return chance.choice((0.1, 1.0, 3.0, 12.0))
