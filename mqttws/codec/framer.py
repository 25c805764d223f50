"""Bytes in any pieces, packets out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from sys import maxsize
from typing import Final, Literal, overload

from mqttws.codec.connect import Connect
from mqttws.codec.dispatch import DECODERS, Packet, decode, read_header, refusal, refuse_padding
from mqttws.codec.faults import settle
from mqttws.codec.primitives import MAXIMUM_VARINT
from mqttws.codec.raw import Checks, RawPacket
from mqttws.errors import MalformedPacket, RemoteProtocolError
from mqttws.vocabulary import PacketType, ProtocolVersion, ReasonCode, Role

#: The largest packet there can be: a fixed header of five bytes, and what its length can tell.
LARGEST_PACKET: Final = MAXIMUM_VARINT + 5

#: No CONNECT needs more, and who sent it is not known yet (CVE-2023-0809).
LARGEST_CONNECT: Final = 65_536

_CONNECT: Final = 0x10


class Framer:
    """An incremental reader: any split of the bytes gives the same packets, in time proportional to the bytes.

    ``version`` None means that the first packet has to be a CONNECT, which tells it. ``maximum_packet_size`` counts
    whole packets, fixed header included; a claim above it is refused at the header, with 0x95. Both may be changed
    between two packets, also while :meth:`packets` is iterated, and so may ``expect_connect``: while that is true, the
    next packet has to be a CONNECT of at most 64 KiB. A claimed length allocates nothing: what is held is what came.

    After a fault nothing more is read, and each further call of :meth:`packets` raises it again.
    """

    __slots__ = (
        "_buffer", "_chunks", "_decoders", "_fault", "_later", "_position", "_sender", "_version", "_wanted",
        "expect_connect", "maximum_packet_size",
    )  # fmt: skip

    def __init__(
        self, version: int | None = None, *, sender: Role | None = None, maximum_packet_size: int = LARGEST_PACKET
    ) -> None:
        self._sender = sender
        self.version = version
        self.expect_connect = version is None
        self.maximum_packet_size = maximum_packet_size
        self._buffer = b""
        self._position = 0  # where the next packet starts in the buffer
        self._chunks: list[bytes] = []  # what came behind the buffer
        self._later = 0  # bytes in the chunks
        self._wanted = 1  # so many bytes of the next packet are needed before it makes sense to look again
        self._fault: RemoteProtocolError | None = None

    @property
    def version(self) -> ProtocolVersion | None:
        """The version in force; None until the CONNECT has told it."""
        return self._version

    @version.setter
    def version(self, version: int | None) -> None:
        self._version = None if version is None else ProtocolVersion(version)
        self._decoders = DECODERS[version or ProtocolVersion.V5][self._sender]

    @property
    def pending(self) -> int:
        """How many bytes are held: those of an unfinished packet, and of packets that nobody took yet."""
        return len(self._buffer) - self._position + self._later

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Store what came. Nothing is looked at before :meth:`packets`; after a fault it is dropped."""
        if data and self._fault is None:
            self._chunks.append(data if isinstance(data, bytes) else bytes(data))
            self._later += len(data)

    @overload
    def packets(self, checks: Literal[Checks.STRICT] = Checks.STRICT) -> Iterator[Packet]: ...
    @overload
    def packets(self, checks: Literal[Checks.RAW]) -> Iterator[RawPacket]: ...
    @overload
    def packets(self, checks: Checks) -> Iterator[Packet | RawPacket]: ...
    def packets(self, checks: Checks = Checks.STRICT) -> Iterator[Packet | RawPacket]:
        """The packets that are complete, one by one; then the fault, if one came behind them.

        With less than all ``checks`` only framing and size are faults; what breaks another rule is a
        :class:`RawPacket`. The first CONNECT tells the version all the same, as far as it can be read.
        """
        if len(self._buffer) - self._position + self._later < self._wanted:
            return
        if checks is not Checks.STRICT:
            while (data := self._frame()) is not None:
                yield self._unchecked(data, checks)
            return
        packet: Packet | None
        while True:
            # The usual case inline, which halves the cost of framing: all of a packet of at most 16 KiB is in the
            # buffer. Whatever is not plainly so goes to _next(), which looks at everything in order.
            buf, start = self._buffer, self._position
            body = start + 2
            if body < len(buf) and not self.expect_connect:
                length = buf[start + 1]
                if length < 0x80:
                    stop = body + length
                elif 0 < buf[body] < 0x80:
                    stop = body + 1 + (length & 0x7F | buf[body] << 7)
                    body += 1
                else:
                    stop = maxsize  # in no buffer, so it is for _next()
                decoder = self._decoders[buf[start]]
                if decoder is not None and stop <= len(buf) and stop - start <= self.maximum_packet_size:
                    try:
                        packet = decoder(buf, body, stop, self._sender)
                    except RemoteProtocolError as error:
                        raise self._fail(error, start) from None
                    self._position = stop
                    yield packet
                    continue
            packet = self._next()
            if packet is None:
                return
            yield packet

    def receive_eof(self) -> None:
        """The stream is over. Raises :class:`MalformedPacket` if it ends inside a packet, else nothing.

        Packets that are complete can still be taken.
        """
        if self._fault is not None:
            raise self._fault.with_traceback(None)
        self._join()
        position, size = 0, len(self._buffer)
        try:
            while position < size:
                header = read_header(self._buffer, position)
                if header is None or sum(header) > size:
                    break
                position = sum(header)
        except MalformedPacket:
            return  # a fault inside the bytes, which packets() will raise in its turn
        if position < size:
            raise MalformedPacket(
                f"the stream ends inside a packet, {size - position} bytes of which are here",
                version=self._version,
                offset=size - position,
            )

    def _next(self) -> Packet | None:
        """The next packet, or None if it is not there yet."""
        if self._fault is not None:
            raise self._fault.with_traceback(None)
        buf = self._buffer
        start = self._position
        try:
            while True:
                held = len(buf) - start
                if held < self._wanted:
                    if held + self._later < self._wanted:
                        return None
                    buf, start = self._join(), 0
                    held = len(buf)
                first = buf[start]
                decoder = self._decoders[first]
                if decoder is None or (self.expect_connect and first != _CONNECT):
                    raise self._refusal(first, start)
                if held < 2:
                    self._wanted = 2
                    continue
                length = buf[start + 1]
                body = start + 2
                if length >= 0x80:
                    header = read_header(buf, start)
                    if header is None:
                        self._wanted = held + 1
                        continue
                    length, body = header
                stop = body + length
                size = stop - start
                if size > self.maximum_packet_size or self.expect_connect:
                    self._check_size(size, start)
                if size > held:
                    self._wanted = size
                    continue
                if body - start > 2:
                    refuse_padding(buf, start, body, self._version or ProtocolVersion.V5)
                packet: Packet = decoder(buf, body, stop, self._sender)
                self._position = stop
                self._wanted = 1
                if self.expect_connect:
                    self._connected(packet)
                return packet
        except RemoteProtocolError as error:
            raise self._fail(error, start) from None

    def _frame(self) -> bytes | None:
        """The bytes of the next packet, as its fixed header tells them, or None if they are not all there yet."""
        if self._fault is not None:
            raise self._fault.with_traceback(None)
        start = self._position
        try:
            while self.pending >= self._wanted:
                if len(self._buffer) - start < self._wanted:
                    self._join()
                    start = 0
                buf = self._buffer
                header = read_header(buf, start)
                if header is None:
                    self._wanted = len(buf) - start + 1
                    continue
                size = sum(header) - start
                self._check_size(size, start)
                if size <= len(buf) - start:
                    self._position, self._wanted = start + size, 1
                    return buf[start : start + size]
                self._wanted = size
        except RemoteProtocolError as error:
            raise self._fail(error, start) from None
        return None

    def _unchecked(self, data: bytes, checks: Checks) -> Packet | RawPacket:
        """What one packet is under less than all checks."""
        expected = self.expect_connect
        if expected and data[0] >> 4 == PacketType.CONNECT:
            self.version = _version_of(data)
            self.expect_connect = expected = False
        if checks is Checks.LENIENT and not expected:
            with suppress(RemoteProtocolError):
                return decode(data, self._version or ProtocolVersion.V5, sender=self._sender)
        return RawPacket.parse(data)

    def _fail(self, error: RemoteProtocolError, start: int) -> RemoteProtocolError:
        """Keep the fault of the packet that began at ``start``, and nothing else."""
        self._fault = settle(error, self._version, start)
        self._buffer, self._position, self._later = b"", 0, 0
        self._wanted = 0  # so that it is raised again
        self._chunks.clear()
        return self._fault

    def _join(self) -> bytes:
        """Make one buffer of what is left of the old one and the chunks behind it; each byte is moved at most twice."""
        rest = self._buffer[self._position :]
        if rest or len(self._chunks) != 1:
            self._buffer = b"".join((rest, *self._chunks))
        else:
            self._buffer = self._chunks[0]
        self._position = self._later = 0
        self._chunks.clear()
        return self._buffer

    def _refusal(self, first: int, start: int) -> RemoteProtocolError:
        """Why this byte cannot begin the next packet."""
        if self.expect_connect and first >> 4 != PacketType.CONNECT:
            return RemoteProtocolError(
                "the first packet is not a CONNECT", statement="MQTT-3.1.0-1", offset=start, field="packet_type"
            )
        return refusal(first, self._version or ProtocolVersion.V5, self._sender, start)

    def _check_size(self, size: int, start: int) -> None:
        limit = min(self.maximum_packet_size, LARGEST_CONNECT) if self.expect_connect else self.maximum_packet_size
        if size > limit:
            raise RemoteProtocolError(
                f"a packet of {size} bytes, at most {limit} are taken",
                reason_code=ReasonCode.PACKET_TOO_LARGE,
                offset=start + 1,
                field="remaining_length",
            )

    def _connected(self, packet: Packet) -> None:
        """Go on in the version of the CONNECT."""
        assert isinstance(packet, Connect)
        self.version = packet.version
        self.expect_connect = False


def _version_of(data: bytes) -> ProtocolVersion:
    """The version of a CONNECT, be it sound or not: what its level says, or the nearest."""
    try:
        packet = decode(b"\x10" + data[1:])
    except RemoteProtocolError as error:
        version = error.version
    else:
        assert isinstance(packet, Connect)
        version = packet.version
    assert version is not None
    return ProtocolVersion(version)
