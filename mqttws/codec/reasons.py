"""Reason Codes on the wire: which a packet may carry, and by whom."""

from __future__ import annotations

from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.vocabulary import REASON_CODES, PacketType, ReasonCode, Role


class ReasonTable:
    """The Reason Codes of one packet type, and the statement of 5.0 that asks for one of them.

    ``codes`` are those of either end, by their byte.
    """

    __slots__ = ("_client", "_server", "_statement", "codes", "packet_type")

    def __init__(self, packet_type: PacketType, statement: str, codes: dict[int, ReasonCode] | None = None) -> None:
        by_role = {Role.CLIENT: codes, Role.SERVER: codes} if codes is not None else REASON_CODES[packet_type]
        self.packet_type = packet_type
        self._statement = statement
        self._client, self._server = by_role[Role.CLIENT], by_role[Role.SERVER]
        self.codes = {**self._client, **self._server}

    def read(self, buf: bytes, pos: int, sender: Role | None) -> ReasonCode:
        """The Reason Code at ``pos``, which is there."""
        codes = self.codes if sender is None else self._client if sender is Role.CLIENT else self._server
        code = codes.get(buf[pos])
        if code is None:
            raise self.fault(buf[pos], pos)
        return code

    def fault(self, byte: int, offset: int) -> RemoteProtocolError:
        """The error for a byte that is not in the table."""
        return RemoteProtocolError(
            f"{self.packet_type.name} with Reason Code 0x{byte:02X}, which is not in its table",
            statement=self._statement,
            offset=offset,
            field="reason_code",
        )

    def write(self, value: int) -> bytes:
        """One byte. Who sends it is not known here: what either end may say passes."""
        if value not in self.codes:
            raise LocalProtocolError(
                f"{self.packet_type.name} has no Reason Code {value}", statement=self._statement, field="reason_code"
            )
        return b"%c" % value
