"""Mutants that no test can kill, each with the reason.

An entry names file, function, source line (blanks collapsed), operator and change; when the line changes, it matches
nothing any more and ``tests/test_mutants.py`` asks for it to be removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.mutants.operators import Mutant

__all__ = ["EQUIVALENTS", "Equivalent", "reason_of"]


@dataclass(frozen=True)
class Equivalent:
    """One change that makes no difference that can be seen through the public API, and why."""

    file: str
    scope: str
    text: str
    operator: str
    change: str
    reason: str

    def matches(self, mutant: Mutant) -> bool:
        """Whether this is the mutant spoken of."""
        mine = (self.file, self.scope, self.text, self.operator, self.change)
        return mine == (mutant.file, mutant.scope, mutant.text, mutant.operator, mutant.change)


EQUIVALENTS: Final[tuple[Equivalent, ...]] = (
    Equivalent(
        "mqttws/codec/acks.py",
        "ack_decoder_v3_1_1.decode_ack_v3_1_1",
        'raise past_end("packet_id", pos) if stop > end else trailing(end - stop, stop)',
        "boundary",
        "stop > end → (stop >= end)",
        "stands behind stop != end, so the two are never equal here",
    ),
    *(
        Equivalent(
            "mqttws/codec/connect.py",
            "_read_version",
            "version=_nearest(buf[stop] if stop < end else 0),",
            "number",
            f"0 → ({number})",
            "below level 5 all have the same nearest version",
        )
        for number in (1, -1)
    ),
    Equivalent(
        "mqttws/codec/dispatch.py",
        "_other_length",
        "if size > claimed:",
        "boundary",
        "size > claimed → (size >= claimed)",
        "is called only where the two differ",
    ),
    Equivalent(
        "mqttws/codec/dispatch.py",
        "decode",
        "if not isinstance(data, bytes):",
        "condition",
        "not isinstance(data, bytes) → True",
        "bytes() of bytes gives back the same object; the question is quicker",
    ),
    *(
        Equivalent(
            "mqttws/codec/dispatch.py",
            "decode",
            "if size >= 3 and 0 < data[2] < 0x80: # up to 16 KiB; 256 bytes take 1.4 µs so, else 2.4",
            operator,
            change,
            "a shortcut; the way behind it comes to the same result",
        )
        for operator, change in (
            ("number", "3 → (4)"),
            ("boundary", "size >= 3 → (size > 3)"),
            ("number", "2 → (1)"),
            ("number", "0 → (1)"),
            ("number", "0x80 → (127)"),
            ("condition", "size >= 3 and 0 < data[2] < 0x80 → False"),
        )
    ),
    Equivalent(
        "mqttws/codec/dispatch.py",
        "",
        "Row(Auth, (None,) * 16, encode_auth_v3_1_1, frozenset()),",
        "number",
        "16 → (17)",
        "stands at the end of the table, and no byte asks for what is behind 255",
    ),
    Equivalent(
        "mqttws/codec/property_list.py",
        "write_properties",
        "if not properties:",
        "condition",
        "not properties → False",
        "a shortcut for the usual case; the way behind it comes to the same result",
    ),
    *(
        Equivalent(
            "mqttws/codec/primitives.py",
            scope,
            text,
            operator,
            change,
            "a shortcut for small numbers; the way behind it comes to the same result",
        )
        for scope, text, subject in (
            ("varint", "if value < 0x80:", "value < 0x80"),
            ("write_packet", "if length < 0x80:", "length < 0x80"),
        )
        for operator, change in (("condition", f"{subject} → False"), ("number", "0x80 → (127)"))
    ),
    Equivalent(
        "mqttws/codec/framer.py",
        "Framer.receive_data",
        "if data and self._fault is None:",
        "operand",
        "data and self._fault is None → (self._fault is None)",
        "keeps an empty piece until the next join, which adds nothing to the bytes",
    ),
    Equivalent(
        "mqttws/codec/framer.py",
        "Framer.receive_data",
        "self._chunks.append(data if isinstance(data, bytes) else bytes(data))",
        "condition",
        "isinstance(data, bytes) → False",
        "bytes() of bytes gives back the same object",
    ),
    *(
        Equivalent(
            "mqttws/codec/framer.py",
            "Framer.packets",
            text,
            operator,
            change,
            "leaves to _next() what the usual case inline would do; _next() comes to the same",
        )
        for text, operator, change in (
            (
                "if len(self._buffer) - self._position + self._later < self._wanted:",
                "condition",
                "len(self._buffer) - self._position + self._later < self._wanted → False",
            ),
            (
                "if len(self._buffer) - self._position + self._later < self._wanted:",
                "arithmetic",
                "len(self._buffer) - self._position → (len(self._buffer) + self._position)",
            ),
            (
                "if body < len(buf) and not self.expect_connect:",
                "condition",
                "body < len(buf) and not self.expect_connect → False",
            ),
            ("elif 0 < buf[body] < 0x80:", "condition", "0 < buf[body] < 0x80 → False"),
            ("elif 0 < buf[body] < 0x80:", "number", "0 → (1)"),
            ("elif 0 < buf[body] < 0x80:", "number", "0x80 → (127)"),
            (
                "if decoder is not None and stop <= len(buf) and stop - start <= self.maximum_packet_size:",
                "condition",
                "decoder is not None and stop <= len(buf) and stop - start <= self.maximum_packet_size → False",
            ),
            (
                "if decoder is not None and stop <= len(buf) and stop - start <= self.maximum_packet_size:",
                "boundary",
                "stop <= len(buf) → (stop < len(buf))",
            ),
            (
                "if decoder is not None and stop <= len(buf) and stop - start <= self.maximum_packet_size:",
                "boundary",
                "stop - start <= self.maximum_packet_size → (stop - start < self.maximum_packet_size)",
            ),
            (
                "if decoder is not None and stop <= len(buf) and stop - start <= self.maximum_packet_size:",
                "arithmetic",
                "stop - start → (stop + start)",
            ),
        )
    ),
    *(
        Equivalent(
            "mqttws/codec/publish.py",
            scope,
            text,
            operator,
            change,
            "a shortcut for the usual case; the way behind it comes to the same result",
        )
        for scope, text, operator, change in (
            (
                "_decoder_v5.decode_publish_v5",
                "if stop < end and not buf[stop]: # no properties: the usual case, not worth a call",
                "condition",
                "stop < end and not buf[stop] → False",
            ),
            (
                "_decoder_v3_1_1.decode_publish_v3_1_1",
                'if not topic or "#" in topic or "+" in topic or "\\0" in topic:',
                "condition",
                'not topic or "#" in topic or "+" in topic or "\\0" in topic → True',
            ),
            (
                "encode_publish_v5",
                'properties = write_properties(packet.properties, _RULES) if packet.properties else b"\\0"',
                "condition",
                "packet.properties → True",
            ),
            (
                "encode_publish_v3_1_1",
                'if not topic or "#" in topic or "+" in topic:',
                "condition",
                'not topic or "#" in topic or "+" in topic → True',
            ),
            ("_assemble", "elif length < 0x4000:", "condition", "length < 0x4000 → False"),
            ("_assemble", "elif length < 0x4000:", "number", "0x4000 → (16383)"),
        )
    ),
    *(
        Equivalent(
            "mqttws/codec/framer.py",
            "Framer._next",
            "if held < self._wanted:",
            operator,
            change,
            "joins the pieces once more than needed, which gives the same bytes",
        )
        for operator, change in (
            ("boundary", "held < self._wanted → (held <= self._wanted)"),
            ("condition", "held < self._wanted → True"),
        )
    ),
    *(
        Equivalent(
            "mqttws/codec/framer.py",
            "Framer._next",
            "if length >= 0x80:",
            operator,
            change,
            "read_header() reads a length of one byte as well, only slower",
        )
        for operator, change in (("number", "0x80 → (127)"), ("condition", "length >= 0x80 → True"))
    ),
    *(
        Equivalent(
            "mqttws/codec/framer.py",
            "Framer._next",
            "if size > self.maximum_packet_size or self.expect_connect:",
            operator,
            change,
            "asks only whether to call _check_size(), which knows the boundary",
        )
        for operator, change in (
            ("boundary", "size > self.maximum_packet_size → (size >= self.maximum_packet_size)"),
            ("condition", "size > self.maximum_packet_size or self.expect_connect → True"),
        )
    ),
    Equivalent(
        "mqttws/codec/framer.py",
        "Framer._join",
        "if rest or len(self._chunks) != 1:",
        "condition",
        "rest or len(self._chunks) != 1 → True",
        "spares a copy; the bytes are the same",
    ),
    Equivalent(
        "mqttws/codec/framer.py",
        "Framer._frame",
        "if len(self._buffer) - start < self._wanted:",
        "condition",
        "len(self._buffer) - start < self._wanted → True",
        "joins the pieces once more than needed, which gives the same bytes",
    ),
    Equivalent(
        "mqttws/codec/framer.py",
        "Framer._frame",
        "if len(self._buffer) - start < self._wanted:",
        "boundary",
        "len(self._buffer) - start < self._wanted → (len(self._buffer) - start <= self._wanted)",
        "joins the pieces once more than needed, which gives the same bytes",
    ),
    Equivalent(
        "mqttws/codec/framer.py",
        "Framer._fail",
        "self._wanted = 0 # so that it is raised again",
        "number",
        "0 → (-1)",
        "no fewer bytes than none are ever held, and none are enough to raise the fault again",
    ),
    *(
        Equivalent(
            "mqttws/codec/walk.py",
            f"Body.{method}",
            "return False",
            "return",
            "return False → return None",
            "says no just as well; the type checker watches the difference",
        )
        for method in ("_absent", "_properties")
    ),
    Equivalent(
        "mqttws/codec/walk.py",
        "Body._hidden",
        'texts = {start: self._packet[start:stop].decode("latin-1") for start, stop in found.parts}',
        "word",
        "\"latin-1\" → 'latin-1~'",
        "Python reads the name of an encoding without its punctuation",
    ),
    *(
        Equivalent(
            "mqttws/codec/raw.py",
            "RawPacket.parse",
            "ends = (index + 1 for index, byte in enumerate(data[:5]) if index and byte < 0x80)",
            operator,
            change,
            "what is found at the last of the five is also the default",
        )
        for operator, change in (("number", "5 → (4)"), ("slice", "data[:5] → data[:5 - 1]"))
    ),
    Equivalent(
        "mqttws/session/flows.py",
        "IncomingExchange.is_taken_over",
        "return self.qos == QoS.EXACTLY_ONCE and self.step in (_Step.TURN, _Step.PUBREL) and self.reason_code < 0x80",
        "number",
        "0x80 → (127)",
        "no acknowledgement has the Reason Code 0x7F",
    ),
    *(
        Equivalent(
            "mqttws/session/flows.py",
            "Incoming.acknowledge",
            "exchange = self._exchanges.get(publish.packet_id or 0)",
            "number",
            f"0 → ({number})",
            "a message without an identifier is none of those that wait, whichever is looked up",
        )
        for number in (1, -1)
    ),
    Equivalent(
        "mqttws/session/flows.py",
        "Incoming.release",
        "return False",
        "return",
        "return False → return None",
        "says no just as well; the type checker watches the difference",
    ),
    Equivalent(
        "mqttws/codec/property_list.py",
        "PropertyRules.__init__",
        "self.anybody = tuple(entries[i][0] if i in entries else None for i in range(256))",
        "number",
        "256 → (257)",
        "no byte asks for the entry behind the last one",
    ),
    Equivalent(
        "mqttws/codec/property_list.py",
        "read_properties",
        "if buf[pos] == 0:",
        "condition",
        "buf[pos] == 0 → False",
        "a shortcut for the usual case; the way behind it comes to the same result",
    ),
    Equivalent(
        "mqttws/codec/property_list.py",
        "read_properties",
        "if buf[pos] == 0:",
        "number",
        "0 → (-1)",
        "a shortcut for the usual case; the way behind it comes to the same result",
    ),
    Equivalent(
        "mqttws/session/aliases.py",
        "TopicAliases.learn",
        "if alias is not None and publish.topic:",
        "operand",
        "alias is not None and publish.topic → (publish.topic)",
        "keeps the last name under None, which no PUBLISH can ask for",
    ),
    Equivalent(
        "mqttws/session/exchanges.py",
        "Exchanges.send_publish",
        "topic = packet.topic or self._outbound.topic_of(packet)",
        "operand",
        "packet.topic or self._outbound.topic_of(packet) → (self._outbound.topic_of(packet))",
        "a shortcut for the usual case; topic_of() asks the same",
    ),
    Equivalent(
        "mqttws/session/exchanges.py",
        "Exchanges._encoded",
        "if publish.properties:",
        "condition",
        "publish.properties → True",
        "a shortcut; without properties there is no alias to learn",
    ),
    Equivalent(
        "mqttws/session/exchanges.py",
        "Exchanges.on_acknowledgement",
        "if kind not in awaited or exchange.publish is None or outgoing.waits_for_resend(packet_id):",
        "operand",
        "kind not in awaited or exchange.publish is None or outgoing.waits_for_resend(packet_id)"
        " → (kind not in awaited or outgoing.waits_for_resend(packet_id))",
        "speaks to the type checker: what has no message waits for an answer that does not come here",
    ),
    Equivalent(
        "mqttws/session/exchanges.py",
        "Exchanges.acknowledge",
        "encode(PubAck(1, reason_code, said)) # checked before anything changes",
        "number",
        "1 → (2)",
        "any identifier does, the packet is written only to be checked",
    ),
    *(
        Equivalent(
            "mqttws/session/flows.py",
            scope,
            text,
            "number",
            f"0 → ({number})",
            "is compared with answers to requests only, which are begun with their number of filters",
        )
        for scope, text in (
            (
                "Outgoing.begin",
                "def begin(self, packet_id: int, awaits: PacketType, publish: Publish | None = None,"
                " filters: int = 0) -> None:",
            ),
            ("OutgoingExchange", "filters: int = 0"),
        )
        for number in (1, -1)
    ),
    Equivalent(
        "mqttws/session/outbox.py",
        "Outbox.append",
        "if self._held or journal.stored != journal.recorded:",
        "condition",
        "self._held or journal.stored != journal.recorded → True",
        "a shortcut; what is held for changes that are stored already leaves with the next take()",
    ),
    Equivalent(
        "mqttws/session/lifecycle.py",
        "Lifecycle.__init__",
        "self._own = Limits()",
        "statement",
        "self._own = Limits() → pass",
        "tells the type checker what it is; whoever announces limits sets it before it is read",
    ),
    Equivalent(
        "mqttws/session/lifecycle.py",
        "Lifecycle.__init__",
        "self._now = 0.0",
        "number",
        "0.0 → (1.0)",
        "every method that reads the time has noted that of its caller before",
    ),
    Equivalent(
        "mqttws/session/states.py",
        "StateTable.check",
        "if packet is _P.DISCONNECT and sender is Role.SERVER and self.version is ProtocolVersion.V3_1_1:",
        "operand",
        "packet is _P.DISCONNECT and sender is Role.SERVER and self.version is ProtocolVersion.V3_1_1"
        " → (sender is Role.SERVER and self.version is ProtocolVersion.V3_1_1)",
        "the only other packet that comes so far is AUTH, and 3.1.1 has no method, so it was refused above",
    ),
    Equivalent(
        "mqttws/session/states.py",
        "State",
        "CLOSED = 6",
        "number",
        "6 → (7)",
        "the members are keys; their numbers need only differ",
    ),
    Equivalent(
        "mqttws/session/states.py",
        "StateTable.check",
        "if packet not in _CONDITIONAL:",
        "condition",
        "packet not in _CONDITIONAL → False",
        "a shortcut; the conditions behind it ask for the same packets",
    ),
    Equivalent(
        "mqttws/session/writer.py",
        "PacketWriter.encode",
        "if self.terse or len(data) > self.limits.maximum_packet_size:",
        "boundary",
        "len(data) > self.limits.maximum_packet_size → (len(data) >= self.limits.maximum_packet_size)",
        "asks only whether to look closer; what is called then knows the boundary",
    ),
    Equivalent(
        "mqttws/session/writer.py",
        "",
        "_ALWAYS_WORDY = frozenset((PacketType.CONNACK, PacketType.DISCONNECT, PacketType.PUBLISH))",
        "row",
        "(PacketType.CONNACK, PacketType.DISCONNECT, PacketType.PUBLISH) → (PacketType.CONNACK, PacketType.DISCONNECT)",
        "the row is the statement's; PUBLISH is never shortened for any reason",
    ),
    *(
        Equivalent(
            "mqttws/session/limits.py",
            "Limits.announced_in",
            f'bool(said.get("{name}_available", 1)),',
            "number",
            "1 → (2)",
            "both are true, and the value is asked for nothing else",
        )
        for name in ("retain", "wildcard_subscription", "subscription_identifier", "shared_subscription")
    ),
    *(
        Equivalent(
            "mqttws/session/connection.py",
            f"Connection.{method}",
            "self._now = now",
            "statement",
            "self._now = now → pass",
            "whatever is given the time notes it; nothing asks for it before the next call that brings it, or at all",
        )
        for method in ("start", "receive_eof", "relay", "close")
    ),
)


def reason_of(mutant: Mutant) -> str | None:
    """Why a mutant is equivalent, or None if it should die."""
    return next((entry.reason for entry in EQUIVALENTS if entry.matches(mutant)), None)
