"""Keep Alive (3.1.2.10): when to send PINGREQ, and when to give the peer up. All times are the caller's seconds."""

from __future__ import annotations

import math

from mqttws.vocabulary import Role

__all__ = ["KeepAlive"]

#: A Client pings when this part of the Keep Alive has passed since its last packet, so that a PINGREQ that is late by
#: a quarter of it still keeps the promise [MQTT-3.1.2-20; 3.1.1: MQTT-3.1.2-23].
PING_AFTER = 0.75
#: A Server gives up at this multiple [MQTT-3.1.2-22; 3.1.1: MQTT-3.1.2-24].
GRACE = 1.5


class KeepAlive:
    """One end's clockwork for one connection.

    ``interval`` is the Keep Alive in seconds as settled, 0 for none. A Client gives the Server up when PINGRESP is not
    there ``ping_timeout`` seconds after PINGREQ; by default half the Keep Alive, so that a dead Server is noticed after
    1.25 times the Keep Alive.
    """

    __slots__ = ("_answer_by", "_interval", "_last_received", "_last_sent", "_ping_timeout", "_resting", "_role")

    def __init__(self, role: Role, interval: int, now: float, ping_timeout: float | None = None) -> None:
        self._role = role
        self._interval = interval
        self._last_sent = now
        self._last_received = now
        self._answer_by = math.inf
        self._resting = False
        self._ping_timeout = interval / 2 if ping_timeout is None else ping_timeout

    def sent(self, now: float) -> None:
        """A packet has been handed out for sending."""
        self._last_sent = now

    def received(self, now: float) -> None:
        """A whole packet has come in."""
        self._last_received = now

    def heard(self, now: float) -> None:
        """Some bytes have come in: a Server that is in the middle of a long packet is not dead."""
        if self._answer_by < math.inf:
            self._answer_by = now + self._ping_timeout

    def pinged(self, now: float) -> None:
        """PINGREQ is on its way; PINGRESP is awaited. The next one is not due before this one had time to leave."""
        self._last_sent = now
        self._answer_by = min(self._answer_by, now + self._ping_timeout)

    def answered(self) -> None:
        """PINGRESP has come."""
        self._answer_by = math.inf

    def rest(self) -> None:
        """The owner reads nothing for a while: the peer's silence says nothing. A Client pings on."""
        self._resting = True

    def resume(self, now: float) -> None:
        """The owner reads again: the peer has its full time from now on."""
        if self._resting:
            self._resting = False
            self._last_received = now
            self.heard(now)

    def deadline(self) -> float:
        """When to look again; infinity when there is no Keep Alive."""
        if self._role is Role.SERVER:
            return self._last_received + GRACE * self._interval if self._interval and not self._resting else math.inf
        if self._answer_by < math.inf and not self._resting:
            return self._answer_by
        return self._last_sent + PING_AFTER * self._interval if self._interval else math.inf

    @property
    def ping_is_due(self) -> bool:
        """Whether reaching :meth:`deadline` calls for PINGREQ; otherwise the peer is to be given up."""
        return self._role is Role.CLIENT and (self._answer_by == math.inf or self._resting)
