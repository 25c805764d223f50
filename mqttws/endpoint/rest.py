"""The REST data plane on the endpoint's port: health, tokens, messages, groups, permissions, ends.

Every request below ``/api/hubs/`` carries a token of its own (``Authorization: Bearer``), signed with an access key and
made out to the very URL that it is sent to.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import trio

from mqttws.endpoint.rest_call import ApiError, Call, Params, answer
from mqttws.endpoint.rest_operations import OPERATIONS, Operation
from mqttws.http import Request, Response, bearer
from mqttws.webpubsub import TokenRefused, check_hub

if TYPE_CHECKING:
    from mqttws.endpoint.endpoint import Endpoint
    from mqttws.endpoint.visit import HttpHandler

__all__ = ["Rest"]

_HEALTH: Final = "/api/health"
_HUBS: Final = "/api/hubs/"
#: Segments of a path below a hub; the longest that there is has four.
_MOST_SEGMENTS: Final = 8


class Rest:
    """Answers plain HTTP requests of an endpoint; ``beside`` answers what is not below ``/api/``.

    ``hubs`` are the hubs there are, None for every valid name.
    """

    def __init__(self, endpoint: Endpoint, hubs: Collection[str] | None, beside: HttpHandler) -> None:
        self._endpoint = endpoint
        self._hubs = None if hubs is None else frozenset(hubs)
        self._beside = beside

    async def __call__(self, request: Request, address: str) -> Response:
        """The answer to one request of the peer at ``address``."""
        if not request.path.startswith("/api/"):
            return await self._beside(request, address)
        await trio.lowlevel.checkpoint()
        try:
            return self._answer(request)
        except ApiError as error:
            log = self._endpoint.log
            log("RestRefused", error.message, address=address, method=request.method, path=request.path)
            return error.response()

    def _answer(self, request: Request) -> Response:
        path = request.path
        if path == _HEALTH and request.method in ("GET", "HEAD"):
            return answer(200)
        if not path.startswith(_HUBS):
            raise _unknown(request)
        name, _, rest = path[len(_HUBS) :].partition("/")
        self._authenticate(request)
        hub_name = self._hub_name(name)
        operation, parts = _find(request, rest)
        hub = self._endpoint.open_hub(hub_name)
        try:
            call = Call(self._endpoint, hub, request, Params(request.query), trio.current_time(), parts)
            return operation(call)
        finally:
            self._endpoint.flush(hub)
            self._endpoint.forget_if_empty(hub)

    def _hub_name(self, segment: str) -> str:
        name = unquote(segment)
        try:
            check_hub(name)
        except ValueError as problem:
            raise ApiError(400, "InvalidHub", str(problem)) from None
        if self._hubs is not None and name not in self._hubs:
            raise ApiError(404, "HubNotFound", f"there is no hub '{name}' at this endpoint; names are case-sensitive")
        return name

    # -- who may ------------------------------------------------------------------------------------------------------

    def _authenticate(self, request: Request) -> None:
        # The request's URL, with its query and without: revisions of the documentation say the one and the other.
        whole = f"{request.path}?{request.query}" if request.query else request.path
        try:
            self._endpoint.door.read(bearer(request.headers), (request.path, whole), time.time())
        except TokenRefused as refused:
            raise ApiError(401, "Unauthorized", refused.message, (("www-authenticate", "Bearer"),)) from None


def _find(request: Request, rest: str) -> tuple[Operation, dict[str, str]]:
    """The operation at a path below a hub, and the parts of the path that it needs."""
    segments = [unquote(segment) for segment in rest.split("/", _MOST_SEGMENTS)]
    allowed = []
    for (method, template), operation in OPERATIONS.items():
        parts = _match(template, segments)
        if parts is None:
            continue
        if method == request.method:
            return operation, parts
        allowed.append(method)
    if allowed:
        methods = ", ".join(allowed)
        raise ApiError(405, "MethodNotAllowed", f"{methods} is expected here", (("allow", methods),))
    raise _unknown(request)


def _match(template: str, segments: list[str]) -> dict[str, str] | None:
    names = template.split("/")
    if len(names) != len(segments):
        return None
    parts = {}
    for name, segment in zip(names, segments, strict=True):
        if name.startswith("{"):
            if not segment:
                return None
            parts[name[1:-1]] = segment
        elif name != segment:
            return None
    return parts


def _unknown(request: Request) -> ApiError:
    # 501 as Microsoft's emulator says for what it does not have (row 78).
    return ApiError(501, "NotImplemented", f"there is no operation {request.method} {request.path} at this endpoint")
