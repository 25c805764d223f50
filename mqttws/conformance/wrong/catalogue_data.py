"""Wrong Servers and Clients that follow from data: what each statement of one packet forbids, taken and sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mqttws.conformance import statements
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.wrong.entry import Wrong
from mqttws.conformance.wrong.tampers import broken_vectors, emitter, swallower
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["entries"]

_V5, _V3_1_1 = ProtocolVersion.V5, ProtocolVersion.V3_1_1
#: Statements that say of the receiver what another says of the sender: who passes over the one breaks the other too.
_RECEIVERS: Final[Mapping[ProtocolVersion, Mapping[str, tuple[str, ...]]]] = {
    _V5: {},
    _V3_1_1: {"MQTT-2.2.2-1": ("MQTT-2.2.2-2",)},
}


def entries() -> Iterator[Wrong]:
    """All of them."""
    for kind, role in ((Kind.SERVER, Role.SERVER), (Kind.CLIENT, Role.CLIENT)):
        for version in ProtocolVersion:
            yield from _takers(kind, role.peer, version)
            yield from _senders(kind, role, version)


def _takers(kind: Kind, sender: Role, version: ProtocolVersion) -> Iterator[Wrong]:
    """Subjects that pass over what breaks a statement."""
    for statement in broken_vectors(version, sender):
        if not _binds(version, statement, sender.peer):
            continue  # says nothing to whoever receives it
        broken = (statement, *_RECEIVERS[version].get(statement, ()))
        yield Wrong(
            f"passes_over_{_slug(version, statement)}",
            kind,
            f"It passes over packets that break {statement} by themselves, and goes on.",
            {version: broken},
            tamper=swallower(frozenset((statement,)), sender),
            shows=False,
        )


def _senders(kind: Kind, role: Role, version: ProtocolVersion) -> Iterator[Wrong]:
    """Subjects that send what breaks a statement."""
    for statement, vector in broken_vectors(version, role).items():
        if not _binds(version, statement, role):
            continue
        yield Wrong(
            f"sends_{_slug(version, statement)}",
            kind,
            f"It sends a packet that breaks {statement} by itself ({vector['name']}).",
            {version: (statement,)},
            tamper=emitter(bytes.fromhex(vector["hex"])),
        )


def _binds(version: ProtocolVersion, statement: str, role: Role) -> bool:
    """Whether a statement has something to say to this end."""
    return role.value in next(one["applies_to"] for one in statements(version) if one["id"] == statement)


def _slug(version: ProtocolVersion, statement: str) -> str:
    return f"{version_name(version)}_{statement.removeprefix('MQTT-')}"
