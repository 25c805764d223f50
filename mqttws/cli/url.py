"""Make a Client Access URL for an MQTT hub from a connection string, without asking anybody."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import Final

from mqttws.cli.options import connection_string_from
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.webpubsub import ClientAccessUrl, Grants, Roles, client_access_url, key_warning

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  export MQTTWS_CONNECTION_STRING='Endpoint=https://demo.webpubsub.azure.com;AccessKey=…;Version=1.0;'
  mqttws url --hub chat --everything
  mqttws url --hub chat --user-id joe --publish group1 --subscribe group1 --lifetime 600
  mqttws url --hub chat --role webpubsub.joinLeaveGroups.room.* --group room.1 --json
  MQTTWS_URL=$(mqttws url --hub chat --everything) mqttws sub -t group1

The connection string comes from --connection-string, a file, or MQTTWS_CONNECTION_STRING or WebPubSubConnectionString.
Without a role a Client may neither publish nor subscribe.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws url``."""
    where = parser.add_argument_group("service")
    where.add_argument("--connection-string", metavar="TEXT", help="Endpoint=…;AccessKey=…;")
    where.add_argument("--connection-string-file", metavar="FILE", help="a file that holds it")
    where.add_argument("--hub", required=True, help="the hub to enter")
    who = parser.add_argument_group("what the token says")
    who.add_argument("--user-id", metavar="ID", help="the user (claim sub)")
    who.add_argument("--everything", action="store_true", help="may publish and subscribe to every topic")
    who.add_argument("--publish", action="append", default=[], metavar="TOPIC", help="may publish to it (repeatable)")
    who.add_argument(
        "--subscribe", action="append", default=[], metavar="TOPIC", help="may subscribe to it (repeatable)"
    )
    who.add_argument("--role", action="append", default=[], help="any role string, as it is (repeatable)")
    who.add_argument(
        "--group", action="append", default=[], metavar="TOPIC", help="subscribed from the start (repeatable)"
    )
    who.add_argument("--lifetime", type=float, default=3600, metavar="SECONDS", help="until it expires (default: 3600)")
    parser.add_argument("--json", action="store_true", help="print url, base_url, token and roles as one JSON object")


def run(args: Namespace) -> int:
    """Print the URL, **with its token**; notes go to standard error."""
    service = connection_string_from(args)
    try:
        roles = (
            *(Roles.everything() if args.everything else ()),
            *Roles.publish(*args.publish),
            *Roles.subscribe(*args.subscribe),
            *args.role,
        )
        url = client_access_url(
            service, args.hub, user_id=args.user_id, roles=roles, groups=args.group, lifetime=args.lifetime
        )
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    for note in (key_warning(service.access_key), *Grants.from_roles(roles).ignored, None if roles else _NO_ROLES):
        if note:
            print(f"mqttws url: note: {note}", file=sys.stderr)
    if args.json:
        members = {
            "url": url,
            "base_url": service.client_url(args.hub),
            "token": ClientAccessUrl.parse(url).token,
            "roles": list(roles),
        }
        print(json.dumps(members))
    else:
        print(url)
    return ExitCode.WELL


_NO_ROLES: Final = "without a role this Client may neither publish nor subscribe (see --everything, --publish, --role)"
