"""A check for each numbered statement that vectors show, and for each kind of packet that they show without one.

Vectors that need more than one packet, or a fixed header alone, cannot be asked about one by one and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, NamedTuple

import trio

from mqttws.codec import explain
from mqttws.conformance import Vector, rule_of, vectors
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind, checker
from mqttws.conformance.codec.answer import Answer, Taken
from mqttws.conformance.codec.cases import Case, Wrong, cases_of, judge
from mqttws.conformance.codec.probe import CodecProbe
from mqttws.conformance.fields import differences
from mqttws.conformance.verdict import Failed, NotApplicable, NotStrict

__all__ = ["Group", "groups"]

#: What a group without a number shows, by the category of its vectors; ``{}`` is the packet.
_TITLES: Final = {
    "valid": "{} as it should be is read",
    "invalid": "{} that is cut off, too long or not as it is laid out is refused",
    "direction": "{} from the end that never sends it is refused",
    "fixed_header": "A packet of a type that is not defined is refused",
    "incomplete": "The beginning of {} is not taken for one",
    "property_duplicate": "A property that may stand in {} once is refused twice",
    "property_length": "{} whose properties do not fit their length is refused",
    "property_not_allowed": "A property that has no place in {} is refused there",
    "property_value": "A value that a property of {} cannot have is refused",
    "utf8": "Text of all scripts is read",
    "varint": "A number of one to four bytes is read, a longer one refused",
}
#: Categories that are about all packets alike, and where the standards speak of them.
_SECTIONS: Final = {
    "fixed_header": {5: "2.1", 4: "2.2"},
    "incomplete": {5: "2.1", 4: "2.2"},
    "property_length": {5: "2.2", 4: "2.2"},
    "utf8": {5: "1.5", 4: "1.5"},
    "varint": {5: "1.5", 4: "2.2"},
}
#: Packets that are told of, the others are counted; and bytes of one that are shown.
_TOLD: Final = 5
_SHOWN: Final = 48

_COMPLAINTS: Final[dict[Wrong, str]] = {
    "wrong-accept": "accepted, and has to be refused",
    "wrong-reject": "refused, and has to be read",
    "wrong-fields": "read as something else",
    "crash": "the decoder fails over it",
    "hang": "the decoder hangs",
}


class Group(NamedTuple):
    """Vectors of one version that show the same; ``rule`` is a statement, or where the standard speaks of it."""

    version: int
    name: str
    title: str
    rule: str
    vectors: list[Vector]

    def cases(self) -> Iterator[tuple[Vector, Case]]:
        """Each vector from each end that may send it."""
        for vector in self.vectors:
            for case in cases_of(vector):
                if case.version == self.version:
                    yield vector, case


def groups() -> list[Group]:
    """All groups that a decoder can fail, in the order in which the vectors are."""
    found: dict[tuple[int, str], Group] = {}
    for vector in vectors():
        if vector["kind"] not in ("packet", "partial"):
            continue
        for version in (4, 5) if vector["version"] == "both" else (vector["version"],):
            made = _numbered(vector, version) if vector["statement"] else _unnumbered(vector, version)
            found.setdefault((version, made.name), made).vectors.append(vector)
    return [group for group in found.values() if not all(vector.get("ambiguous") for vector in group.vectors)]


def _numbered(vector: Vector, version: int) -> Group:
    statement = vector["statement"] or ""
    name = statement.lower().replace("-", "_").replace(".", "_")
    return Group(version, name, rule_of(statement, version) or statement, statement, [])


def _unnumbered(vector: Vector, version: int) -> Group:
    first = bytes.fromhex(vector["hex"])[0] >> 4
    packet = next(cases_of(vector)).packet_type
    article = "An" if packet[0] in "AU" else "A"
    category = vector["category"]
    kind = category
    if category not in _TITLES:  # connect_valid and the like, and ping
        kind = "valid" if vector["valid"] else "invalid"
    section = _SECTIONS.get(category, {}).get(version, f"3.{first}")
    general = category in ("fixed_header", "utf8", "varint")
    name = kind if general else f"{packet.lower()}_{kind}"
    title = _TITLES[kind]
    named = f"{article} {packet}" if title.startswith("{") else f"{article.lower()} {packet}"
    return Group(version, name, title.format(named), f"MQTT {version_name(version)}, {section}", [])


class _Found:
    """What a decoder makes of the packets of a group."""

    def __init__(self) -> None:
        self.asked = 0
        self.unasked = "it reads no such packets"
        self.wrong: list[str] = []
        self.lax: list[str] = []
        self.bytes = ""  # of the first wrong one, field by field

    def take(self, vector: Vector, case: Case, answer: Answer) -> None:
        """Judge an answer; one about what the standard leaves open is never wrong."""
        if answer.taken is Taken.UNSUPPORTED:
            self.unasked = answer.text or self.unasked
            return
        self.asked += 1
        fault = judge(case, answer)
        if fault is None:
            return
        data = case.data[:_SHOWN].hex(" ") + (" …" if len(case.data) > _SHOWN else "")
        what = f"{case.name} from the {case.sender.value}: {data}"
        if vector.get("ambiguous"):
            self.lax.append(f"{what}: {answer.taken.value}; {vector.get('why', '')}")
            return
        self.bytes = self.bytes or explain(case.data, case.version, sender=case.sender)
        self.wrong.append(f"{what}: {_COMPLAINTS[fault]}{_more(fault, case, answer)}")

    def decide(self) -> None:
        """Pass, or raise the outcome."""
        if self.wrong:
            lines = [f"{len(self.wrong)} of {self.asked} packets are taken wrongly", *_first(self.wrong)]
            raise Failed("\n".join((*lines, "", self.bytes)))
        if self.lax:
            lines = [f"the standard leaves open what becomes of {len(self.lax)} of {self.asked} packets; others differ"]
            raise NotStrict("\n".join((*lines, *_first(self.lax))))
        if not self.asked:
            raise NotApplicable(self.unasked)


def _more(fault: Wrong, case: Case, answer: Answer) -> str:
    said = "; ".join(differences(case.fields, answer.fields)) if fault == "wrong-fields" else answer.text
    return f" ({said[:200]})" if said and fault != "wrong-accept" else ""


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_TOLD]
    if len(lines) > _TOLD:
        yield f"… and {len(lines) - _TOLD} more"


def _made(group: Group) -> Callable[[CodecProbe], Coroutine[Any, Any, None]]:
    """The check of a group."""

    async def check(probe: CodecProbe) -> None:
        found = _Found()
        for vector, case in group.cases():
            await trio.lowlevel.checkpoint()
            answer = probe.ask(case)
            found.take(vector, case, answer)
            if answer.taken is Taken.HUNG:
                break  # each one more would cost as long
        found.decide()

    check.__name__ = check.__qualname__ = group.name
    check.__doc__ = group.title
    return check


for _group in groups():
    checker(Kind.CODEC)(**{"v5" if _group.version == 5 else "v311": _group.rule})(_made(_group))
