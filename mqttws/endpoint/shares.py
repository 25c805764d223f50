"""Shared subscriptions (5.0: 4.8.2): of all that share one, a single member gets each message."""

from __future__ import annotations

from typing import Generic, TypeVar

from mqttws.endpoint.subscriber import Subscriber

__all__ = ["Share"]

MemberT = TypeVar("MemberT")


class Share(Generic[MemberT]):
    """Those who share one subscription, whoever has waited longest first. Compared by identity."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: dict[MemberT, Subscriber] = {}

    def pick(self) -> tuple[MemberT, Subscriber]:
        """Whose turn it is: one that is connected if there is one, else one for whom it is queued."""
        members = self.members
        chosen = next((member for member in members if getattr(member, "peer", None) is not None), None)
        if chosen is None:
            chosen = next(iter(members))
        subscriber = members.pop(chosen)
        members[chosen] = subscriber
        return chosen, subscriber
