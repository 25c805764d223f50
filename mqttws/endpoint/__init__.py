"""A local endpoint that behaves like Azure Web PubSub's MQTT endpoint where that is documented (development, tests).

:func:`open_endpoint` serves on sockets, :class:`Hub` is the routing brain without I/O, :class:`Service` the table of
limits and open choices, :class:`EventHandler` says where a hub's events go. Nothing here was measured on the real
service; rows of the table that are inferred or unknown are settings, not facts.
"""

from mqttws.endpoint.endpoint import Endpoint
from mqttws.endpoint.handlers_config import EventHandler, HandlerFault
from mqttws.endpoint.handshake import Admission, Door, Refusal
from mqttws.endpoint.hub import Hub
from mqttws.endpoint.log import Log
from mqttws.endpoint.members import Counters
from mqttws.endpoint.server import open_endpoint
from mqttws.endpoint.service import Origin, Service, Setting, settings_of, unproven
from mqttws.endpoint.upstream import (
    ConnectRequest,
    Denied,
    EventAnswer,
    Granted,
    MemberConnected,
    MemberDisconnected,
    UserEvent,
)

__all__ = [
    "Admission",
    "ConnectRequest",
    "Counters",
    "Denied",
    "Door",
    "Endpoint",
    "EventAnswer",
    "EventHandler",
    "Granted",
    "HandlerFault",
    "Hub",
    "Log",
    "MemberConnected",
    "MemberDisconnected",
    "Origin",
    "Refusal",
    "Service",
    "Setting",
    "UserEvent",
    "open_endpoint",
    "settings_of",
    "unproven",
]
