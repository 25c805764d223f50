"""What is done to a peer, step by step: made from a seed, played over a socket, written to a file and read again.

A script holds no address and no secret: places for those are marked in its HTTP heads and filled in when it is played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from mqttws.vocabulary import PacketType

__all__ = ["END", "RESET", "Layer", "Moment", "Script", "Step"]

#: Values of ``Step.then``: after the bytes no more come (FIN), or the connection is reset (RST).
END: Final = "end"
RESET: Final = "reset"

#: Bytes of one step; nothing that is made here comes near it, and a file that claims more is none of ours.
_LARGEST_STEP: Final = 1 << 20


class Layer(Enum):
    """What the bytes of a step are."""

    HTTP = "http"
    """A head, or something in its place; ``{target}``, ``{host}``, ``{headers}`` and ``{accept}`` are filled in."""
    MQTT = "mqtt"
    """Control Packets, put into a good binary frame."""
    WIRE = "wire"
    """WebSocket frames, or whatever stands in their place, as they are."""


class Moment(Enum):
    """When a hostile Server stops being a good one."""

    HANDSHAKE = "handshake"
    """In place of the answer to the HTTP request."""
    CONNACK = "connack"
    """In place of CONNACK."""
    OPEN = "open"
    """Behind CONNACK."""
    SUBSCRIBE = "subscribe"
    """In place of SUBACK."""
    PUBLISH = "publish"
    """In place of PUBACK or PUBREC."""


@dataclass(slots=True)
class Step:
    """Some bytes, and how they are sent.

    They are sent ``times`` times, in pieces of ``pieces`` bytes (0: whole); of a packet each is a WebSocket message.
    ``awaits`` names a packet (or ``101``) without which the next step waits in vain. ``spoiled`` marks what is wrong,
    ``demand`` the rule by which the peer has to close then, if no referee can tell; of what is ``debatable`` the
    standards do not say that it has to. At ``identifier`` the Packet Identifier of the Client's last request is
    written. ``then`` ends the connection.
    """

    note: str
    data: bytes = b""
    layer: Layer = Layer.MQTT
    pieces: int = 0
    times: int = 1
    awaits: str = ""
    spoiled: bool = False
    debatable: bool = False
    demand: str = ""
    identifier: int | None = None
    then: str = ""


@dataclass(slots=True)
class Script:
    """A whole attack. ``kind`` says what is wrong in it; a hostile Server begins at ``moment``.

    ``repeat`` is how often it takes for its effect to show, where once is not enough.
    """

    kind: str
    version: int
    steps: list[Step] = field(default_factory=list)
    moment: Moment | None = None
    repeat: int = 1

    @property
    def spoiled(self) -> Step | None:
        """The first step that is wrong; None in a conversation where all is as it should be."""
        return next((step for step in self.steps if step.spoiled), None)

    def with_steps(self, steps: list[Step]) -> Script:
        """The same attack by other steps."""
        return replace(self, steps=steps)

    def to_json(self) -> dict[str, Any]:
        """As members of a JSON object; defaults are left out."""
        members: dict[str, Any] = {"kind": self.kind, "version": self.version}
        if self.moment is not None:
            members["moment"] = self.moment.value
        if self.repeat != 1:
            members["repeat"] = self.repeat
        return members | {"steps": [_step_to_json(step) for step in self.steps]}

    @classmethod
    def from_json(cls, members: Any) -> Script:
        """Read :meth:`to_json`'s members again. Raises :class:`ValueError`, which says what is wrong, for others."""
        kind = _member(members, "kind", str)
        version = _member(members, "version", int)
        if version not in (4, 5):
            raise ValueError(f"version is 4 or 5, not {version}")
        moment = _member(members, "moment", str, None)
        steps = _member(members, "steps", list)
        return cls(
            kind,
            version,
            [_step_from_json(step) for step in steps],
            None if moment is None else Moment(moment),
            _member(members, "repeat", int, 1),
        )


def _step_to_json(step: Step) -> dict[str, Any]:
    members: dict[str, Any] = {"note": step.note, "layer": step.layer.value, "hex": step.data.hex()}
    plain = Step("")
    for name in ("pieces", "times", "awaits", "spoiled", "debatable", "demand", "identifier", "then"):
        if getattr(step, name) != getattr(plain, name):
            members[name] = getattr(step, name)
    return members


def _step_from_json(members: Any) -> Step:
    awaits = _member(members, "awaits", str, "")
    if awaits and awaits != "101" and awaits not in PacketType.__members__:
        raise ValueError(f"{awaits!r} is no packet to wait for")
    then = _member(members, "then", str, "")
    if then not in ("", END, RESET):
        raise ValueError(f"a step ends with {END!r} or {RESET!r}, not {then!r}")
    data = bytes.fromhex(_member(members, "hex", str))
    times = _member(members, "times", int, 1)
    if len(data) > _LARGEST_STEP or not 1 <= times <= 1_000_000:
        raise ValueError("a step is too large")
    identifier = _member(members, "identifier", int, None)
    if identifier is not None and not 0 <= identifier <= len(data) - 2:
        raise ValueError("there is no room for the Packet Identifier")
    return Step(
        _member(members, "note", str),
        data,
        Layer(_member(members, "layer", str)),
        _member(members, "pieces", int, 0),
        times,
        awaits,
        _member(members, "spoiled", bool, False),
        _member(members, "debatable", bool, False),
        _member(members, "demand", str, ""),
        identifier,
        then,
    )


_ABSENT: Final = object()


def _member(members: Any, name: str, kind: type, default: Any = _ABSENT) -> Any:
    """A member of a JSON object, of one kind of value; an integer is not negative."""
    if not isinstance(members, Mapping):
        raise ValueError("a script and its steps are JSON objects")
    value = members.get(name, default)
    if value is _ABSENT:
        raise ValueError(f"the member {name!r} is missing")
    if value is default:
        return value
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise ValueError(f"the member {name!r} should be another kind of value")
    return value
