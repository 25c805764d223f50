"""The options of ``mqttws serve`` that send events to a server: one for all hubs; a configuration file knows more."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mqttws.cli.outcome import UsageError
from mqttws.endpoint import EventHandler, HandlerFault
from mqttws.endpoint.handlers_config import EVERY_HUB, SYSTEM_EVENTS

__all__ = ["add_handler_arguments", "handlers_of"]

#: The options for the keys of a :class:`HandlerFault`.
_OPTIONS = {"url": "--event-handler", "user_events": "--user-events", "system_events": "--system-events"}


def add_handler_arguments(parser: ArgumentParser) -> None:
    """``--event-handler``, ``--user-events`` and ``--system-events``."""
    parser.add_argument(
        "--event-handler",
        metavar="URL",
        help="post the events of hubs without handlers of their own there; {hub} and {event} are filled in",
    )
    parser.add_argument(
        "--user-events", metavar="NAMES", help="which of the clients': separated by commas, '' for none (default: *)"
    )
    parser.add_argument(
        "--system-events", metavar="NAMES", help=f"which of {','.join(SYSTEM_EVENTS)}; '' for none (default: all)"
    )


def handlers_of(args: Namespace) -> dict[str, list[EventHandler]]:
    """What the options say; empty if they say nothing. :class:`UsageError` that names the option."""
    if args.event_handler is None:
        for key in ("user_events", "system_events"):
            if getattr(args, key) is not None:
                raise UsageError(f"{_OPTIONS[key]} goes with --event-handler URL")
        return {}
    system_events = SYSTEM_EVENTS if args.system_events is None else _names(args.system_events)
    user_events = "*" if args.user_events is None else args.user_events
    try:
        return {EVERY_HUB: [EventHandler(args.event_handler, user_events, system_events)]}
    except HandlerFault as fault:
        raise UsageError(f"{_OPTIONS[fault.key]}: {fault.text}") from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
