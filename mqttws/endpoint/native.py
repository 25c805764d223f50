"""Clients of Web PubSub's own protocols at ``/client/hubs/{hub}``: who is let in, as what, and who comes back (row 81).

Spoken are ``json.webpubsub.azure.v1`` and ``json.reliable.webpubsub.azure.v1``. Who offers neither is a *simple*
WebSocket client: its frames are events, and messages reach it bare. The protobuf variants are not spoken.
"""

from __future__ import annotations

import hmac
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from mqttws.endpoint.handshake import Admission, Refusal
from mqttws.endpoint.lifecycle import identity
from mqttws.endpoint.members import new_id
from mqttws.endpoint.native_answers import connected_frame
from mqttws.endpoint.native_link import NativeLink
from mqttws.endpoint.native_members import JSON, RELIABLE_JSON, NativeMember, NativeVisitor
from mqttws.endpoint.native_talk import NativeTalk
from mqttws.endpoint.upstream import ConnectRequest, Denied, Granted
from mqttws.endpoint.visit import Visit
from mqttws.link import Upgrade
from mqttws.vocabulary import ReasonCode

if TYPE_CHECKING:
    from mqttws.endpoint.endpoint import Endpoint

__all__ = ["NativeSpeaker"]

#: Singular, unlike that of MQTT. The hub stands in the path, or as ``?hub=`` behind the first part (documented).
_PATH: Final = "/client/hubs/"
_SHORT_PATHS: Final = ("/client", "/client/")
#: What a reliable client brings along to go on where it was (documented).
_CONNECTION: Final = "awps_connection_id"
_TOKEN: Final = "awps_reconnection_token"  # noqa: S105 - a name
#: Parameters of a query that are looked at; more is no client that we know.
_QUERY_FIELDS: Final = 100
#: The close code that tells a client to give up coming back (documented).
_LOST_FOR_GOOD: Final = 1008


class NativeSpeaker:
    """The endpoint's side of the handshake for these clients."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._service = endpoint.service

    def takes(self, path: str) -> bool:
        """Whether a WebSocket at this path is one of theirs."""
        return self._service.native_clients and (path.startswith(_PATH) or path in _SHORT_PATHS)

    def open(self, upgrade: Upgrade, visit: Visit, now: float) -> NativeTalk | None:
        """Judge a handshake: let the client in, let it come back, ask the event handlers, or refuse it."""
        try:
            query = dict(reversed(parse_qsl(upgrade.query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS)))
        except ValueError:
            visit.refuse(Refusal(400, f"the query has more than {_QUERY_FIELDS} parameters"), now)
            return None
        hub = unquote(upgrade.path[len(_PATH) :]) if upgrade.path.startswith(_PATH) else query.get("hub", "")
        comes_back = _CONNECTION in query and RELIABLE_JSON in upgrade.subprotocols
        verdict = self._judge(hub, upgrade, comes_back=comes_back)
        if isinstance(verdict, Refusal):
            visit.refuse(verdict, now)
            return None
        link = NativeLink(visit.pump.link.hand_over(), self._service)
        whatever: Any = link  # a pump needs of it what all links have
        visit.pump.link = whatever
        visitor = NativeVisitor(verdict, visit.address, subprotocol=None, link=link, service=self._service)
        group = query.get("group") if query.get("webpubsub_mode") == "sendToGroup" else None
        talk = NativeTalk(visit, visitor, self._endpoint.open_hub(hub), group)
        self._endpoint.register(visitor, visit)
        if comes_back:
            self._come_back(talk, query[_CONNECTION], query.get(_TOKEN, ""), now)
        else:
            self._begin(talk, now)
        self._endpoint.flush(talk.hub)
        return talk

    def _judge(self, hub: str, upgrade: Upgrade, *, comes_back: bool) -> Admission | Refusal:
        """The handshake apart from who the client is; who comes back shows another token (documented)."""
        door = self._endpoint.door
        refusal = door.judge_place(hub, upgrade.headers)
        if refusal is None and not _choose(upgrade.subprotocols, None)[1]:
            refusal = Refusal(400, f"of the service's own protocols {JSON} and {RELIABLE_JSON} are spoken here")
        if refusal is not None:
            return refusal
        if comes_back:
            verdict: Admission | Refusal = Admission(hub)
        else:
            verdict = door.judge_token(hub, f"{_PATH}{hub}", upgrade.query, upgrade.headers, time.time())
        if isinstance(verdict, Refusal):
            return verdict
        crowded = door.judge_crowd(self._endpoint.connections.open)
        return crowded if crowded is not None else replace(verdict, subprotocols=tuple(upgrade.subprotocols))

    # -- a new connection -----------------------------------------------------------------------------------------

    def _begin(self, talk: NativeTalk, now: float) -> None:
        visitor = talk.visitor
        visitor.client_id = new_id()
        self._warn(talk, visitor.admission.warnings)
        visitor.subprotocol, _ = _choose(visitor.admission.subprotocols, None)
        if not talk.hub.wants_system("connect"):
            self._let_in(talk, Granted(), now)
            return
        answer = partial(self._answer, talk)
        subprotocol = visitor.subprotocol or ""
        talk.hub.ask(ConnectRequest(talk.hub.name, visitor.client_id, visitor, answer, None, subprotocol))

    def _answer(self, talk: NativeTalk, given: Granted | Denied, now: float) -> None:
        """The event handlers have decided; the client may have left meanwhile."""
        if talk.over:
            return
        talk.hub = self._endpoint.open_hub(talk.hub.name)  # an empty one may have been forgotten
        if isinstance(given, Denied):
            code = given.code if given.code is not None else 0
            status = code if 400 <= code <= 599 else self._service.native_handler_status
            talk.visit.refuse(Refusal(status, given.reason or "refused by the event handler"), now)
            return
        visitor = talk.visitor
        visitor.subprotocol, known = _choose(visitor.admission.subprotocols, given.subprotocol)
        if not known:
            text = "the event handler has chosen a subprotocol that the client does not offer"
            talk.visit.refuse(Refusal(self._service.native_handler_status, text), now)
            return
        self._let_in(talk, given, now)
        self._endpoint.flush(talk.hub)

    def _let_in(self, talk: NativeTalk, granted: Granted, now: float) -> None:
        visitor, hub, service = talk.visitor, talk.hub, self._service
        assert visitor.client_id is not None  # since the beginning
        user_id, grants, warnings = identity(visitor.admission, granted, service)
        self._warn(talk, warnings)
        reliable = visitor.subprotocol == RELIABLE_JSON
        member = NativeMember(
            visitor.client_id, user_id, grants, service, hub.counters, state=granted.state,
            expiry=service.native_recovery if reliable else 0,
            token=secrets.token_urlsafe(32) if reliable else None,
        )  # fmt: skip
        try:
            hub.enter(member, visitor, now)
        except OverflowError as full:
            talk.visit.refuse(Refusal(service.connection_limit_status, str(full)), now)
            return
        talk.member = member
        self._greet(talk, member, now)
        for group in dict.fromkeys((*visitor.admission.groups, *granted.groups)):
            try:
                hub.add_to_group(member, group)
            except ValueError as problem:
                self._warn(talk, (f"group ignored: {problem}",))
            except OverflowError as full:
                self._warn(talk, (f"the other groups are ignored: {full}",))
                break
        self._log(talk, "ConnectionStarted", user_id=user_id, subprotocol=visitor.subprotocol)

    def _greet(self, talk: NativeTalk, member: NativeMember, now: float) -> None:
        """Answer the handshake, and say who the client is."""
        visitor = talk.visitor
        visitor.link.accept(visitor.subprotocol, now)
        if visitor.speaks_json:
            visitor.link.send(connected_frame(member.client_id, member.user_id, member.token))

    # -- a connection that is taken up again ----------------------------------------------------------------------

    def _come_back(self, talk: NativeTalk, client_id: str, token: str, now: float) -> None:
        """Go on with a connection, or tell the client that it is gone. Which of its parts was wrong stays unsaid."""
        visitor, hub = talk.visitor, talk.hub
        visitor.subprotocol = RELIABLE_JSON
        member = hub.member(client_id)
        known = isinstance(member, NativeMember) and member.token is not None
        if not isinstance(member, NativeMember) or not known or not _same(member.token or "", token):
            # Nothing but the code: a message would hide from the client why it had been disconnected.
            visitor.link.accept(RELIABLE_JSON, now)
            visitor.link.close(now, _LOST_FOR_GOOD, "there is no such connection any more")
            self._log(talk, "RecoveryFailed")
            return
        before = member.peer
        if before is not None:
            before.dismiss(now, ReasonCode.SESSION_TAKEN_OVER, "the connection goes on elsewhere")
        assert member.last_peer is not None  # it has entered by one
        visitor.admission = replace(member.last_peer.admission, lifetime=math.inf)
        visitor.client_id = client_id
        hub.reattach(member, visitor, now)
        hub.counters.sessions_resumed += 1
        talk.member = member
        self._greet(talk, member, now)
        member.come_back(now)
        self._log(talk, "ConnectionRecovered", user_id=member.user_id)

    # -- log ------------------------------------------------------------------------------------------------------

    def _warn(self, talk: NativeTalk, lines: Sequence[str]) -> None:
        for line in lines:
            self._log(talk, "Warning", line)

    def _log(self, talk: NativeTalk, event: str, text: str = "", **fields: object) -> None:
        visitor = talk.visitor
        self._endpoint.log(
            event, text, hub=talk.hub.name, client_id=visitor.client_id, address=visitor.address, **fields
        )


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))


def _choose(offered: Sequence[str], wanted: str | None) -> tuple[str | None, bool]:
    """The subprotocol to answer with, None for none, and whether the client can be let in with that.

    An event handler may choose any that is offered; else it is the first one that is spoken here. Names that nobody
    knows make a simple client (documented). The service's own in protobuf are known, and not spoken here.
    """
    if wanted is not None:
        return wanted, wanted in offered and not _is_protobuf(wanted)
    spoken = next((name for name in offered if name in (JSON, RELIABLE_JSON)), None)
    return spoken, spoken is not None or not any(map(_is_protobuf, offered))


def _is_protobuf(name: str) -> bool:
    return name.startswith("protobuf.") and name.endswith(".webpubsub.azure.v1")
