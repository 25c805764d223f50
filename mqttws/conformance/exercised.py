"""Which numbered statements the packets of a run have exercised, as far as they pass through this package's codec.

A statement counts as exercised

* by a packet **read** or **written** that keeps it and might have broken it: of a rule about Wills that is a CONNECT
  with a Will (the rows of :mod:`mqttws.conformance.passive` say which packet shows what);
* by bytes that were **refused** for breaking it: when read, or when somebody wanted them written.

That a program does the right thing behind the packet is not seen, and what no packet shows by itself (the order of
messages, the life of a Session) does not count at all.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias

from mqttws.codec import Packet, dispatch, faults, framer
from mqttws.conformance import vectors
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import numbered
from mqttws.conformance.passive import ROWS
from mqttws.conformance.traits import traits_of
from mqttws.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["Exercised"]

_Way: TypeAlias = Literal["read", "written", "refused"]
_WAYS: Final[tuple[_Way, ...]] = ("read", "written", "refused")
_WIDTH: Final = 100


def _shown_by() -> dict[tuple[int, Role], dict[str, set[str]]]:
    """By version and sender, the statements that a packet with a trait shows."""
    shown: dict[tuple[int, Role], dict[str, set[str]]] = {
        (version, sender): {} for version in (4, 5) for sender in Role
    }
    for row in ROWS:
        for version, said in ((4, row.v311), (5, row.v5)):
            known = numbered(ProtocolVersion(version))
            ids = {one for one in ((said,) if isinstance(said, str) else said) if one in known}
            for sender in row.senders:
                for trait in row.seen.split("|"):
                    if trait != "frame":  # no packet shows how it was wrapped
                        shown[version, sender].setdefault(trait, set()).update(ids)
    return shown


class Exercised:
    """Counts while it is installed. Reading and writing are slower then; without it nothing changes."""

    def __init__(self) -> None:
        #: How often: version, statement, and how it was exercised.
        self.counts: Counter[tuple[int, str, _Way]] = Counter()
        self._shown = _shown_by()
        self._before: list[tuple[dict[Any, Any], Any, Any]] = []

    # -- counting -----------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Look at every packet from now on, whoever reads or writes it in this process."""
        for version, rows in ((4, dispatch.V3_1_1), (5, dispatch.V5)):
            readers = dispatch.DECODERS[version]
            for sender, decoders in readers.items():
                looking = (None if each is None else self._reader(each, version, sender) for each in decoders)
                self._replace(readers, sender, tuple(looking))
            self._replace(dispatch._ANYBODY, version, readers[None])
            for row in rows:
                if row is not None:
                    self._replace(dispatch._ENCODERS[version], row.packet_class, self._writer(row, version))
        for module in (dispatch, framer):
            self._replace(vars(module), "settle", self._noting(faults.settle, RemoteProtocolError))
        self._replace(vars(dispatch), "in_version", self._noting(faults.in_version, LocalProtocolError))

    def _replace(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._before.append((table, key, table[key]))
        table[key] = value

    def uninstall(self) -> None:
        """Leave the codec as it was."""
        while self._before:
            table, key, value = self._before.pop()
            table[key] = value

    def _reader(self, decoder: Callable[..., Any], version: int, sender: Role | None) -> Callable[..., Any]:
        senders = _senders(version)

        def read(buf: bytes, pos: int, end: int, given: Role | None) -> Any:
            packet = decoder(buf, pos, end, given)
            self._count(packet, version, senders[type(packet)] if sender is None else (sender,), "read")
            return packet

        return read

    def _writer(self, row: dispatch.Row, version: int) -> Callable[[Any], bytes]:
        def write(packet: Any) -> bytes:
            data = row.encoder(packet)
            self._count(packet, version, row.senders, "written")
            return data

        return write

    def _noting(self, settle: Callable[..., Any], whose: type[ProtocolError]) -> Callable[..., Any]:
        """On their way out of the codec errors pass ``settle``, which gives them their version."""

        def settled(error: ProtocolError, *arguments: Any) -> Any:
            result = settle(error, *arguments)
            if isinstance(error, whose) and error.statement is not None and error.version is not None:
                self.counts[int(error.version), error.statement, "refused"] += 1
            return result

        return settled

    def _count(self, packet: Packet, version: int, senders: Iterable[Role], way: _Way) -> None:
        """Where it is not known who sends it, what it shows from whichever end counts."""
        version = int(getattr(packet, "version", version))
        traits = tuple(traits_of(packet))
        shown = [{one for trait in traits for one in self._shown[version, sender].get(trait, ())} for sender in senders]
        for statement in set.intersection(*shown) if shown else ():
            self.counts[version, statement, way] += 1

    # -- telling ------------------------------------------------------------------------------------------------------

    def dump(self) -> list[tuple[int, str, _Way, int]]:
        """The counts as plain values, for another process."""
        return [(*key, count) for key, count in self.counts.items()]

    def add(self, dumped: Iterable[tuple[int, str, _Way, int]]) -> None:
        """Count in what another process has dumped."""
        for version, statement, way, count in dumped:
            self.counts[version, statement, way] += count

    def statements(self, version: int, way: _Way | None = None) -> set[str]:
        """What was exercised, in one way or in any."""
        return {one for found, one, how in self.counts if found == version and way in (None, how)}

    def possible(self, version: int) -> list[str]:
        """What packets can show by themselves, in the standard's order."""
        shown = {
            one for (found, _), by in self._shown.items() if found == version for ids in by.values() for one in ids
        }
        shown |= {vector["statement"] for vector in vectors() if vector["statement"] and vector["version"] == version}
        shown |= self.statements(version)
        return [one for one in numbered(ProtocolVersion(version)) if one in shown]

    def lines(self, *, verbose: bool = False) -> Iterator[str]:
        """For people; ``verbose`` has a line for each statement."""
        for version in (5, 4):
            name = f"MQTT {version_name(version)}"
            found = self.statements(version)
            if not found:
                yield f"{name}: no packet has passed through the codec"
                continue
            possible = self.possible(version)
            ways = ", ".join(f"{len(self.statements(version, way))} by packets {way}" for way in _WAYS)
            yield f"{name}: {len(found)} of the {len(possible)} statements that packets can show: {ways}"
            if verbose:
                for statement in possible:
                    counts = [self.counts[version, statement, way] for way in _WAYS]
                    yield f"  {statement:14} " + "  ".join(f"{way} {n}" for way, n in zip(_WAYS, counts, strict=True))
            elif missing := " ".join(one for one in possible if one not in found):
                yield from textwrap.wrap(
                    f"not exercised: {missing}", _WIDTH, initial_indent="  ", subsequent_indent="    ",
                    break_on_hyphens=False,
                )  # fmt: skip


def _senders(version: int) -> dict[type, frozenset[Role]]:
    """Who may send packets of a class."""
    rows = dispatch.V5 if version == 5 else dispatch.V3_1_1
    return {row.packet_class: row.senders for row in rows if row is not None}
