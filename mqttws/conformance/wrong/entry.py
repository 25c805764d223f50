"""One wrong subject: what it does wrong, which statements that breaks, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from mqttws.conformance.check import Check, Kind, numbered
from mqttws.conformance.client.convention import Task
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.member import Member
from mqttws.conformance.wrong.proxy import Tamper
from mqttws.conformance.wrong.reference_server import LIMITED, Offer, ReferenceServer, Visit
from mqttws.conformance.wrong.trial_codec import ReferenceDecoder
from mqttws.vocabulary import ProtocolVersion

__all__ = ["OFFERS", "Methods", "Names", "Wrong", "wrong_client", "wrong_server"]

#: Statements, as the decorators of checks take them: one, or several.
Names: TypeAlias = str | tuple[str, ...]

#: Methods that take the place of those of a class.
Methods: TypeAlias = Mapping[str, Any]

#: What the correct Server may be set to offer, by name.
OFFERS: Final[Mapping[str, Offer]] = {
    "full": Offer(),
    "limited": LIMITED,
    "qos 0 only": Offer({"maximum_qos": 0}),
    "one at a time": Offer({"receive_maximum": 1}),
    "accounts": Offer(accounts={"first": b"secret of the first", "second": b"secret of the second"}),
}


def ids(names: Names) -> tuple[str, ...]:
    """Several, in any case."""
    return (names,) if isinstance(names, str) else names


@dataclass(frozen=True, slots=True)
class Wrong:
    """A subject that is correct but for one thing.

    ``statements`` are those that it breaks, by version; a check that names one of them has to fail. Other checks that
    may fail with it stand in ``also``, as patterns of their names. ``tamper`` makes what a proxy does to a connection,
    ``server`` the Server behind it, which has the ``offer`` of that name. With ``shows`` its packets give it away by
    themselves, so that the passive checks are concerned too. ``hidden`` are properties that its CONNACK keeps back.
    ``decoder`` is what is wrong of a codec, ``task`` what a Client understands when it is told something. Who is merely
    ``unwise`` is caught by a check that finds it not strict.
    """

    name: str
    kind: Kind
    sentence: str
    statements: Mapping[ProtocolVersion, tuple[str, ...]]
    also: tuple[str, ...] = ()
    tamper: Callable[[], Tamper] | None = None
    server: Callable[[Offer], ReferenceServer] = ReferenceServer
    offer: str = "full"
    shows: bool = True
    decoder: ReferenceDecoder | None = None
    hidden: tuple[str, ...] = ()
    task: Callable[[Task], Task] | None = None
    unwise: bool = False

    def tampers(self) -> Callable[[], Tamper] | None:
        """What makes the faults of a subject's connections, which know of each other."""
        make = self.tamper
        if make is None:
            return None
        shared: dict[Any, Any] = {}

        def made() -> Tamper:
            tamper = make()
            tamper.shared = shared
            return tamper

        return made

    def rules(self, version: ProtocolVersion) -> tuple[str, ...]:
        """The statements of a version that it breaks."""
        return self.statements.get(version, ())

    def concerns(self, check: Check) -> bool:
        """Whether the check is about what is wrong here."""
        if check.kind is not self.kind or (check.passive and not self.shows):
            return False
        return not set(check.statements).isdisjoint(self.rules(check.version))

    def excuses(self, check: Check) -> bool:
        """Whether it may fail as well."""
        return any(fnmatchcase(check.name, pattern) for pattern in self.also)


def by_version(name: str, v5: Names, v311: Names) -> dict[ProtocolVersion, tuple[str, ...]]:
    """The statements of a wrong subject. Raises :class:`ValueError` for one that does not exist, or none at all."""
    found = {version: ids(said) for version, said in ((ProtocolVersion.V5, v5), (ProtocolVersion.V3_1_1, v311)) if said}
    if not found:
        raise ValueError(f"{name} breaks nothing")
    for version, said in found.items():
        for one in said:
            if one.startswith("MQTT-") and one not in numbered(version):
                raise ValueError(f"{name} names {one}, which version {version:d} does not have")
    return found


def wrong_server(
    name: str, sentence: str, *, v5: Names = (), v311: Names = (), also: Names = (), offer: str = "full",
    broker: Methods | None = None, visit: Methods | None = None, member: Methods | None = None,
    wire: Methods | None = None, shows: bool = True, hidden: Names = (), unwise: bool = False,
) -> Wrong:  # fmt: skip
    """A Server of which some methods are otherwise: the Broker's, a Visit's, a Member's, or of a proxy before it."""

    def make(offered: Offer) -> ReferenceServer:
        server = ReferenceServer(offered)
        server.broker = type(name, (Broker,), dict(broker or {}))()
        server.broker.member_type = type(name, (Member,), dict(member or {}))
        server.visit_type = type(name, (Visit,), dict(visit or {}))
        return server

    tamper = type(name, (Tamper,), dict(wire)) if wire is not None else None
    return Wrong(name, Kind.SERVER, sentence, by_version(name, v5, v311), ids(also), tamper, make, offer, shows,
                 hidden=ids(hidden), unwise=unwise)  # fmt: skip


def wrong_client(
    name: str, sentence: str, *, v5: Names = (), v311: Names = (), also: Names = (), shows: bool = True,
    task: Callable[[Task], Task] | None = None, unwise: bool = False, **wire: Any,
) -> Wrong:  # fmt: skip
    """A correct Client behind a proxy, some methods of which are otherwise."""
    tamper = type(name, (Tamper,), wire)
    return Wrong(name, Kind.CLIENT, sentence, by_version(name, v5, v311), ids(also), tamper, shows=shows, task=task,
                 unwise=unwise)  # fmt: skip
