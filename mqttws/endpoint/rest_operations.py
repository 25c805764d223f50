"""The operations of the REST data plane on the sessions of a hub, and the table of their addresses.

What they do is documented; that they are about *sessions*, which may be offline, as well. Where the documentation is
silent a row of :class:`~mqttws.endpoint.service.Service` decides.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

from mqttws.endpoint.members import Member
from mqttws.endpoint.messages import Message
from mqttws.endpoint.rest_call import ApiError, Call, answer, filter_of, invalid
from mqttws.http import Response
from mqttws.webpubsub import MQTT_PATH, check_group, limits, make_token

__all__ = ["OPERATIONS", "Operation"]

Operation: TypeAlias = Callable[[Call], Response]

#: The documented bounds: pages of a list, minutes that a token lives.
_LARGEST_PAGE: Final = 200
_MOST_MINUTES: Final = 366 * 24 * 60
_ENDLESS: Final = 2_147_483_647

#: The paths that tokens are for, by the client's protocol.
_TOKEN_PATHS: Final[Mapping[str, str]] = {"default": "/client/hubs/", "mqtt": MQTT_PATH}


# -- tokens ------------------------------------------------------------------------------------------------------------


def _generate_token(call: Call) -> Response:
    params = call.params
    protocol = (params.text("clientType") or "Default").lower()
    if protocol not in _TOKEN_PATHS:
        raise invalid("clientType", "Default or MQTT is expected")
    minutes = params.number("minutesToExpire", 1, _MOST_MINUTES) or 60
    try:
        token = make_token(
            call.endpoint.keys[0],
            f"{call.endpoint.address}{_TOKEN_PATHS[protocol]}{call.hub.name}",
            now=time.time(),
            user_id=params.text("userId"),
            roles=params.all("role"),
            groups=params.all("group"),
            lifetime=minutes * 60,
        )
    except ValueError as problem:
        raise ApiError(400, "InvalidParameter", str(problem)) from None
    return answer(200, {"token": token})


# -- messages ----------------------------------------------------------------------------------------------------------


def _message(call: Call, **options: Any) -> Message:
    payload, content_type = call.content()
    lifetime = call.params.number("messageTtlSeconds", 0, limits.MESSAGE_LIFETIME_MAXIMUM)
    # 0 is the default and means the service's own limit, not a message that is dead at once (inferred).
    return Message.from_server(payload, call.now, content_type=content_type, lifetime=lifetime or None, **options)


def _send(call: Call, members: Iterable[Member]) -> Response:
    wanted, message = call.wanted(), _message(call)
    call.hub.send([member for member in members if wanted(member)], message, call.now)
    return answer(202)


def _send_to_all(call: Call) -> Response:
    return _send(call, call.hub.members())


def _send_to_connection(call: Call) -> Response:
    member = call.member()
    return _send(call, () if member is None else (member,))


def _send_to_user(call: Call) -> Response:
    return _send(call, call.user_members())


def _send_to_group(call: Call) -> Response:
    wanted, message = call.wanted(), _message(call, topic=call.group)
    call.hub.publish(message, call.now, wanted=wanted)
    return answer(202)


# -- groups ------------------------------------------------------------------------------------------------------------


def _add(call: Call, members: Sequence[Member], groups: Iterable[str]) -> Response:
    for group in groups:
        for member in members:
            try:
                call.hub.add_to_group(member, group)
            except OverflowError as problem:
                raise ApiError(400, "TooManyGroups", str(problem)) from None
    return answer(200)


def _present(call: Call) -> Member:
    member = call.member()
    if member is None:
        status = call.endpoint.service.missing_connection_status
        raise ApiError(status, "ConnectionNotFound", "there is no session of this connection id")
    return member


def _add_connection(call: Call) -> Response:
    group = call.group
    return _add(call, [_present(call)], [group])


def _add_user(call: Call) -> Response:
    group = call.group
    return _add(call, call.user_members(), [group])


def _remove(call: Call, members: Sequence[Member], groups: Iterable[str], status: int = 204) -> Response:
    wanted = frozenset(groups)
    for member in members:
        for group in wanted.intersection(member.subscriptions):
            call.hub.remove_from_group(member, group)
    return answer(status)


def _remove_connection(call: Call) -> Response:
    member = call.member()
    return _remove(call, [] if member is None else [member], [call.group])


def _remove_user(call: Call) -> Response:
    return _remove(call, call.user_members(), [call.group])


def _remove_everywhere(call: Call, members: Sequence[Member]) -> Response:
    for member in members:
        call.hub.remove_from_all_groups(member)
    return answer(204)


def _remove_connection_everywhere(call: Call) -> Response:
    member = call.member()
    return _remove_everywhere(call, [] if member is None else [member])


def _remove_user_everywhere(call: Call) -> Response:
    return _remove_everywhere(call, call.user_members())


def _many(call: Call) -> tuple[list[Member], Collection[str]]:
    """Whom and which groups, each once, a bulk operation is about."""
    body = call.json()
    groups = body.get("groups") if isinstance(body, dict) else None
    condition = body.get("filter") if isinstance(body, dict) else None
    if not isinstance(groups, list) or not groups or not all(isinstance(group, str) for group in groups):
        raise ApiError(400, "InvalidBody", "the body is a JSON object with a list of 'groups', and perhaps a 'filter'")
    if condition is not None and not isinstance(condition, str):
        raise ApiError(400, "InvalidBody", "'filter' is a string")
    for group in groups:
        try:
            check_group(group)
        except ValueError as problem:
            raise invalid("groups", str(problem)) from None
    passes = filter_of(condition or None)
    members = call.hub.members()
    return [member for member in members if passes(member)], dict.fromkeys(groups)


def _add_many(call: Call) -> Response:
    members, groups = _many(call)
    limit = call.endpoint.service.subscription_limit
    if len(groups) > limit:
        raise ApiError(400, "TooManyGroups", f"a session has at most {limit} subscriptions, not {len(groups)}")
    return _add(call, members, groups)


def _remove_many(call: Call) -> Response:
    return _remove(call, *_many(call), status=200)


def _list_group(call: Call) -> Response:
    size = call.params.number("maxpagesize", 1, _LARGEST_PAGE) or _LARGEST_PAGE
    top = call.params.number("top", 1, _ENDLESS)
    after = _place(call.params.text("continuationToken"))
    members = sorted((member for member in call.group_members()), key=lambda member: member.client_id)
    rest = [member for member in members if after is None or member.client_id > after]
    page = rest[: size if top is None else min(size, top)]
    body: dict[str, Any] = {"value": [{"connectionId": each.client_id, "userId": each.user_id} for each in page]}
    left = None if top is None else top - len(page)
    if len(rest) > len(page) and left != 0:
        body["nextLink"] = _next_link(call, page[-1].client_id, left)
    return answer(200, body)


def _place(token: str | None) -> str | None:
    """The connection id that a continuation token goes on behind."""
    if token is None:
        return None
    try:
        return base64.urlsafe_b64decode(token.encode("ascii")).decode()
    except ValueError:
        raise invalid("continuationToken", "this is none of ours") from None


def _next_link(call: Call, last: str, left: int | None) -> str:
    params = {name: value for name in ("api-version", "maxpagesize") if (value := call.params.text(name)) is not None}
    if left is not None:
        params["top"] = str(left)
    params["continuationToken"] = base64.urlsafe_b64encode(last.encode()).decode()
    group = quote(call.group, safe="")
    return f"{call.endpoint.address}/api/hubs/{call.hub.name}/groups/{group}/connections?{urlencode(params)}"


# -- who is here, and the end of it ------------------------------------------------------------------------------------


def _connection_exists(call: Call) -> Response:
    return answer(404 if call.member() is None else 200)


def _group_exists(call: Call) -> Response:
    return answer(200 if call.group_members() else 404)


def _user_exists(call: Call) -> Response:
    return answer(200 if call.user_members() else 404)


def _close(call: Call, members: Iterable[Member]) -> Response:
    excluded = frozenset(call.params.all("excluded"))
    for member in members:
        if member.client_id not in excluded:
            call.hub.close(member, call.now, call.params.text("reason") or "")
    return answer(204)


def _close_connection(call: Call) -> Response:
    member = call.member()
    return _close(call, () if member is None else (member,))


def _close_all(call: Call) -> Response:
    return _close(call, call.hub.members())


def _close_group(call: Call) -> Response:
    return _close(call, call.group_members())


def _close_user(call: Call) -> Response:
    return _close(call, call.user_members())


# -- permissions -------------------------------------------------------------------------------------------------------


def _grant(call: Call) -> Response:
    permission, member = call.permission, _present(call)
    try:
        call.hub.grant(member, permission, call.params.text("targetName"))
    except ValueError as problem:
        raise invalid("targetName", str(problem)) from None
    return answer(200)


def _revoke(call: Call) -> Response:
    permission, member = call.permission, call.member()
    if member is not None:
        call.hub.revoke(member, permission, call.params.text("targetName"))
    return answer(204)


def _has_permission(call: Call) -> Response:
    permission, member = call.permission, call.member()
    held = member is not None and call.hub.has_permission(member, permission, call.params.text("targetName"))
    return answer(200 if held else 404)


#: By method and path below ``/api/hubs/{hub}``; what stands in braces is one segment of the path.
OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", ":generateToken"): _generate_token,
    ("POST", ":send"): _send_to_all,
    ("POST", "connections/{connection}/:send"): _send_to_connection,
    ("POST", "users/{user}/:send"): _send_to_user,
    ("POST", "groups/{group}/:send"): _send_to_group,
    ("PUT", "groups/{group}/connections/{connection}"): _add_connection,
    ("DELETE", "groups/{group}/connections/{connection}"): _remove_connection,
    ("PUT", "users/{user}/groups/{group}"): _add_user,
    ("DELETE", "users/{user}/groups/{group}"): _remove_user,
    ("POST", ":addToGroups"): _add_many,
    ("POST", ":removeFromGroups"): _remove_many,
    ("DELETE", "connections/{connection}/groups"): _remove_connection_everywhere,
    ("DELETE", "users/{user}/groups"): _remove_user_everywhere,
    ("GET", "groups/{group}/connections"): _list_group,
    ("HEAD", "connections/{connection}"): _connection_exists,
    ("HEAD", "groups/{group}"): _group_exists,
    ("HEAD", "users/{user}"): _user_exists,
    ("DELETE", "connections/{connection}"): _close_connection,
    ("POST", ":closeConnections"): _close_all,
    ("POST", "groups/{group}/:closeConnections"): _close_group,
    ("POST", "users/{user}/:closeConnections"): _close_user,
    ("PUT", "permissions/{permission}/connections/{connection}"): _grant,
    ("DELETE", "permissions/{permission}/connections/{connection}"): _revoke,
    ("HEAD", "permissions/{permission}/connections/{connection}"): _has_permission,
}
