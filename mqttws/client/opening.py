"""``open_client``: the block that a client lives in."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from mqttws import transport
from mqttws.client.access import AccessSource, UrlSource
from mqttws.client.authentication import Authenticator
from mqttws.client.client import Client
from mqttws.client.lifetime import Lifetime
from mqttws.client.options import MIB, Deadlines, Options
from mqttws.client.outgoing import Outgoing, WhenFull
from mqttws.client.profiles import ProfileName
from mqttws.client.reconnect import Reconnect
from mqttws.client.state import ClientEvent, Watch
from mqttws.client.supervisor import Supervisor
from mqttws.codec import Will
from mqttws.codec.properties import ConnectProperties
from mqttws.session import Store
from mqttws.transport import Dial, ProxySetting, dial_through
from mqttws.transport.tap import Trace, open_trace
from mqttws.vocabulary import ProtocolVersion

__all__ = ["open_client"]


@asynccontextmanager
async def open_client(
    url: UrlSource,
    *,
    version: int = 5,
    client_id: str | None = None,
    clean_start: bool | None = None,
    session_expiry_interval: int | None = None,
    keep_alive: int = 60,
    username: str | None = None,
    password: bytes | str | None = None,
    will: Will | None = None,
    properties: ConnectProperties | None = None,
    headers: Sequence[tuple[str, str]] = (),
    ssl_context: ssl.SSLContext | None = None,
    dial: Dial = transport.dial,
    proxy: ProxySetting = "environment",
    reconnect: Reconnect | None = Reconnect(),  # noqa: B008 - it is frozen
    renew_before: float | None = None,
    follow_redirects: bool = False,
    on_event: Callable[[ClientEvent], None] | None = None,
    deadlines: Deadlines | None = None,
    store: Store | None = None,
    profile: ProfileName = "auto",
    receive_maximum: int = 100,
    maximum_packet_size: int = MIB,
    topic_aliases: bool = False,
    topic_alias_maximum: int = 0,
    authenticator: Authenticator | None = None,
    send_queue: int = 1_000,
    send_queue_bytes: int = 16 * MIB,
    when_full: WhenFull = "wait",
    resend_qos2: bool = False,
    trace: Trace | None = None,
) -> AsyncIterator[Client]:
    """Connect to a Server, and disconnect when the block is left.

    ``url``
        ``ws://…`` or ``wss://…``, or an :class:`Access` with headers; or a function that is awaited for one of these at
        each attempt to connect.
    ``version``
        5 or 4 (3.1.1).
    ``client_id``
        None: 20 random letters and digits, the same for all connections of this client. "": the Server assigns one,
        which is kept likewise.
    ``clean_start``
        None: True, or False with a ``store``. False without a store says that the client holds an empty Session: the
        Server may resume its own, and ``client.session_present`` tells whether it did. It is about the first connection
        only; each one after it resumes.
    ``session_expiry_interval``
        Seconds for which the Server is asked to keep the Session after each connection. None: 30 for a client that
        reconnects or has a ``store``, else 0; a Session that was kept for reconnecting alone, under a random
        identifier, ends when the block is left. 3.1.1 has no such number: 0 means CleanSession 1, any other
        CleanSession 0; a clean start with a Session that is kept connects twice there under an identifier of yours,
        once with CleanSession 1 to end the old Session.
    ``keep_alive``
        Seconds; 0 turns it off. The Server may impose its own in 5.0.
    ``password``
        Text is sent as UTF-8.
    ``headers``
        Added to the WebSocket handshake, for instance ``("Authorization", "Bearer …")``.
    ``ssl_context``
        For ``wss://``; None trusts the system's certificates and verifies the host name.
    ``dial``
        Opens the byte stream in place of TCP and TLS: a tunnel, a Unix socket, a wire in memory.
    ``proxy``
        An HTTP proxy to connect through: ``http://host:3128``, ``https://user:password@host`` or a
        :class:`~mqttws.transport.Proxy`; None for none. ``"environment"`` goes by ``https_proxy``, ``all_proxy`` and
        ``no_proxy`` for ``wss://`` and by ``http_proxy`` for ``ws://``, never for this very machine, and not with a
        ``dial`` of your own.
    ``store``
        Keeps what was published at QoS 1 and 2 and not completed, and what was received at QoS 2: opened again with the
        same store, the client goes on where it stopped. :class:`SQLiteStore` does so across processes, remembers the
        client identifier for whoever gives none, and refuses another one. One that fails ends the client with
        :class:`~mqttws.errors.StoreFailed`.
    ``reconnect``
        How to come back when a connection ends: see :class:`Reconnect`. Publishing and streams wait meanwhile; what is
        given up, and when, says :mod:`mqttws.client.policy`. None: the end of the connection is that of the client.
    ``renew_before``
        Move to a new connection so many seconds before the access expires, if ``url`` is a function and the expiry is
        known. The new WebSocket is open before the old connection ends, and the Session goes on. None: not at all, the
        Server cuts connections off or does not.
    ``follow_redirects``
        Whether to go where the Server sends us (Use another server, Server moved), credentials and all; never from
        ``wss://`` to ``ws://``.
    ``on_event``
        Called with a :class:`~mqttws.client.state.ClientEvent` whenever a connection begins, ends or is given up.
    ``profile``
        ``"webpubsub"`` refuses before sending what Azure Web PubSub does not take, and publishes at QoS 1 by default;
        ``"mqtt"`` does neither; ``"auto"`` goes by the URL's path.
    ``receive_maximum``, ``maximum_packet_size``
        How many QoS 1 and 2 messages the Server may send without an acknowledgement, and bytes of each packet: what the
        application has not consumed takes at most their product. 3.1.1 has no Receive Maximum; there the product is
        where the client stops reading.
    ``topic_aliases``
        Leave out Topic Names that the Server knows already on this connection, as far as its Topic Alias Maximum goes.
        Saves bytes, and costs some microseconds a message.
    ``topic_alias_maximum``
        How many aliases the Server may use on its side; names are kept for so many.
    ``authenticator``
        Takes part in enhanced authentication at each CONNECT, and at :meth:`Client.reauthenticate`; 5.0 only.
    ``send_queue``, ``send_queue_bytes``
        Bounds on messages published and not yet completed: QoS 1 and 2 until their exchange has ended, QoS 0 while
        there is no connection.
    ``when_full``
        What ``publish`` does at these bounds: ``"wait"`` for room, ``"fail"`` with :class:`~mqttws.errors.QueueFull`,
        or ``"drop_oldest_qos0"``: drop the oldest QoS 0 messages that wait (``client.dropped`` counts them), and wait
        where there are none. ``publish_soon`` never waits.
    ``resend_qos2``
        What becomes of QoS 2 messages under way when the Server has lost the Session. False: they end in
        :class:`~mqttws.errors.SessionLost`, since the Server may have taken them. True: they are sent again as new
        messages, like those of QoS 1, and may arrive twice.
    ``trace``
        Records every byte of every connection, with secrets masked: a file that is written anew, a function that is
        called with each line, or a :class:`~mqttws.trace.Recorder`. ``mqttws trace`` reads it.

    Entering raises at once what prevents the first connection, unless ``reconnect`` says otherwise: :class:`ValueError`
    or :class:`~mqttws.errors.LocalProtocolError` for what cannot be sent, :class:`~mqttws.errors.HandshakeRefused`,
    :class:`~mqttws.errors.ConnectRefused`, :class:`~mqttws.errors.ConnectionLost` and whatever else the Server ends the
    connection with, right behind CONNACK as well. Later the same errors come out of every call that waits or is made
    after the client's end: nothing else ends the block. Left without an exception, the block waits ``deadlines.linger``
    seconds for exchanges under way, sends DISCONNECT 0x00, and then raises the failure of a ``publish_soon`` whose
    receipt nobody has waited for. Left by an exception it sends DISCONNECT 0x04 (3.1.1: closes without DISCONNECT), so
    that the Will is published, and raises that exception.
    """
    options = Options(
        version=ProtocolVersion(version),
        client_id=client_id,
        clean_start=clean_start,
        session_expiry_interval=session_expiry_interval,
        keep_alive=keep_alive,
        username=username,
        password=password,
        will=will,
        properties=properties,
        headers=headers,
        ssl_context=ssl_context,
        dial=dial if proxy == "environment" and dial is not transport.dial else dial_through(proxy, dial=dial),
        deadlines=deadlines if deadlines is not None else Deadlines(),
        store=store,
        receive_maximum=receive_maximum,
        maximum_packet_size=maximum_packet_size,
        topic_aliases=topic_aliases,
        topic_alias_maximum=topic_alias_maximum,
        authenticator=authenticator,
        reconnect=reconnect,
        renew_before=renew_before,
        follow_redirects=follow_redirects,
    )
    outgoing = Outgoing(send_queue, send_queue_bytes, when_full=when_full, resend_qos2=resend_qos2)
    life = Lifetime(options, profile, outgoing, Watch(on_event))
    supervisor = Supervisor(life, AccessSource(url, options.deadlines.access))
    error: BaseException | None = None
    # The block's exception is kept out of the nursery, which would wrap it in a group, and raised again behind it. The
    # client's own tasks raise nothing but bugs.
    async with open_trace(trace) as options.recorder, trio.open_nursery() as nursery:
        try:
            await supervisor.open(nursery)
            client = Client(life)
            yield client
            await client._hang_up()
            await life.finish()
        except BaseException as raised:  # noqa: BLE001 - raised again below
            error = raised
        await life.leave(failed=error is not None)
    if error is not None:
        raise error
    life.raise_unseen_failure()
