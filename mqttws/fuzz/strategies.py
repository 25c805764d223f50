"""Hypothesis strategies for everything that MQTT can say, and for what it may not (extra ``fuzz``).

They come from :mod:`~mqttws.fuzz.grammar`, and so from the codec's tables: one for each packet type, each over the
whole legal domain of its packet in one version, as one end may send it. ``sender`` None allows what either end may.
Sizes are bounded by keyword-only limits so that an example stays small; the values are not. What fails shrinks field by
field::

    from hypothesis import given
    from mqttws.codec import decode, encode
    from mqttws.fuzz.strategies import malformed, publishes

    @given(publishes(version=5))
    def test_my_encoder(packet):
        assert decode(my_encode(packet.topic, packet.payload, ...)) == packet

    @given(malformed(version=5))
    def test_my_decoder(case):
        with pytest.raises(MyError):
            my_decode(case.data)   # breaks case.rule
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeVar

from hypothesis import reject
from hypothesis import strategies as st

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
    encode,
)
from mqttws.codec.properties import Place, Property
from mqttws.fuzz import grammar
from mqttws.fuzz.machine import Step, conversation
from mqttws.fuzz.mutations import MUTATIONS, Malformed
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import QOS, PacketType, Role

__all__ = [
    "auths",
    "chunks",
    "connacks",
    "connects",
    "conversations",
    "disconnects",
    "malformed",
    "packet_ids",
    "packets",
    "pingreqs",
    "pingresps",
    "properties",
    "property_values",
    "pubacks",
    "pubcomps",
    "publishes",
    "pubrecs",
    "pubrels",
    "qualities",
    "subacks",
    "subscribes",
    "subscriptions",
    "texts",
    "topic_filters",
    "topic_names",
    "unsubacks",
    "unsubscribes",
    "wills",
]

T = TypeVar("T")
Strategy = st.SearchStrategy

#: Packet Identifiers: 1 to 65,535.
packet_ids = st.integers(1, 65_535)
#: 0, 1, 2.
qualities = st.sampled_from(QOS)


class _Drawn(Source):
    """Choices that Hypothesis makes, each by its own strategy, so that it can shrink them one by one."""

    def __init__(self, draw: st.DrawFn, *, longest: int = 65_535) -> None:
        super().__init__()
        self._draw = draw
        self._longest = longest

    def draw(self, most: int) -> int:
        return self._draw(st.integers(0, most))

    def block(self, size: int) -> bytes:
        return self._draw(st.binary(min_size=size, max_size=size))

    def boolean(self) -> bool:
        return self._draw(st.booleans())

    def choice(self, items: Sequence[T]) -> T:
        return self._draw(st.sampled_from(items))

    def integer(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def binary(self, *, most: int = 20, longest: int = 65_535) -> bytes:
        if self.rarely():
            return super().binary(most=most, longest=min(longest, self._longest))
        return self._draw(st.binary(max_size=min(most, longest)))

    def text(self, *, least: int = 0, most: int = 20, longest: int = 65_535, without: str = "") -> str:
        return super().text(least=least, most=most, longest=min(longest, self._longest), without=without)

    def short_text(self, least: int, most: int, without: str) -> str:
        return self._draw(texts(min_size=least, max_size=most, without=without))


def texts(*, min_size: int = 0, max_size: int = 20, without: str = "") -> Strategy[str]:
    """UTF-8 Encoded Strings: any characters but surrogates, U+0000 and those of ``without``."""
    return st.text(
        st.characters(codec="utf-8", exclude_characters="\0" + without),
        min_size=min_size,
        max_size=max_size,
    )


@st.composite
def topic_names(draw: st.DrawFn, *, max_size: int = 20) -> str:
    """Topic Names, ``$`` ones and such with empty levels included: ``a``, ``$SYS/b``, ``//``.

    ``max_size`` counts characters, and bounds bytes by four times as many.
    """
    return grammar.topic_name(_Drawn(draw), most=max_size, longest=4 * max_size)


@st.composite
def topic_filters(draw: st.DrawFn, version: int = 5, *, max_levels: int = 4) -> str:
    """Topic Filters with and without wildcards, in 5.0 also shared ones: ``a/+/#``, ``$share/g/a``."""
    return grammar.topic_filter(_Drawn(draw), version, max_levels=max_levels)


def chunks(data: bytes) -> Strategy[list[bytes]]:
    """Ways to cut ``data`` into pieces, none of them empty: whole, byte by byte, and anything between.

    ``b"".join`` of them is ``data``; an incremental decoder has to give the same for each.
    """

    def cut(at: list[int]) -> list[bytes]:
        edges = [0, *sorted({each for each in at if each < len(data)}), len(data)]
        return [data[start:stop] for start, stop in pairwise(edges) if start < stop]

    inner = st.integers(1, max(1, len(data) - 1))
    return st.one_of(st.lists(inner, max_size=8).map(cut), st.just(cut(list(range(1, len(data))))))


@st.composite
def property_values(draw: st.DrawFn, row: Property) -> Any:
    """What one occurrence of a property may hold; ``row`` is one of :data:`mqttws.codec.properties.TABLE`."""
    return grammar.property_value(_Drawn(draw), row)


@st.composite
def properties(draw: st.DrawFn, place: Place, sender: Role | None = None, *, max_many: int = 3) -> Any:
    """The properties that may stand in one place, from one end or from either, in any order.

    ``place`` is a :class:`~mqttws.vocabulary.PacketType` or ``"WILL"``: ``{"topic_alias": 1, "user_property": [("a",
    "b")]}`` may stand in a PUBLISH. ``max_many`` bounds how often one that may be repeated is.
    """
    return grammar.properties(_Drawn(draw), place, sender, max_many=max_many)


@st.composite
def wills(draw: st.DrawFn, version: int = 5, *, longest: int = 65_535) -> Will:
    """Will Messages; ``longest`` bounds each of their texts and the payload, in bytes."""
    return grammar.will(_Drawn(draw, longest=longest), version)


def _strategy(packet_type: PacketType, docstring: str) -> Callable[..., Strategy[Any]]:
    """The strategy for one packet type; its limits are those of the builder in the grammar."""
    builder = grammar.BUILDERS[packet_type]

    @st.composite
    def strategy(
        draw: st.DrawFn, /, version: int = 5, sender: Role | None = None, *, longest: int = 65_535, **limits: Any
    ) -> Any:
        return builder(_Drawn(draw, longest=longest), version, sender, **limits)

    strategy.__doc__ = f"{docstring} ``longest`` bounds each text and each binary value, in bytes."
    return strategy


_P = PacketType
connects: Callable[..., Strategy[Connect]] = _strategy(_P.CONNECT, "CONNECT packets.")
connacks: Callable[..., Strategy[ConnAck]] = _strategy(_P.CONNACK, "CONNACK packets.")
publishes: Callable[..., Strategy[Publish]] = _strategy(
    _P.PUBLISH, "PUBLISH packets, in 5.0 also such that name their topic by an alias alone."
)
pubacks: Callable[..., Strategy[PubAck]] = _strategy(_P.PUBACK, "PUBACK packets.")
pubrecs: Callable[..., Strategy[PubRec]] = _strategy(_P.PUBREC, "PUBREC packets.")
pubrels: Callable[..., Strategy[PubRel]] = _strategy(_P.PUBREL, "PUBREL packets.")
pubcomps: Callable[..., Strategy[PubComp]] = _strategy(_P.PUBCOMP, "PUBCOMP packets.")
subscribes: Callable[..., Strategy[Subscribe]] = _strategy(
    _P.SUBSCRIBE, "SUBSCRIBE packets with at most ``max_size`` (4) subscriptions."
)
subacks: Callable[..., Strategy[SubAck]] = _strategy(_P.SUBACK, "SUBACK packets with at most ``max_size`` (4) codes.")
unsubscribes: Callable[..., Strategy[Unsubscribe]] = _strategy(
    _P.UNSUBSCRIBE, "UNSUBSCRIBE packets with at most ``max_size`` (4) Topic Filters."
)
unsubacks: Callable[..., Strategy[UnsubAck]] = _strategy(
    _P.UNSUBACK, "UNSUBACK packets with at most ``max_size`` (4) codes."
)
pingreqs: Callable[..., Strategy[PingReq]] = _strategy(_P.PINGREQ, "PINGREQ packets.")
pingresps: Callable[..., Strategy[PingResp]] = _strategy(_P.PINGRESP, "PINGRESP packets.")
disconnects: Callable[..., Strategy[Disconnect]] = _strategy(_P.DISCONNECT, "DISCONNECT packets.")
auths: Callable[..., Strategy[Auth]] = _strategy(_P.AUTH, "AUTH packets, which exist in 5.0 only.")

_BY_TYPE: Final[dict[PacketType, Callable[..., Strategy[Any]]]] = {
    _P.CONNECT: connects,
    _P.CONNACK: connacks,
    _P.PUBLISH: publishes,
    _P.PUBACK: pubacks,
    _P.PUBREC: pubrecs,
    _P.PUBREL: pubrels,
    _P.PUBCOMP: pubcomps,
    _P.SUBSCRIBE: subscribes,
    _P.SUBACK: subacks,
    _P.UNSUBSCRIBE: unsubscribes,
    _P.UNSUBACK: unsubacks,
    _P.PINGREQ: pingreqs,
    _P.PINGRESP: pingresps,
    _P.DISCONNECT: disconnects,
    _P.AUTH: auths,
}


@st.composite
def subscriptions(draw: st.DrawFn, version: int = 5) -> Subscription:
    """Single subscriptions of a SUBSCRIBE: a Topic Filter and its options."""
    return grammar.subscription(_Drawn(draw), version)


def packets(version: int = 5, sender: Role | None = None, *, longest: int = 65_535) -> Strategy[Packet]:
    """Any packet that ``sender`` may send in ``version``; from either end if it is None."""
    return st.one_of(
        [_BY_TYPE[each](version, sender, longest=longest) for each in grammar.packet_types(version, sender)]
    )


@st.composite
def conversations(draw: st.DrawFn, version: int = 5, *, max_size: int = 30, longest: int = 1_000) -> list[Step]:
    """Whole connections from CONNECT on: a list of ``(sender, packet)`` that both ends may send in this order.

    Identifiers, limits, aliases and acknowledgements fit together, see :func:`mqttws.fuzz.machine.conversation`::

        @given(conversations(version=5))
        def test_my_server(steps):
            for sender, packet in steps:
                if sender is Role.CLIENT:
                    my_server.feed(encode(packet))
    """
    return conversation(_Drawn(draw, longest=longest), version, most=max_size)


@st.composite
def malformed(
    draw: st.DrawFn,
    version: int = 5,
    sender: Role | None = None,
    *,
    mutation: str | None = None,
    debatable: bool = False,
    longest: int = 1_000,
) -> Malformed:
    """Packets that break one rule: ``data``, the ``rule`` in words, and the ``codes`` a receiver may answer with.

    ``statement`` is the rule's number where it has one. A name of :data:`~mqttws.fuzz.mutations.MUTATIONS` as
    ``mutation`` gives this one alone; ``debatable`` also such that a receiver need not refuse. ``sender`` of the result
    may be the other end: some packets are wrong only because of who sends them.
    """
    source = _Drawn(draw, longest=longest)
    fitting = _fitting(version, sender, mutation, debatable)
    for _ in range(8):
        name, packet_type = draw(st.sampled_from(fitting))
        packet = grammar.BUILDERS[packet_type](source, version, sender)
        spoiled = MUTATIONS[name](source, encode(packet, version), version, sender)
        if spoiled is not None and (debatable or not spoiled.debatable):
            return spoiled
    return reject()


#: What fits every packet comes first, so that it is what examples shrink to.
_SIMPLEST_FIRST: Final = sorted(MUTATIONS.values(), key=lambda mutation: mutation.name != "type-reserved")


def _fitting(version: int, sender: Role | None, name: str | None, debatable: bool) -> list[tuple[str, PacketType]]:
    """The pairs of a mutation and a packet type that may go together."""
    return [
        (mutation.name, packet_type)
        for mutation in (_SIMPLEST_FIRST if name is None else (MUTATIONS[name],))
        for packet_type in grammar.packet_types(version, sender)
        if mutation.applies_to(version, packet_type) and (debatable or not mutation.debatable)
    ]
