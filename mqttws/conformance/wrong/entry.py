"""One wrong subject: what it does wrong, which statements that breaks, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from mqttws.conformance.check import Check, Kind, numbered
from mqttws.conformance.wrong.proxy import Tamper
from mqttws.conformance.wrong.reference_server import LIMITED, Offer, ReferenceServer
from mqttws.vocabulary import ProtocolVersion

__all__ = ["OFFERS", "Names", "Wrong", "ids", "wrong_broker", "wrong_visit", "wrong_wire"]

#: Statements, as the decorators of checks take them: one, or several.
Names: TypeAlias = str | tuple[str, ...]

#: What the correct Server may be set to offer, by name.
OFFERS: Final[Mapping[str, Offer]] = {
    "full": Offer(),
    "limited": LIMITED,
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
    ``server`` the Server behind it, which has the ``offer`` of that name.
    """

    name: str
    kind: Kind
    sentence: str
    statements: Mapping[ProtocolVersion, tuple[str, ...]]
    also: tuple[str, ...] = ()
    tamper: Callable[[], Tamper] | None = None
    server: Callable[[Offer], ReferenceServer] = ReferenceServer
    offer: str = "full"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def concerns(self, check: Check) -> bool:
        """Whether the check is about what is wrong here."""
        return check.kind is self.kind and not set(check.statements).isdisjoint(self.statements.get(check.version, ()))

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


def wrong_wire(
    name: str, sentence: str, kind: Kind = Kind.SERVER, *, v5: Names = (), v311: Names = (), also: Names = (),
    offer: str = "full", **methods: Any,
) -> Wrong:  # fmt: skip
    """A correct subject behind a proxy; ``methods`` are those of :class:`Tamper` that are otherwise."""
    tamper = type(name, (Tamper,), methods)
    return Wrong(name, kind, sentence, by_version(name, v5, v311), ids(also), tamper, offer=offer)


def wrong_broker(
    name: str, sentence: str, *, v5: Names = (), v311: Names = (), also: Names = (), offer: str = "full",
    **methods: Any,
) -> Wrong:  # fmt: skip
    """A Server whose :class:`Broker` does something otherwise."""

    def make(offered: Offer) -> ReferenceServer:
        server = ReferenceServer(offered)
        server.broker = type(name, (type(server.broker),), methods)()
        return server

    return Wrong(name, Kind.SERVER, sentence, by_version(name, v5, v311), ids(also), None, make, offer)


def wrong_visit(
    name: str, sentence: str, *, v5: Names = (), v311: Names = (), also: Names = (), offer: str = "full",
    **methods: Any,
) -> Wrong:  # fmt: skip
    """A Server whose :class:`Visit` does something otherwise."""

    def make(offered: Offer) -> ReferenceServer:
        server = ReferenceServer(offered)
        server.visits = type(name, (server.visits,), methods)
        return server

    return Wrong(name, Kind.SERVER, sentence, by_version(name, v5, v311), ids(also), None, make, offer)
