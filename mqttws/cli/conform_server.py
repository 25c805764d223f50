"""Check a running Server rule by rule, as a Client that is good, careless or hostile by turns.

It finds out first how fast the Server is, which versions it speaks and what it offers; rules about other things are
not applicable. Only on this machine, unless --i-own-this-host is given.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import Any, Final

import trio

from mqttws.cli.conform_options import add_run_options, carry_out, seed_of, selected
from mqttws.cli.conform_output import add_output_options
from mqttws.cli.options import add_tls_options, header, seconds, ssl_context_of, url_from
from mqttws.cli.outcome import NotConnected, UsageError, say_why
from mqttws.cli.properties import parse_properties
from mqttws.cli.secret import secret_from
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.server.discovery import Unreachable, discover
from mqttws.conformance.server.run import probes_of, server_checks
from mqttws.conformance.server.subject import CAPABILITIES, CLIENT_IDS, Account, ServerSubject
from mqttws.conformance.wire.target import NotLoopback, Target
from mqttws.errors import ConnectionLost
from mqttws.vocabulary import PacketType, ProtocolVersion

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform server ws://127.0.0.1:9001/mqtt
  mqttws conform server ws://127.0.0.1:9001/mqtt --name broker --release 1.2 --save broker.json --html broker.html
  mqttws conform server ws://127.0.0.1:9001/mqtt --failed broker.json
  mqttws conform server ws://127.0.0.1:9001/mqtt --only 'MQTT-3.3.1-*' --only 5.0/3.8 --keep-all --json
  mqttws conform server ws://127.0.0.1:9001/mqtt -u ann --password-file ann.txt \\
      --second-username bob --second-password-file bob.txt --topics sandbox
  MQTTWS_URL=... mqttws conform server         (a URL with a token, kept out of the list of processes)

exit status:
  0 no rule is broken   1 some are   2 wrong usage   3 no good client gets in
"""

#: What may help where no client gets in, by a sign of why.
_ADVICE: Final = {
    "is not trusted": "; --cafile says whom to trust",
    "HTTP 401": "; does it want a token in the URL, a header (-H), or a user name (-u)?",
    "HTTP 403": "; does it want a token in the URL, a header (-H), or a user name (-u)?",
    "HTTP 404": "; is the path of the URL right?",
    "request by nothing": "; is that port for WebSockets, and ws:// or wss:// right?",
    "CONNACK 0x": "; does it want a user name (-u) and a password?",
}

#: Seconds that a run may take.
_SECONDS: Final = 180.0


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws conform server``."""
    parser.add_argument("url", nargs="?", metavar="URL", help="ws:// or wss:// URL (or set MQTTWS_URL)")
    parser.add_argument("--url-file", metavar="FILE", help="a file that holds the URL")
    parser.add_argument("-H", "--header", action="append", default=[], type=header, metavar="'NAME: VALUE'",
                        help="send this header with each good WebSocket handshake (repeatable)")  # fmt: skip
    add_tls_options(parser.add_argument)
    _add_who(parser)
    parser.add_argument("--topics", default="mqttws/conform", metavar="PREFIX",
                        help="what may be written to stands below this topic (default: mqttws/conform)")  # fmt: skip
    parser.add_argument("--client-ids", default=CLIENT_IDS, metavar="PREFIX",
                        help="Client Identifiers begin so (default: c)")  # fmt: skip
    parser.add_argument("--connect-property", action="append", default=[], metavar="NAME=VALUE",
                        help="a property of every CONNECT in 5.0 (repeatable)")  # fmt: skip
    parser.add_argument("--without", action="append", default=[], choices=sorted(CAPABILITIES), metavar="CAPABILITY",
                        help="what the Server does not offer, where it does not say so itself (repeatable): "
                             + ", ".join(sorted(CAPABILITIES)))  # fmt: skip
    parser.add_argument("--patience", type=seconds, metavar="SECONDS",
                        help="for whatever the Server owes (default: by how fast it answers)")  # fmt: skip
    parser.add_argument("--i-own-this-host", action="store_true",
                        help="go beyond this machine: only to what is yours, or whose owner has agreed")  # fmt: skip
    add_run_options(parser, at_once=8, within=_SECONDS)
    add_output_options(parser)


def _add_who(parser: ArgumentParser) -> None:
    who = parser.add_argument_group("credentials")
    who.add_argument("-u", "--username", metavar="NAME", help="user name")
    who.add_argument("-P", "--password", metavar="TEXT", help="password (or set MQTTWS_PASSWORD)")
    who.add_argument("--password-file", metavar="FILE", help="a file that holds the password")
    who.add_argument("--second-url", metavar="URL",
                     help="a URL that belongs to somebody else (or set MQTTWS_SECOND_URL)")  # fmt: skip
    who.add_argument("--second-username", metavar="NAME", help="somebody else's user name")
    who.add_argument("--second-password-file", metavar="FILE",
                     help="a file that holds somebody else's password (or set MQTTWS_SECOND_PASSWORD)")  # fmt: skip


def run(args: Namespace) -> int:
    """Find out what the Server is, run the checks, tell."""
    url = url_from(args)
    if url is None:
        raise UsageError("no URL: give it, or set MQTTWS_URL")
    checks = selected(args, server_checks())
    return trio.run(_run, args, url, checks)


async def _run(args: Namespace, url: str, checks: list[Any]) -> int:
    subject = await _subject(args, url)
    try:
        versions = args.protocol_version or tuple(ProtocolVersion)
        await discover(subject, versions, without=args.without, patience=args.patience)
    except Unreachable as trouble:
        hint = next((advice for sign, advice in _ADVICE.items() if sign in str(trouble)), "")
        raise NotConnected(f"no good client gets in at {subject.account.target.url}: {trouble}{hint}") from None
    about = "\n".join(
        f"MQTT {version_name(version)}: {', '.join(sorted(found)) or 'nothing optional'}"
        for version, found in subject.capabilities.items()
    )
    name, probes = subject.account.target.url.authority, probes_of(subject)
    return await carry_out(args, checks, probes, kind=Kind.SERVER, name=name, seed=subject.seed, about=about)


async def _subject(args: Namespace, url: str) -> ServerSubject:
    """Who is to be checked, and as whom."""
    password = secret_from("the password", args.password, args.password_file, "MQTTWS_PASSWORD")
    account = Account(await _find(args, url), args.username, _octets(password))
    subject = ServerSubject(account, topics=args.topics, client_ids=args.client_ids, seed=seed_of(args))
    subject.properties = parse_properties(args.connect_property, PacketType.CONNECT, ())
    other_url = secret_from("the second URL", args.second_url, None, "MQTTWS_SECOND_URL")
    other = secret_from("the second password", None, args.second_password_file, "MQTTWS_SECOND_PASSWORD")
    if other_url is not None or args.second_username is not None:
        target = account.target if other_url is None else await _find(args, other_url)
        subject.second = replace(account, target=target)
        if args.second_username is not None:
            subject.second = Account(target, args.second_username, _octets(other))
    return subject


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


async def _find(args: Namespace, url: str) -> Target:
    try:
        return await Target.find(
            url, anywhere=args.i_own_this_host, headers=args.header, ssl_context=ssl_context_of(args)
        )
    except NotLoopback as refusal:
        raise UsageError(f"{refusal}; --i-own-this-host says that you may check it") from None
    except ConnectionLost as error:
        raise NotConnected(say_why(error)) from None
    except ValueError as problem:
        raise UsageError(str(problem)) from None
