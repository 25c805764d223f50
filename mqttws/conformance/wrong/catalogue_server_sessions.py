"""Wrong Servers: Sessions and Wills."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from mqttws.codec import Connect, PingReq
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.member import Member, Message
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.vocabulary import ProtocolVersion, ReasonCode

__all__ = ["entries"]

_NEVER: Final = 0xFFFF_FFFF


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _sessions()
    yield from _wills()
    yield from _changed_wills()


def _sessions() -> Iterator[Wrong]:
    yield wrong_server(
        "clean_start_keeps_session", "It goes on with the old Session although the Client wants a new one.",
        v5=("MQTT-3.1.2-4", "MQTT-3.1.4-4"), v311=("MQTT-3.1.2-6", "MQTT-3.1.4-3"),
        broker={"join": _join_old},
    )  # fmt: skip
    yield wrong_server(
        "never_resumes", "It begins a new Session each time.",
        v5=("MQTT-3.1.2-5", "MQTT-3.1.2-23", "MQTT-3.2.2-3", "MQTT-3.1.4-4"),
        v311=("MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-4.1.0-1"),
        broker={"join": lambda self, key, version, **_: Broker.join(self, key, version, clean=True)},
    )  # fmt: skip
    yield wrong_server(
        "wants_session_to_be_there", "It refuses who wants to go on with a Session that is not there.",
        v5="MQTT-3.1.2-6", v311="MQTT-3.1.2-4", visit={"judge": _refuse_without_session},
    )  # fmt: skip
    yield wrong_server(
        "ends_sessions_at_once", "It ends each Session with its connection.",
        v5="MQTT-3.1.2-23", v311="MQTT-3.1.2-4",
        broker={"leave": lambda self, member, _expiry, **said: Broker.leave(self, member, 0, **said)},
    )  # fmt: skip
    yield wrong_server(
        "never_ends_sessions", "It keeps each Session for ever.",
        v5="MQTT-4.1.0-2", v311="MQTT-3.1.2-6", broker={"leave": _leave_for_ever},
    )  # fmt: skip
    yield wrong_server(
        "drops_subscriptions_at_ping", "It forgets the subscriptions of a Client while that is connected.",
        v5="MQTT-4.1.0-1", v311=("MQTT-4.1.0-1", "MQTT-4.1.0-2"), also=("*",),
        visit={"handle": _forget_at_ping},
    )  # fmt: skip
    yield wrong_server(
        "mixes_sessions_up", "It knows Sessions by the first letters of the Client Identifier.",
        v5="MQTT-3.1.3-2", v311="MQTT-3.1.3-2", also=("*",),
        visit={"key_of": lambda _self, packet: packet.client_id[:1] or "x"},
    )  # fmt: skip


def _join_old(self: Broker, key: str, version: ProtocolVersion, *, clean: bool) -> tuple[Member, bool]:
    known = self.members.get(key)
    if known is None or not clean:
        return Broker.join(self, key, version, clean=clean)
    member, _ = Broker.join(self, key, version, clean=True)
    member.subscriptions, member.waiting = known.subscriptions, known.waiting
    return member, False


def _leave_for_ever(self: Broker, member: Member, expiry: int, *, with_will: bool) -> None:
    del expiry
    Broker.leave(self, member, _NEVER, with_will=with_will)


def _refuse_without_session(self: Visit, packet: Connect) -> int:
    if not packet.clean_start and packet.client_id not in self.broker.members:
        return ReasonCode.UNSPECIFIED_ERROR if packet.version == ProtocolVersion.V5 else 2
    return Visit.judge(self, packet)


def _forget_at_ping(self: Visit, event: Any) -> None:
    if isinstance(event, PingReq) and self.member is not None:
        self.member.subscriptions.clear()
    Visit.handle(self, event)


def _wills() -> Iterator[Wrong]:
    yield wrong_server(
        "publishes_no_will", "It never publishes a Will.",
        v5=("MQTT-3.1.2-7", "MQTT-3.1.2-8"), v311="MQTT-3.1.2-8", broker={"speak": _forget_will},
    )  # fmt: skip
    yield wrong_server(
        "publishes_will_after_disconnect", "It publishes the Will although the Client has said goodbye.",
        v5=("MQTT-3.14.4-3", "MQTT-3.1.2-10", "MQTT-3.1.2-8"), v311=("MQTT-3.14.4-3", "MQTT-3.1.2-10"),
        visit={"keeps_will": lambda _self, _packet: True},
    )  # fmt: skip
    yield wrong_server(
        "publishes_will_twice", "It publishes a Will twice.",
        v5="MQTT-3.1.2-10", v311="MQTT-3.1.2-10", broker={"speak": _speak_twice},
    )  # fmt: skip
    yield wrong_server(
        "drops_will_with_any_disconnect", "It drops the Will although the DISCONNECT asks for it.",
        v5=("MQTT-3.1.2-8", "MQTT-3.14.4-3"), visit={"keeps_will": lambda _self, _packet: False},
    )  # fmt: skip


def _changed_wills() -> Iterator[Wrong]:
    yield wrong_server(
        "never_retains_wills", "It retains no Will.",
        v5="MQTT-3.1.2-15", v311="MQTT-3.1.2-17", broker={"will_of": _will_with(retain=False)},
    )  # fmt: skip
    yield wrong_server(
        "retains_all_wills", "It retains every Will.",
        v5="MQTT-3.1.2-14", v311="MQTT-3.1.2-16", broker={"will_of": _will_with(retain=True)},
    )  # fmt: skip
    yield wrong_server(
        "publishes_wills_at_once", "It knows no Will Delay.",
        v5="MQTT-3.1.3-9", broker={"will_of": lambda *said: (Broker.will_of(*said)[0], 0)},
    )  # fmt: skip
    yield wrong_server(
        "publishes_delayed_wills_never", "It forgets Wills that have a delay.",
        v5="MQTT-3.1.2-8", broker={"will_of": lambda *said: _no_delayed(*Broker.will_of(*said))},
    )  # fmt: skip
    yield wrong_server(
        "publishes_will_of_resumed_session", "It publishes the Will although the Client has come back in time.",
        v5="MQTT-3.1.3-9", broker={"resume": _speak_and_resume},
    )  # fmt: skip
    yield wrong_server(
        "turns_user_properties_of_wills", "It turns the order of the User Properties of a Will.",
        v5="MQTT-3.1.3-10", broker={"will_of": _will_turned},
    )  # fmt: skip
    yield wrong_server(
        "keeps_will_of_earlier_connection", "It publishes the Will of an earlier connection of the same Client.",
        v311="MQTT-3.1.2-12", broker={"leave": _leave_with_old_will},
    )  # fmt: skip


def _forget_will(self: Broker, member: Member) -> None:
    del self
    member.will, member.will_at = None, math.inf


def _speak_twice(self: Broker, member: Member) -> None:
    will = member.will
    Broker.speak(self, member)
    if will is not None:
        self.publish(will)


def _will_with(**fields: Any) -> Any:
    def will_of(self: Broker, will: Any, key: str) -> tuple[Message, int]:
        message, delay = Broker.will_of(self, will, key)
        return replace(message, **fields), delay

    return will_of


def _will_turned(self: Broker, will: Any, key: str) -> tuple[Message, int]:
    message, delay = Broker.will_of(self, will, key)
    if "user_property" in message.properties:
        message.properties["user_property"] = message.properties["user_property"][::-1]
    return message, delay


def _no_delayed(message: Message, delay: int) -> tuple[Message | None, int]:
    return (None if delay else message), delay


def _speak_and_resume(self: Broker, member: Member, version: ProtocolVersion) -> None:
    self.speak(member)
    Broker.resume(self, member, version)


def _leave_with_old_will(self: Broker, member: Member, expiry: int, *, with_will: bool) -> None:
    old: dict[str, Message] = self.__dict__.setdefault("old", {})
    if member.will is not None:
        old[member.key] = member.will
    elif member.key in old:
        self.publish(old[member.key])
    Broker.leave(self, member, expiry, with_will=with_will)
