"""Wrong decoders: one for each statement that is not held against anybody, and for each packet that is read wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mqttws.codec import Packet
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind, checks
from mqttws.conformance.wrong.entry import Wrong
from mqttws.conformance.wrong.trial_codec import ReferenceDecoder
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import PACKET_TYPES, PacketType, ProtocolVersion

__all__ = ["entries"]

#: Statements that the core names by another one: it is enough that one of several is held against a packet.
_SAME: Final[Mapping[ProtocolVersion, Mapping[str, str]]] = {
    ProtocolVersion.V5: {"MQTT-1.5.4-2": "MQTT-4.7.3-2", "MQTT-4.3.1-1": "MQTT-3.3.1-2",
                         "MQTT-4.7.1-2": "MQTT-4.7.1-1"},
    ProtocolVersion.V3_1_1: {"MQTT-1.5.3-2": "MQTT-4.7.3-2", "MQTT-4.3.1-1": "MQTT-3.3.1-2",
                             "MQTT-4.7.1-3": "MQTT-4.7.1-2", "MQTT-2.2.2-2": "MQTT-2.2.2-1",
                             "MQTT-3.1.2-11": "MQTT-3.1.4-1", "MQTT-3.1.3-7": "MQTT-3.1.3-8"},
}  # fmt: skip
#: U+FEFF anywhere in a text stays [MQTT-1.5.4-3].
_BYTE_ORDER: Final = {ProtocolVersion.V5: "MQTT-1.5.4-3", ProtocolVersion.V3_1_1: "MQTT-1.5.3-3"}


def entries() -> Iterator[Wrong]:
    """All of them."""
    for version in ProtocolVersion:
        yield from _forgiving(version)
        yield from _reading(version)


def _wrong(name: str, sentence: str, version: ProtocolVersion, rules: tuple[str, ...], **fault: Any) -> Wrong:
    decoder = ReferenceDecoder(name, **fault)
    return Wrong(f"{version_name(version)}_{name}", Kind.CODEC, sentence, {version: rules}, decoder=decoder)


def _forgiving(version: ProtocolVersion) -> Iterator[Wrong]:
    named = {rule for check in checks(Kind.CODEC) if check.version == version for rule in check.statements}
    for rule in sorted(one for one in named if one.startswith("MQTT-") and one != _BYTE_ORDER[version]):
        yield _wrong(f"accepts_{rule.removeprefix('MQTT-')}", f"It accepts what breaks {rule}.", version, (rule,),
                     forgives=_statement(rule, version))  # fmt: skip
    for kind in PacketType:
        section = (f"MQTT {version_name(version)}, 3.{kind:d}",)
        if named.isdisjoint(section):
            continue
        name = kind.name.lower()
        yield _wrong(f"accepts_broken_{name}", f"It accepts a {kind.name} with faults that have no number.", version,
                     section, forgives=_unnumbered(kind, version))  # fmt: skip


def _statement(rule: str, version: ProtocolVersion) -> Callable[[RemoteProtocolError, bytes, int], bool]:
    rules = {rule, _SAME[version].get(rule, rule)}

    def forgives(error: RemoteProtocolError, data: bytes, spoken: int) -> bool:
        del data
        return spoken == version and error.statement in rules

    return forgives


def _unnumbered(kind: PacketType, version: ProtocolVersion) -> Callable[[RemoteProtocolError, bytes, int], bool]:
    def forgives(error: RemoteProtocolError, data: bytes, spoken: int) -> bool:
        numbers = (None, "MQTT-3.1.4-1") if kind is PacketType.CONNECT else (None,)
        return spoken == version and error.statement in numbers and PACKET_TYPES[data[0] >> 4] is kind

    return forgives


def _reading(version: ProtocolVersion) -> Iterator[Wrong]:
    for kind in PacketType:
        if kind is PacketType.AUTH and version == ProtocolVersion.V3_1_1:
            continue
        section = (f"MQTT {version_name(version)}, 3.{kind:d}",)
        name = kind.name.lower()
        yield _wrong(f"refuses_{name}", f"It reads no {kind.name}.", version, section,
                     dislikes=_of_kind(kind, version))  # fmt: skip
        has_fields = version == ProtocolVersion.V5 or kind is not PacketType.DISCONNECT
        if has_fields and kind not in (PacketType.PINGREQ, PacketType.PINGRESP):
            yield _wrong(f"misreads_{name}", f"It reads other values than stand in {kind.name}.", version, section,
                         misreads=_otherwise(kind, version))  # fmt: skip
    yield _wrong("strips_byte_order_mark", "It takes U+FEFF out of text.", version, (_BYTE_ORDER[version],),
                 misreads=_without_mark)  # fmt: skip
    general = f"MQTT {version_name(version)}, "
    lengths = general + ("1.5" if version == ProtocolVersion.V5 else "2.2")
    yield _wrong("refuses_rare_text", "It reads no character above U+FFFF.", version, (general + "1.5",),
                 dislikes=_has_rare_text)  # fmt: skip
    yield _wrong("accepts_five_byte_lengths", "It takes a Remaining Length of five bytes.", version, (lengths,),
                 forgives=lambda error, data, _version: error.statement is None and len(data) > 5)  # fmt: skip
    yield _wrong("accepts_whatever_has_no_number", "It accepts all faults that have no number.", version,
                 (general + "2.1", general + "2.2"),
                 forgives=lambda error, _data, _version: error.statement is None)  # fmt: skip


def _has_rare_text(packet: Packet, version: int) -> bool:
    del version
    return any(character > "\uffff" for character in repr(packet))


def _of_kind(kind: PacketType, version: ProtocolVersion) -> Callable[[Packet, int], bool]:
    return lambda packet, spoken: spoken == version and packet.packet_type is kind


def _otherwise(kind: PacketType, version: ProtocolVersion) -> Callable[[dict[str, Any], int], dict[str, Any]]:
    def misreads(fields: dict[str, Any], spoken: int) -> dict[str, Any]:
        if spoken != version or fields["type"] != kind.name:
            return fields
        changed = next((name for name in reversed(fields) if isinstance(fields[name], int)), "")
        return {name: _other(value) if name == changed else value for name, value in fields.items()}

    return misreads


def _other(value: int) -> int | bool:
    return not value if isinstance(value, bool) else value + 1


def _without_mark(fields: dict[str, Any], version: int) -> dict[str, Any]:
    del version
    return {name: _stripped(value) for name, value in fields.items()}


def _stripped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\ufeff", "")
    if isinstance(value, list):
        return [_stripped(one) for one in value]
    if isinstance(value, dict):
        return {name: _stripped(one) for name, one in value.items()}
    return value
