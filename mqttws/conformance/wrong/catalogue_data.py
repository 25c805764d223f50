"""Wrong Servers and Clients that follow from data: what each statement of one packet forbids, taken and sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from mqttws.conformance import statements
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.passive import passive_checks
from mqttws.conformance.wrong.entry import Wrong
from mqttws.conformance.wrong.tampers import broken_vectors, emitter, swallower
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["entries"]

_V5, _V3_1_1 = ProtocolVersion.V5, ProtocolVersion.V3_1_1
#: Statements that say what is sent; what their receiver does about it is not said, or is broken in other ways than by
#: passing over a packet, for which there are wrong subjects by hand.
_NOT_FOR_RECEIVERS: Final = frozenset((
    "MQTT-2.2.1-5", "MQTT-3.3.1-2", "MQTT-3.3.2-1", "MQTT-3.3.2-2", "MQTT-3.3.2-14", "MQTT-3.4.2-1", "MQTT-3.5.2-1",
    "MQTT-3.6.2-1", "MQTT-3.7.2-1", "MQTT-4.7.0-1", "MQTT-1.5.3-2", "MQTT-2.3.1-1", "MQTT-2.3.1-6", "MQTT-4.7.1-1",
))  # fmt: skip
#: Statements on the flags of one kind of packet; one on those of all packets says the same.
_FLAGS_V3_1_1: Final = ("MQTT-3.6.1-1", "MQTT-3.8.1-1", "MQTT-3.10.1-1", "MQTT-3.14.1-1")
_FLAGS_V5: Final = (*_FLAGS_V3_1_1, "MQTT-3.15.1-1")
#: The Server has to act, while a Client only has to send what is right.
_ONLY_FOR_SERVERS: Final = frozenset(("MQTT-3.6.1-1", "MQTT-4.7.3-2"))
#: Statements that say of the receiver what another says of the sender: who passes over the one breaks the other too.
_RECEIVERS: Final[Mapping[ProtocolVersion, Mapping[str, tuple[str, ...]]]] = {
    _V5: dict.fromkeys(_FLAGS_V5, ("MQTT-2.1.3-1",)),
    _V3_1_1: {"MQTT-2.2.2-1": ("MQTT-2.2.2-2",)} | dict.fromkeys(_FLAGS_V3_1_1, ("MQTT-2.2.2-1", "MQTT-2.2.2-2")),
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
        if not _binds(version, statement, sender.peer) or statement in _NOT_FOR_RECEIVERS:
            continue  # says nothing to whoever receives it
        if kind is Kind.CLIENT and (version == _V5 or statement in _ONLY_FOR_SERVERS):
            continue  # in 5.0 a Client should end the connection, and need not (4.13.1)
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
        is_sent = kind is Kind.CLIENT or not statement.startswith("MQTT-3.15.")  # this Server has no AUTH to spoil
        if not _binds(version, statement, role) or statement not in _looked_at(kind, version) or not is_sent:
            continue
        yield Wrong(
            f"sends_{_slug(version, statement)}",
            kind,
            f"It sends a packet that breaks {statement} by itself ({vector['name']}).",
            {version: (statement,)},
            tamper=emitter(bytes.fromhex(vector["hex"])),
        )


@cache
def _looked_at(kind: Kind, version: ProtocolVersion) -> frozenset[str]:
    """The statements that are seen to by looking on."""
    found = [check.statements for check in passive_checks(kind) if check.version == version]
    return frozenset(rule for rules in found for rule in rules)


def _binds(version: ProtocolVersion, statement: str, role: Role) -> bool:
    """Whether a statement has something to say to this end."""
    return role.value in next(one["applies_to"] for one in statements(version) if one["id"] == statement)


def _slug(version: ProtocolVersion, statement: str) -> str:
    return f"{version_name(version)}_{statement.removeprefix('MQTT-')}"
