"""From a hub's calls to an :class:`~mqttws.endpoint.upstream.Upstream` and back (trio)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import trio

from mqttws.endpoint.log import Log
from mqttws.endpoint.service import Service
from mqttws.endpoint.upstream import Call, ConnectRequest, Denied, EventAnswer, MemberConnected, Upstream, UserEvent

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
                return partial(call.answer, await upstream.connect(call))
            if isinstance(call, UserEvent):
                return partial(call.answer, await upstream.event(call))
            if isinstance(call, MemberConnected):
                await upstream.connected(call)
            else:
                await upstream.disconnected(call)
    except trio.TooSlowError:
        log("EventHandlerFailed", f"no answer within {service.event_timeout:g} seconds", hub=call.hub)
        return failure(call, 504)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in an event handler is a refusal
        log("EventHandlerFailed", repr(error), hub=call.hub)
        return failure(call, 500)
    return None


def failure(call: Call, status: int) -> Reply | None:
    """The answer where there is none: the client is refused, its event has failed with this HTTP status."""
    if isinstance(call, ConnectRequest):
        return partial(call.answer, Denied())
    if isinstance(call, UserEvent):
        return partial(call.answer, EventAnswer(status))
    return None
