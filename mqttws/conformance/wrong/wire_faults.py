"""Methods of a Tamper that are made of a packet's class and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from mqttws.codec import ConnAck, Connect
from mqttws.conformance.wrong.proxy import Item, Tamper

__all__ = ["Method", "adding", "dropping", "each", "editing", "first", "offering", "without"]

#: ``from_subject`` or ``from_tester``.
Method: TypeAlias = Callable[[Tamper, Item], Iterable[Item]]
#: What becomes of a packet: another one, several, or nothing.
Change: TypeAlias = Callable[[Any], Any]


def _several(made: Any) -> Iterable[Item]:
    if made is None:
        return ()
    return made if isinstance(made, tuple | list) else (made,)


def each(kind: Any, change: Change) -> Method:
    """Every packet of a class (or several) is changed."""

    def method(tamper: Tamper, packet: Item) -> Iterable[Item]:
        del tamper
        return _several(change(packet)) if isinstance(packet, kind) else (packet,)

    return method


def first(kind: Any, change: Change) -> Method:
    """The first one on a connection is."""

    def method(tamper: Tamper, packet: Item) -> Iterable[Item]:
        if not isinstance(packet, kind) or getattr(tamper, "done", False):
            return (packet,)
        tamper.done = True  # type: ignore[attr-defined]  # a note that only this method makes
        return _several(change(packet))

    return method


def dropping(kind: Any, where: Callable[[Any], bool] | None = None) -> Method:
    """Packets of a class never come, or those of which something is true."""
    return each(kind, lambda packet: packet if where is not None and not where(packet) else None)


def editing(kind: Any, **fields: Any) -> Method:
    """Fields of packets of a class are otherwise; a function is given the field's value."""

    def change(packet: Any) -> Any:
        values = {name: value(getattr(packet, name)) if callable(value) else value for name, value in fields.items()}
        return replace(packet, **values)

    return each(kind, change)


def adding(kind: Any, **properties: Any) -> Method:
    """Packets of a class, in 5.0, have these properties too."""
    return each(kind, lambda packet: replace(packet, properties={**packet.properties, **properties}))


def without(kind: Any, *names: str) -> Method:
    """Packets of a class lack these properties."""
    return each(kind, lambda packet: replace(packet, properties=_rest(packet.properties, names)))


def _rest(properties: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


def offering(**properties: Any) -> Method:
    """The subject is told that the tester's CONNECT or CONNACK allows this; None: says nothing of it."""

    def change(packet: Any) -> Any:
        said = _rest(packet.properties, properties) | {
            name: value for name, value in properties.items() if value is not None
        }
        return replace(packet, properties=said)

    return each((Connect, ConnAck), change)
