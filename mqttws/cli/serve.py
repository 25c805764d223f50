"""Run a local endpoint that behaves like Azure Web PubSub's for MQTT, until Ctrl-C or SIGTERM.

Prints, one per line, the connection string and for each hub a Client Access URL that may do everything on it. The log
goes to standard error. For development and tests, not for production.
"""

from __future__ import annotations

import math
import ssl
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from textwrap import indent
from typing import Any, Final

import trio

from mqttws.cli.event_handlers import add_handler_arguments, handlers_of
from mqttws.cli.interrupt import interruptible
from mqttws.cli.options import seconds
from mqttws.cli.outcome import CommandFailed, ExitCode, UsageError
from mqttws.cli.recording import recording
from mqttws.cli.secret import secret_from
from mqttws.cli.serve_config import EXAMPLE, ServeConfig, load
from mqttws.cli.settings_table import explain_settings
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.endpoint.service import Service, settings_of
from mqttws.endpoint.settings import PROFILES, read_value
from mqttws.webpubsub import Roles

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: The hub whose URL is printed if none is named.
_DEFAULT_HUB: Final = "chat"

EXAMPLES: Final = """\
examples:
  mqttws serve
  mqttws serve --port 0 --hub chat --hub news
  mqttws serve --set allow_underscore=true --set queue_messages=100
  mqttws serve --profile generic                  (a plain MQTT server: wildcards, retained messages, any path ...)
  mqttws serve --explain-settings
  mqttws serve --tls ca.pem                       (clients: --cafile ca.pem)
  mqttws serve --config serve.toml
  mqttws serve --event-handler 'http://localhost:3000/{event}' --system-events connect

The access key comes from --access-key, a file, MQTTWS_ACCESS_KEY or the configuration; else it is random. An option
counts more than the configuration, of which this is an example:

""" + indent(EXAMPLE, "  ")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws serve``."""
    parser.add_argument("--config", metavar="FILE", help="a configuration in TOML, see below")
    parser.add_argument("--host", metavar="NAME", help="address to listen on (default: localhost)")
    parser.add_argument("--port", type=_port, help="port to listen on (default: 8080, 0: a free one)")
    parser.add_argument("--hub", action="append", default=[], metavar="NAME",
                        help="serve this hub and no others but those named (repeatable; default: any hub)")  # fmt: skip
    parser.add_argument("--access-key", metavar="TEXT", help="key that signs tokens (default: random)")
    parser.add_argument("--access-key-file", metavar="FILE", help="a file that holds the key")
    parser.add_argument("--secondary-key", metavar="TEXT", help="a second key whose tokens count (default: none)")
    parser.add_argument("--secondary-key-file", metavar="FILE", help="a file that holds it")
    parser.add_argument("--lifetime", type=seconds, metavar="SECONDS",
                        help="how long the printed URLs let clients in (default: a day)")  # fmt: skip
    parser.add_argument("--cert", metavar="FILE", help="serve wss:// with this certificate")
    parser.add_argument("--key", metavar="FILE", help="its private key")
    parser.add_argument("--tls", metavar="CAFILE",
                        help="serve wss:// with a certificate made now; write its authority to CAFILE")  # fmt: skip
    parser.add_argument("--profile", choices=PROFILES,
                        help="webpubsub (default), or generic: a plain MQTT server, the whole standard (at the URL "
                             "that it prints our clients want --profile mqtt, at other paths nothing)")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting (repeatable)")
    parser.add_argument("--explain-settings", action="store_true",
                        help="print all settings: value, both profiles, where they come from; then exit")  # fmt: skip
    add_handler_arguments(parser)
    parser.add_argument(
        "--trace", metavar="FILE", help="record what passes in this file, written anew, for mqttws trace"
    )
    parser.add_argument("--quiet", action="store_true", help="no log on standard error")


def run(args: Namespace) -> int:
    """Serve until a signal comes."""
    config = _settled(args)
    service = _service(config)
    if args.explain_settings:
        return explain_settings(service)
    return trio.run(_run, args, config, service)


def _settled(args: Namespace) -> ServeConfig:
    """The configuration, with what the options say in its place, and secrets read."""
    config = load(args.config) if args.config else ServeConfig()
    config.access_key = secret_from(
        "the access key", args.access_key, args.access_key_file, "MQTTWS_ACCESS_KEY"
    ) or secret_from("the access key", config.access_key, config.access_key_file)
    config.secondary_key = secret_from("the secondary key", args.secondary_key, args.secondary_key_file) or secret_from(
        "the secondary key", config.secondary_key, config.secondary_key_file
    )
    if args.cert or args.key or args.tls:
        config.cert, config.key, config.tls = args.cert, args.key, args.tls
    config.host = args.host or config.host or "localhost"
    config.port = next(port for port in (args.port, config.port, 8080) if port is not None)
    config.profile = args.profile or config.profile or PROFILES[0]
    config.hubs = args.hub or config.hubs
    config.lifetime = args.lifetime or config.lifetime or 86_400.0
    config.settings |= dict(_setting(text) for text in args.set)
    config.event_handlers |= handlers_of(args)
    return config


async def _run(args: Namespace, config: ServeConfig, service: Service) -> int:
    assert config.host is not None
    assert config.port is not None
    context = _ssl_context(config)
    log = None if args.quiet else _log
    async with recording(args.trace) as recorder, interruptible() as interrupt:
        with interrupt.scope():
            try:
                async with open_endpoint(
                    config.host,
                    config.port,
                    access_key=config.access_key,
                    secondary_key=config.secondary_key,
                    hubs=config.hubs,
                    ssl_context=context,
                    log=log,
                    trace=recorder,
                    handlers=config.event_handlers,
                    service=service,
                ) as endpoint:
                    with interrupt.scope():
                        _announce(endpoint, config)
                        await trio.sleep(math.inf)
            except (ValueError, TypeError) as problem:
                raise UsageError(str(problem)) from None
            except OSError as problem:
                where = f"{config.host}:{config.port}"
                raise CommandFailed(f"cannot listen on {where}: {problem.strerror or problem}") from None
    return ExitCode.WELL


def _announce(endpoint: Endpoint, config: ServeConfig) -> None:
    assert config.lifetime is not None
    if endpoint.service.banner:
        print(endpoint.service.banner, flush=True)
    print(f"connection-string: {endpoint.connection_string}", flush=True)
    for hub in config.hubs or [_DEFAULT_HUB]:
        url = endpoint.client_access_url(hub, roles=Roles.everything(), lifetime=config.lifetime)
        print(f"url: {url}", flush=True)


def _log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text[:6]) > 65_535:
        raise ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _setting(text: str) -> tuple[str, Any]:
    """``name=value``, the value of the same kind as the setting's default."""
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        raise UsageError(f"a setting reads NAME=VALUE, not {text!r}")
    default = next((row.default for row in settings_of(Service()) if row.name == name), "")
    try:
        return name, read_value(default, value)
    except (ValueError, KeyError):
        raise UsageError(f"the setting {name} should be like {default!r}, not {value!r}") from None


def _service(config: ServeConfig) -> Service:
    try:
        return Service.of(config.profile or PROFILES[0]).changed(**config.settings)
    except TypeError as problem:
        raise UsageError(f"{problem} (--explain-settings lists them)") from None
    except ValueError as problem:
        raise UsageError(str(problem)) from None


def _ssl_context(config: ServeConfig) -> ssl.SSLContext | None:
    if config.tls and (config.cert or config.key):
        raise UsageError("--tls makes a certificate, so --cert and --key have no place beside it")
    if config.key and not config.cert:
        raise UsageError("--key goes with --cert")
    if not config.cert:
        return _make_certificate(config.host or "", config.tls) if config.tls else None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.cert, config.key)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"cannot use --cert or --key: {error.strerror or error}") from None
    return context


def _make_certificate(host: str, path: str) -> ssl.SSLContext:
    try:
        import trustme  # noqa: PLC0415 - an extra, needed for this option alone
    except ImportError:
        raise UsageError("--tls needs the package trustme: pip install 'mqttws[tls]'") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority = trustme.CA()
    authority.issue_cert(host).configure_cert(context)
    try:
        authority.cert_pem.write_to_path(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return context
