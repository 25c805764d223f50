"""Whose turn it is in an exchange of AUTH (4.12): the two ends take turns, and only the Client begins.

Like the states of a connection the table does not know which role we play.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from mqttws.errors import LocalProtocolError, name_of
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role

__all__ = ["Authentication"]

_CONTINUE: Final = ReasonCode.CONTINUE_AUTHENTICATION


class _Turn(Enum):
    """What is due next."""

    ANSWER = auto()
    """CONNECT named a method: the Server asks for more, or sends CONNACK."""
    PROOF = auto()
    """The Server has asked for more: the Client answers."""
    NOTHING = auto()
    """The connection is open; the Client may authenticate again at any time."""
    ANSWER_AGAIN = auto()
    """The Client authenticates again: the Server asks for more, or says that it is content."""
    PROOF_AGAIN = auto()
    """The Server has asked for more."""


_TURNS: Final[dict[_Turn, dict[tuple[Role, int], _Turn]]] = {
    _Turn.ANSWER: {(Role.SERVER, _CONTINUE): _Turn.PROOF},
    _Turn.PROOF: {(Role.CLIENT, _CONTINUE): _Turn.ANSWER},
    _Turn.NOTHING: {(Role.CLIENT, ReasonCode.RE_AUTHENTICATE): _Turn.ANSWER_AGAIN},
    _Turn.ANSWER_AGAIN: {
        (Role.SERVER, _CONTINUE): _Turn.PROOF_AGAIN,
        (Role.SERVER, ReasonCode.SUCCESS): _Turn.NOTHING,
    },
    _Turn.PROOF_AGAIN: {(Role.CLIENT, _CONTINUE): _Turn.ANSWER_AGAIN},
}

#: The statement that a wrong code breaks before CONNACK; later ones have no number.
_STATEMENTS: Final[dict[tuple[_Turn, Role], str]] = {
    (_Turn.ANSWER, Role.SERVER): "MQTT-4.12.0-2",
    (_Turn.PROOF, Role.CLIENT): "MQTT-4.12.0-3",
}


class Authentication:
    """The exchange of one connection whose CONNECT named an Authentication Method."""

    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn = _Turn.ANSWER

    @property
    def under_way(self) -> bool:
        """Whether an exchange has begun and not ended; a further one cannot begin before that."""
        return self._turn is not _Turn.NOTHING

    def check(self, sender: Role, reason_code: int) -> None:
        """Raise :class:`LocalProtocolError` unless ``sender`` may send an AUTH with this code now. Changes nothing."""
        if (sender, reason_code) not in _TURNS[self._turn]:
            raise self._error(f"AUTH with {name_of(reason_code)} from the {sender.name.title()}", sender)

    def check_accepted(self) -> None:
        """Raise :class:`LocalProtocolError` where CONNACK says yes although the Server has just asked for more."""
        if self._turn is _Turn.PROOF:
            raise self._error("CONNACK with a code of 0", Role.SERVER)

    def advance(self, sender: Role, reason_code: int) -> None:
        """An AUTH that :meth:`check` let pass was sent or has come."""
        self._turn = _TURNS[self._turn][sender, reason_code]

    def accepted(self) -> None:
        """CONNACK has ended the first exchange."""
        self._turn = _Turn.NOTHING

    def _error(self, what: str, sender: Role) -> LocalProtocolError:
        due = {
            _Turn.ANSWER: "the Server's AUTH or CONNACK is due",
            _Turn.ANSWER_AGAIN: "the Server's AUTH is due",
            _Turn.NOTHING: "no exchange is under way",
        }.get(self._turn, "the Client's AUTH is due")
        return LocalProtocolError(
            f"{what}, while {due}", version=ProtocolVersion.V5, statement=_STATEMENTS.get((self._turn, sender))
        )
