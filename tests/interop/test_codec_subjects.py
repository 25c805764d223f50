"""Decoders of other projects under the conformance kit: what they fail was looked at packet by packet.

Where a newer release fails more, or less, the figures below say so; see the adapters for what is asked.
"""

from __future__ import annotations

import pytest

from mqttws.conformance.codec import Answer
from mqttws.conformance.codec.probe import CodecProbe, examine
from mqttws.conformance.verdict import Verdict
from mqttws.fuzz.adapters.peers import PEERS, decoder_of
from mqttws.vocabulary import Role
from tests.interop.counterparts import need


class Asked:
    """A known decoder, for whichever version and sender is asked about; some read both ends' packets alike."""

    @property
    def knows_sender(self) -> bool:
        return len(PEERS[self.name].senders) == 1

    def __init__(self, name: str) -> None:
        self.name = name

    def decode(self, data: bytes, version: int, sender: Role) -> Answer:
        return decoder_of(self.name, version, sender).decode(data, version, sender)

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # where mqtt5 panics
@pytest.mark.parametrize(
    ("name", "passes", "fails"),
    [
        ("mqttium", 128, 3),
        ("ohmqtt", 116, 16),
        ("zmqtt", 82, 132),
        ("amqtt", 33, 48),
        ("moat-lib-mqtt", 76, 57),
        ("mqtt5", 92, 40),
    ],
)
def test_what_a_known_release_fails_is_known(name: str, passes: int, fails: int) -> None:
    need("decoders")
    found = examine(CodecProbe(Asked(name)))
    verdicts = [result.verdict for result in found]
    assert {result.version for result in found if result.verdict is not Verdict.NOT_APPLICABLE} == set(
        PEERS[name].versions
    )
    assert (verdicts.count(Verdict.PASSED), verdicts.count(Verdict.FAILED)) == (passes, fails)


def test_paho_reads_what_is_good_in_both_versions() -> None:
    """It has no fixed release here, so no figures: it may only get better at what is wrong."""
    need("paho")
    found = {result.check: result for result in examine(CodecProbe(Asked("paho-mqtt")), only=["*_valid"])}
    assert not [result.check for result in found.values() if result.verdict is Verdict.FAILED]
    assert found["codec/5.0/publish_valid"].verdict is found["codec/3.1.1/publish_valid"].verdict is Verdict.PASSED
