"""From a hub's calls to an :class:`~mqttws.endpoint.upstream.Upstream` and back (trio)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import trio

from mqttws.codec import ConnAck, Publish, encode
from mqttws.endpoint.log import Log
from mqttws.endpoint.members import REASON_LIMIT
from mqttws.endpoint.service import Service
from mqttws.endpoint.upstream import (
    Call,
    ConnectRequest,
    Denied,
    EventAnswer,
    Granted,
    MemberConnected,
    Upstream,
    UserEvent,
)
from mqttws.redaction import redact

__all__ = ["Reply", "ask", "failure"]

#: Gives an answer to the hub that waits for it, at the time that is its argument.
Reply: TypeAlias = Callable[[float], None]


async def ask(upstream: Upstream, call: Call, service: Service, log: Log) -> Reply | None:
    """The upstream's answer to a call; None where nobody waits for one.

    It has ``event_timeout`` seconds. Then, or when it raises, the client is refused or its event has failed.
    """
    try:
        with trio.fail_after(service.event_timeout):
            if isinstance(call, ConnectRequest):
                return partial(call.answer, _decision(await upstream.connect(call)))
            if isinstance(call, UserEvent):
                return partial(call.answer, _event_answer(await upstream.event(call)))
            if isinstance(call, MemberConnected):
                await upstream.connected(call)
            else:
                await upstream.disconnected(call)
    except trio.TooSlowError:
        log("EventHandlerFailed", f"no answer within {service.event_timeout:g} seconds", hub=call.hub)
        return failure(call, 504)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in an event handler is a refusal
        log("EventHandlerFailed", redact(repr(error)), hub=call.hub)
        return failure(call, 500)
    return None


def failure(call: Call, status: int) -> Reply | None:
    """The answer where there is none: the client is refused, its event has failed with this HTTP status."""
    if isinstance(call, ConnectRequest):
        return partial(call.answer, Denied())
    if isinstance(call, UserEvent):
        return partial(call.answer, EventAnswer(status))
    return None


def _decision(answer: object) -> Granted | Denied:
    """The answer to ``connect``, if a CONNACK can say it and a session can begin with it."""
    if not isinstance(answer, Granted | Denied):
        raise TypeError(f"connect is answered with Granted or Denied, not with {type(answer).__name__}")
    encode(ConnAck(properties={"user_property": list(answer.user_properties)}))
    if isinstance(answer, Denied):
        encode(ConnAck(properties={"reason_string": answer.reason[:REASON_LIMIT]}))
        return answer
    given: list[object] = [*(answer.roles or ()), *answer.groups, answer.user_id or "", answer.state or ""]
    if not all(isinstance(text, str) for text in given):
        raise TypeError("user id, roles, groups and state are strings")
    return answer


def _event_answer(answer: object) -> EventAnswer:
    """The answer to a user event, if a PUBLISH can say it."""
    if not isinstance(answer, EventAnswer):
        raise TypeError(f"an event is answered with EventAnswer, not with {type(answer).__name__}")
    encode(Publish("answer", answer.payload, properties={"user_property": list(answer.user_properties)}))
    if answer.content_type is not None:
        encode(Publish("answer", properties={"content_type": answer.content_type}))
    if not 100 <= answer.status <= 999:
        raise ValueError(f"{answer.status} is no HTTP status")
    return answer
