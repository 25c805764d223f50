"""One decoder under test, and a run of all checks against it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import trio

from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.codec.answer import Answer, Decoder, DecoderUnusable, Taken
from mqttws.conformance.codec.cases import Case, depends_on_sender
from mqttws.conformance.runner import Plan, Progress, run_checks, select
from mqttws.conformance.verdict import NotApplicable, NotTested, Result
from mqttws.vocabulary import Role

__all__ = ["CodecProbe", "examine"]


class CodecProbe:
    """Asks a decoder about one packet at a time; what it is not for, it is not asked about.

    One that is not told who sends a packet (``knows_sender``; None: as the decoder itself says) cannot know what only
    one end must not send, and is not asked about that.
    ``asked`` counts the packets, ``with_fields`` those of which the decoder has said what it read.
    """

    capabilities: frozenset[str] = frozenset()
    transcript: tuple[str, ...] = ()

    def __init__(
        self,
        decoder: Decoder,
        *,
        versions: Collection[int] = (4, 5),
        senders: Collection[Role] = tuple(Role),
        knows_sender: bool | None = None,
    ) -> None:
        self._decoder = decoder
        self._knows_sender = getattr(decoder, "knows_sender", True) if knows_sender is None else knows_sender
        self._versions = frozenset(versions)
        self._senders = frozenset(senders)
        self.asked = 0
        self.with_fields = 0
        #: Why it can no longer be asked, if that is so.
        self.unusable: DecoderUnusable | None = None

    def ask(self, case: Case) -> Answer:
        """What it makes of a packet. Raises :class:`NotTested` when it cannot be asked any more."""
        if case.sender not in self._senders:
            return Answer(Taken.UNSUPPORTED, f"it is not for what a {case.sender.value} sends")
        if not self._knows_sender and depends_on_sender(case):
            return Answer(Taken.UNSUPPORTED, "it is not told who sends a packet")
        try:
            answer = self._decoder.decode(case.data, case.version, case.sender)
        except DecoderUnusable as error:
            self.unusable = error
            raise NotTested(str(error)) from None
        self.asked += 1
        self.with_fields += answer.fields is not None
        return answer

    @asynccontextmanager
    async def for_check(self, check: Check) -> AsyncIterator[CodecProbe]:
        """Itself, if the check is about something that the decoder is for."""
        if self.unusable is not None:
            raise NotTested(str(self.unusable))
        if check.version not in self._versions:
            raise NotApplicable(f"it is not for MQTT {version_name(check.version)}")
        yield self


def examine(
    probe: CodecProbe,
    *,
    only: Sequence[str] = (),
    failed: Collection[str] | None = None,
    seconds: float = 180.0,
    progress: Progress | None = None,
) -> list[Result]:
    """Run the checks of codecs, one after the other, on this thread.

    ``only`` and ``failed`` are as in :func:`~mqttws.conformance.runner.select`; what is not reached within ``seconds``
    is not tested. Raises :class:`DecoderUnusable` where the decoder cannot be asked, or not any more.
    """
    chosen = list(select(checks(Kind.CODEC), only, failed=failed))
    plan = Plan(at_once=1, check_seconds=math.inf, seconds=seconds)
    results = trio.run(run_checks, chosen, probe.for_check, plan, progress)
    if probe.unusable is not None:
        raise probe.unusable
    return results
