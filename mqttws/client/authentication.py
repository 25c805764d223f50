"""Enhanced authentication (4.12): what an application provides, and the exchange with the Server.

The session knows whose turn it is; here an :class:`Authenticator` is asked for what to say. It is asked in a task of
its own, so that nothing else waits for it once the connection is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import trio

from mqttws.client.failure import Failure
from mqttws.codec import Auth, ConnAck
from mqttws.codec.properties import AuthProperties
from mqttws.errors import AuthenticationFailed, LocalProtocolError
from mqttws.session import Connection
from mqttws.vocabulary import ReasonCode

__all__ = ["Authenticator", "Conversation"]

T = TypeVar("T")


class Authenticator(Protocol):
    """The Client's side of an Authentication Method, such as SCRAM-SHA-256.

    Each connection, and each re-authentication, is one exchange: :meth:`begin`, an :meth:`answer` to every question of
    the Server, :meth:`finish`. A new exchange may begin where the last one was cut off. What is returned are the
    properties of the packet to send, as a rule ``{"authentication_data": …}``; the method is added. Raise
    :class:`~mqttws.errors.AuthenticationFailed` for what must not be accepted: the connection ends.
    """

    @property
    def method(self) -> str:
        """The name that CONNECT says."""
        ...

    async def begin(self) -> AuthProperties:
        """What the first packet says: CONNECT, or AUTH 0x19 of a re-authentication."""
        ...

    async def answer(self, said: AuthProperties) -> AuthProperties:
        """What to answer to the Server's AUTH 0x18; ``said`` are its properties."""
        ...

    async def finish(self, said: AuthProperties) -> None:
        """The Server is content: ``said`` are the properties of its CONNACK, or AUTH 0x00.

        The place to verify that it knows the secret too: a connection counts as open only after that.
        """
        ...


class _Outcome:
    """What becomes of one re-authentication."""

    def __init__(self) -> None:
        self._ended = trio.Event()
        self._failure: Failure | None = None

    @property
    def known(self) -> bool:
        return self._ended.is_set()

    def end(self, failure: Failure | None = None) -> None:
        """The first outcome counts."""
        if not self.known:
            self._failure = failure
            self._ended.set()

    async def wait(self) -> None:
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure.fresh()


class Conversation:
    """The exchanges of one connection. ``patience``: seconds that the authenticator may take for each step."""

    def __init__(self, authenticator: Authenticator, patience: float) -> None:
        self._authenticator = authenticator
        self._patience = patience
        self._scope = trio.CancelScope()
        self._wake = trio.Event()
        self._heard: Auth | None = None
        self._again: _Outcome | None = None
        self._failure: Failure | None = None

    # -- CONNECT and CONNACK ------------------------------------------------------------------------------------------

    async def begin(self) -> AuthProperties:
        """What CONNECT says, or the AUTH that begins a re-authentication."""
        said = (await self._ask(self._authenticator.begin)).copy()
        said["authentication_method"] = self._authenticator.method
        return said

    async def finish(self, packet: ConnAck | Auth) -> None:
        """The Server is content; raises :class:`AuthenticationFailed` where the authenticator is not."""
        await self._ask(self._authenticator.finish, packet.properties)

    async def _ask(self, question: Callable[..., Awaitable[T]], *arguments: AuthProperties) -> T:
        """Ask the authenticator; whatever it raises becomes an :class:`AuthenticationFailed`."""
        try:
            with trio.fail_after(self._patience):
                return await question(*arguments)
        except AuthenticationFailed:
            raise
        except Exception as error:
            # Its words are not repeated: they may hold a secret.
            raise AuthenticationFailed(f"the authenticator has raised {type(error).__name__}") from error

    # -- while the connection lives -----------------------------------------------------------------------------------

    def hear(self, packet: Auth) -> None:
        """The Server has sent an AUTH; as the two take turns, the one before has been answered."""
        self._heard = packet
        self._wake.set()

    async def repeat(self) -> None:
        """Authenticate again; whoever asks while that is under way gets the same outcome."""
        if self._failure is not None:
            await trio.lowlevel.checkpoint()
            raise self._failure.fresh()
        if self._again is None or self._again.known:
            self._again = _Outcome()
            self._wake.set()
        await self._again.wait()

    async def run(self, connection: Connection, flush: Callable[[], None]) -> None:
        """Say what is to be said, until :meth:`end`. Raises :class:`AuthenticationFailed` where nothing can be."""
        with self._scope:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                packet, self._heard = self._heard, None
                if packet is None:
                    await self._begin_again(connection)
                elif packet.reason_code == ReasonCode.SUCCESS:
                    await self.finish(packet)
                    assert self._again is not None  # the Server answers what we have begun
                    self._again.end()
                else:
                    said = (await self._ask(self._authenticator.answer, packet.properties)).copy()
                    said["authentication_method"] = self._authenticator.method
                    await self._send(connection, Auth(ReasonCode.CONTINUE_AUTHENTICATION, said))
                flush()

    async def _begin_again(self, connection: Connection) -> None:
        """Where not even that succeeds nothing was said, and the connection is as good as before."""
        assert self._again is not None
        try:
            await self._send(connection, Auth(ReasonCode.RE_AUTHENTICATE, await self.begin()))
        except AuthenticationFailed as error:
            self._again.end(Failure(error))

    @staticmethod
    async def _send(connection: Connection, packet: Auth) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()  # the connection may have ended meanwhile
        try:
            connection.send(packet, trio.current_time())
        except LocalProtocolError as error:
            raise AuthenticationFailed(f"what the authenticator wants to say cannot be sent: {error}") from error

    def end(self, error: Exception | None) -> None:
        """The connection has ended."""
        if self._failure is None:
            self._failure = Failure(error if error is not None else trio.ClosedResourceError("the connection was left"))
        if self._again is not None:
            self._again.end(self._failure)
        self._scope.cancel()
