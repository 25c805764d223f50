"""The options of all commands that connect, named as the well-known pub/sub tools name them."""

from __future__ import annotations

import ssl
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Any, Final

from mqttws.cli.outcome import UsageError
from mqttws.cli.properties import parse_properties
from mqttws.cli.secret import secret_from
from mqttws.codec import Will
from mqttws.codec.properties import WILL
from mqttws.vocabulary import QOS, PacketType, ProtocolVersion
from mqttws.webpubsub import ClientAccessUrl, ConnectionString

__all__ = [
    "add_connection_options",
    "add_tls_options",
    "add_will_options",
    "client_options",
    "connection_string_from",
    "header",
    "properties_of",
    "protocol_version",
    "seconds",
    "service_from",
    "ssl_context_of",
    "url_from",
    "whole_number",
]

_VERSIONS: Final = {
    "5": ProtocolVersion.V5,
    "5.0": ProtocolVersion.V5,
    "mqttv5": ProtocolVersion.V5,
    "3.1.1": ProtocolVersion.V3_1_1,
    "311": ProtocolVersion.V3_1_1,
    "4": ProtocolVersion.V3_1_1,
    "mqttv311": ProtocolVersion.V3_1_1,
}


def add_connection_options(parser: ArgumentParser) -> None:
    """Where to connect, and as whom."""
    where = parser.add_argument_group("connection")
    where.add_argument("-L", "--url", metavar="URL", help="ws:// or wss:// URL (or set MQTTWS_URL)")
    where.add_argument("--url-file", metavar="FILE", help="a file that holds the URL")
    add_service_options(where.add_argument)
    where.add_argument("-H", "--header", action="append", default=[], type=header, metavar="'NAME: VALUE'",
                       help="send this header with the WebSocket handshake (repeatable)")  # fmt: skip
    add_tls_options(where.add_argument)
    where.add_argument("--proxy", metavar="URL",
                       help="go through this HTTP proxy, 'none': through none (default: what http_proxy, https_proxy "
                            "and no_proxy say; credentials belong there, or into MQTTWS_PROXY)")  # fmt: skip
    where.add_argument("--profile", choices=("auto", "mqtt", "webpubsub"), default="auto",
                       help="webpubsub: refuse here what Web PubSub would; auto: go by the URL's path")  # fmt: skip
    where.add_argument("--reconnect", action="store_true",
                       help="keep trying until there is a connection, and again whenever it ends")  # fmt: skip
    where.add_argument(
        "--trace", metavar="FILE", help="record what passes in this file, written anew, for mqttws trace"
    )
    who = parser.add_argument_group("session")
    who.add_argument("-V", "--protocol-version", type=protocol_version, default=ProtocolVersion.V5, metavar="{5,3.1.1}",
                     help="MQTT version (default: 5)")  # fmt: skip
    who.add_argument(
        "-i", "--client-id", "--id", metavar="ID", help="Client Identifier (default: 20 random characters)"
    )
    who.add_argument("-u", "--username", metavar="NAME", help="user name")
    who.add_argument("-P", "--password", metavar="TEXT", help="password (or set MQTTWS_PASSWORD)")
    who.add_argument("--password-file", metavar="FILE", help="a file that holds the password")
    who.add_argument("-k", "--keep-alive", "--keepalive", type=whole_number, default=60, metavar="SECONDS",
                     help="Keep Alive (default: 60, 0: none)")  # fmt: skip
    who.add_argument("-c", "--disable-clean-start", "--disable-clean-session", action="store_true",
                     help="go on with the Session that the Server may still hold")  # fmt: skip
    who.add_argument("--store", metavar="FILE",
                     help="keep the Session in this file: what is under way survives the command")  # fmt: skip
    who.add_argument("-x", "--session-expiry-interval", type=whole_number, metavar="SECONDS",
                     help="how long the Server shall keep the Session afterwards")  # fmt: skip
    who.add_argument("--connect-property", action="append", default=[], metavar="NAME=VALUE",
                     help="a property of CONNECT (5.0, repeatable)")  # fmt: skip


def add_service_options(add_argument: Callable[..., Any]) -> None:
    """A Web PubSub hub in place of a URL."""
    add_argument("--hub", metavar="HUB", help="make the URL for this hub, anew at each connection, out of")
    add_argument("--connection-string", metavar="TEXT",
                 help="this connection string (or set MQTTWS_CONNECTION_STRING)")  # fmt: skip
    add_argument("--connection-string-file", metavar="FILE", help="or the one in this file")
    add_argument("--user-id", metavar="ID", help="with --hub: the user")


def add_tls_options(add_argument: Callable[..., Any]) -> None:
    """Whom to trust behind wss:// and who we are there."""
    add_argument("--cafile", metavar="FILE", help="trust the certificates in this file")
    add_argument("--cert", metavar="FILE", help="client certificate")
    add_argument("--key", metavar="FILE", help="its private key")
    add_argument("--insecure", action="store_true", help="do not verify the Server's certificate")


def add_will_options(parser: ArgumentParser) -> None:
    """The Will Message, which the Server publishes if the connection breaks."""
    will = parser.add_argument_group("will")
    will.add_argument("--will-topic", metavar="TOPIC", help="topic of the Will Message")
    will.add_argument("--will-payload", default="", metavar="TEXT", help="its payload (default: empty)")
    will.add_argument(
        "--will-qos", type=int, choices=(0, 1, 2), default=0, metavar="{0,1,2}", help="its QoS (default: 0)"
    )
    will.add_argument("--will-retain", action="store_true", help="retain it")
    will.add_argument("--will-property", action="append", default=[], metavar="NAME=VALUE",
                      help="a property of the Will Message (5.0, repeatable)")  # fmt: skip


def url_from(args: Namespace) -> str | None:
    """The URL from option, file or environment, None if there is none; a bad one is a usage error."""
    url = secret_from("the URL", args.url, args.url_file, "MQTTWS_URL")
    if url is not None:
        try:
            ClientAccessUrl.parse(url)
        except ValueError as problem:
            raise UsageError(str(problem)) from None
    return url


def service_from(args: Namespace) -> ConnectionString | None:
    """The service whose hub was asked for, None if a URL is to be used. Raises :class:`UsageError`."""
    if args.hub is None:
        if args.connection_string or args.connection_string_file or args.user_id:
            raise UsageError("--connection-string and --user-id go with --hub")
        return None
    if args.url or args.url_file:
        raise UsageError("--hub goes with a connection string, not with a URL")
    return connection_string_from(args)


def connection_string_from(args: Namespace) -> ConnectionString:
    """The connection string from option, file or environment; none, or a bad one, is a usage error."""
    text = secret_from(
        "the connection string",
        args.connection_string,
        args.connection_string_file,
        "MQTTWS_CONNECTION_STRING",
        "WebPubSubConnectionString",
    )
    if text is None:
        raise UsageError("no connection string: give --connection-string or set MQTTWS_CONNECTION_STRING")
    try:
        return ConnectionString.parse(text)
    except ValueError as problem:
        raise UsageError(str(problem)) from None


def client_options(args: Namespace) -> dict[str, Any]:
    """Keyword arguments for :func:`mqttws.open_client`. Raises :class:`UsageError`."""
    return {
        "version": args.protocol_version,
        "client_id": args.client_id,
        "clean_start": not args.disable_clean_start,
        "session_expiry_interval": args.session_expiry_interval,
        "keep_alive": args.keep_alive,
        "username": args.username,
        "password": secret_from("the password", args.password, args.password_file, "MQTTWS_PASSWORD"),
        "will": _will(args),
        "properties": properties_of(args, args.connect_property, PacketType.CONNECT),
        "headers": args.header,
        "profile": args.profile,
        "ssl_context": ssl_context_of(args),
    }


def properties_of(
    args: Namespace, settings: list[str], place: Any, user_properties: list[str] | None = None
) -> dict[str, Any]:
    """The properties for one place; in 3.1.1 there are none, and asking for one is a usage error."""
    if args.protocol_version == ProtocolVersion.V3_1_1 and (settings or user_properties):
        raise UsageError("MQTT 3.1.1 has no properties; they need -V 5")
    return parse_properties(settings, place, user_properties or ())


def _will(args: Namespace) -> Will | None:
    if args.will_topic is None:
        if args.will_payload or args.will_retain or args.will_qos or args.will_property:
            raise UsageError("the Will Message has no topic; give --will-topic")
        return None
    properties: Any = properties_of(args, args.will_property, WILL)
    payload = args.will_payload.encode("utf-8", "surrogateescape")
    return Will(args.will_topic, payload, QOS[args.will_qos], args.will_retain, properties)


def ssl_context_of(args: Namespace) -> ssl.SSLContext | None:
    """None leaves the choice to the client: the system's certificates, host name verified."""
    if not (args.cafile or args.cert or args.key or args.insecure):
        return None
    if args.key and not args.cert:
        raise UsageError("--key goes with --cert")
    try:
        context = ssl.create_default_context(cafile=args.cafile)
        if args.cert:
            context.load_cert_chain(args.cert, args.key)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"cannot use --cafile, --cert or --key: {error.strerror or error}") from None
    if args.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def protocol_version(text: str) -> ProtocolVersion:
    """A version by any of its names, for argparse."""
    if text.lower() not in _VERSIONS:
        raise ArgumentTypeError(f"{text!r} is neither 5 nor 3.1.1")
    return _VERSIONS[text.lower()]


def header(text: str) -> tuple[str, str]:
    """A header as it is written in HTTP, for argparse."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isprintable():
        raise ArgumentTypeError("a header reads 'NAME: VALUE'")  # not repeated: it may be an Authorization
    return name.strip(), value.strip()


def whole_number(text: str) -> int:
    """A number that is not negative, for argparse."""
    if not text.isdecimal() or len(text) > 10:
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def seconds(text: str) -> float:
    """A positive time, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value
