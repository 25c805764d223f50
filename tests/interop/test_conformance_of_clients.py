"""The conformance kit on real Clients: exactly what is known to fail, each with what was seen, and nothing else.

Every failure was looked into by hand with the standard beside it. One that disappears has to be taken out here, one
that appears has to be looked into: either the Client is wrong, or the check.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import pytest
import trio

from mqttws.conformance.client.run import run_client
from mqttws.conformance.client.subjects import command_of, environment_of
from mqttws.conformance.runner import Plan, faults
from mqttws.conformance.verdict import Result, Verdict
from tests.interop.counterparts import find_node_packages

pytestmark = pytest.mark.slowest

#: Most of the time a Client is waited for, so many may go on side by side. What is known to fail need not fail twice.
PLAN: Final = Plan(at_once=8, check_seconds=120.0, seconds=400.0, seed=1, confirm=False)

#: What 5.0 forbids a Client, and both libraries leave to the application that asks for it.
LEFT_TO_THE_APPLICATION: Final = {
    "5.0/publishes_above_maximum_qos": "QoS 2 behind Maximum QoS 1",
    "5.0/retains_where_it_cannot": "RETAIN behind Retain Available 0",
    "5.0/sends_too_large_packets": "a packet above the Server's Maximum Packet Size",
    "5.0/exceeds_receive_maximum": "the Server's Receive Maximum is not looked at",
    "5.0/frees_its_quota_at_pubrec": "likewise",
    "5.0/asks_for_answers_by_wildcard": "a wildcard in a Response Topic",
    "5.0/sends_response_topic_without_wildcards": "as seen in passing",
    "5.0/shares_without_itself": "No Local on a shared subscription",
    "5.0/sends_no_local_without_share": "as seen in passing",
    "5.0/subscribes_to_a_nameless_share": "$share//a",
    "5.0/sends_share_name": "as seen in passing",
    "5.0/subscribes_to_a_wrong_share": "$share/a without a filter behind it",
    "5.0/sends_filter_behind_share_name": "as seen in passing",
    "5.0/publishes_to_nothing": "an empty Topic Name without an alias",
    "5.0/sends_no_malformed_packet": "as seen in passing",
    "3.1.1/subscribes_to_nul": "U+0000 in a filter",
    "5.0/subscribes_to_nul": "likewise",
    "3.1.1/publishes_to_nul": "U+0000 in a Topic Name",
    "5.0/publishes_to_nul": "likewise",
    "3.1.1/sends_topics_without_nul": "as seen in passing",
    "5.0/sends_topics_without_nul": "likewise",
}
#: Packets that end no connection, though 3.1.1 wants each protocol violation to.
GOES_ON: Final = {
    "3.1.1/takes_something_before_connack": "SUBACK in the place of CONNACK",
    "3.1.1/takes_a_bad_connack": "reserved flags",
    "3.1.1/takes_a_bad_publish": "a wildcard in the Topic Name, DUP with QoS 0, identifier 0",
    "3.1.1/takes_a_bad_suback": "reserved codes, no codes",
    "3.1.1/takes_a_bad_unsuback": "identifier 0",
    "3.1.1/takes_bad_acknowledgements": "identifier 0",
    "3.1.1/takes_packets_of_a_client": "PINGREQ from a Server",
    "3.1.1/takes_reserved_flags": "of PUBACK and its kind",
    "3.1.1/takes_ill_formed_text": "bytes in a Topic Name that are no UTF-8",
}
SESSIONS: Final = {
    "5.0/keeps_a_session_it_does_not_have": "Session Present 1 behind Clean Start 1",
    "5.0/keeps_a_session_that_was_lost": "PUBREL goes out again though Session Present is 0",
}
PAHO: Final = {
    **LEFT_TO_THE_APPLICATION,
    **GOES_ON,
    **SESSIONS,
    "3.1.1/keeps_its_session_in_a_clean_start": "PUBLISH with DUP goes out again behind CleanSession 1",
    "5.0/keeps_its_session_in_a_clean_start": "likewise, behind Clean Start 1",
    "5.0/forgets_its_quota_of_a_session": "Receive Maximum is not looked at",
    "5.0/uses_topic_aliases_unasked": "a Topic Alias where the Server has given no maximum",
    "5.0/uses_too_high_topic_aliases": "a Topic Alias above the Server's maximum",
    "3.1.1/sends_no_malformed_packet": "a Server's PINGREQ is answered by PINGRESP",
    **{
        f"{version}/{name}": why
        for version in ("3.1.1", "5.0")
        for name, why in {
            "takes_a_text_frame": "its WebSocket does not look at opcodes",
            "takes_connack_in_a_text_frame": "likewise",
            "takes_reserved_opcodes": "likewise",
            "takes_a_masked_frame": "nor at the mask",
            "takes_reserved_bits": "nor at reserved bits",
            "sends_small_control_frames": "a Ping of 126 bytes is answered by a Pong of as many",
            "sends_frames_masked_as_its_role": "its Close frame is not masked",
            "takes_an_extension": "nor at what the answer to its request says of extensions",
            "takes_another_subprotocol": "nor of the subprotocol",
            "takes_no_upgrade": "nor whether it has Upgrade",
        }.items()
    },
}
MQTTJS: Final = {
    **LEFT_TO_THE_APPLICATION,
    **GOES_ON,
    **SESSIONS,
    "3.1.1/publishes_to_nothing": "an empty Topic Name",
    "3.1.1/takes_a_bad_header": "packet types 0 and 15",
    "3.1.1/ignores_a_disconnect_of_the_server": "which 3.1.1 does not have",
    "5.0/ignores_a_disconnect_with_flags": "the connection stays open, as it does behind a good one",
    "5.0/takes_auth_with_flags": "AUTH whose reserved flags are set is answered",
    **{
        f"{version}/{name}": why
        for version in ("3.1.1", "5.0")
        for name, why in {
            "publishes_to_wildcards": "a/+",
            "sends_topics_without_wildcards": "as seen in passing",
            "subscribes_to_nothing": "an empty filter",
            "sends_no_empty_topic": "as seen in passing",
            "sends_again_without_dup": "what is sent again out of its store has DUP 0",
            "takes_a_text_frame": "binary and text are the same to it",
            "takes_connack_in_a_text_frame": "likewise",
        }.items()
    },
}
#: aiomqtt is built on paho-mqtt, and adds no rule of its own.
EXPECTED: Final = {"mqttws": {}, "paho-mqtt": PAHO, "aiomqtt": PAHO, "MQTT.js": MQTTJS}
#: What cannot be decided: MQTT.js does nothing more, and says nothing, behind what is longer than MQTT's text may be,
#: or while a message that it has sent again waits for its acknowledgement.
UNDECIDED: Final = {
    "MQTT.js": {
        "3.1.1/cuts_a_long_filter",
        "3.1.1/cuts_a_long_topic",
        "5.0/cuts_a_long_filter",
        "5.0/cuts_a_long_topic",
        "5.0/forgets_its_quota_of_a_session",
    }
}


#: What want of time may lead to.
BAD: Final = {Verdict.FAILED, Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "mqttws" else pytest.mark.whole) for name in EXPECTED]
)
def test_a_client_fails_exactly_what_is_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "MQTT.js":
        monkeypatch.setenv("NODE_PATH", str(find_node_packages() / "node_modules"))
    expected, undecided = EXPECTED[name], UNDECIDED.get(name, set())
    results = check(name)
    known = expected.keys() | undecided
    bad = BAD | {Verdict.NOT_STRICT} if name == "mqttws" else BAD
    if doubtful := [one for one, said in results.items() if said.verdict in bad and one not in known]:
        again = check(name, *doubtful)  # with less going on; passive ones see nothing then
        results |= {one: said for one, said in again.items() if said.verdict is not Verdict.NOT_TESTED}
    if missing := [one for one in expected if results[one].verdict is not Verdict.FAILED]:
        again = check(name, *missing)
        results |= {one: said for one, said in again.items() if said.verdict is Verdict.FAILED}
    assert {one: said for one, said in results.items() if said.verdict is Verdict.FAILED and one not in expected} == {}
    assert {one for one in expected if results[one].verdict is not Verdict.FAILED} == set()
    inconclusive = {one: said for one, said in results.items() if said.verdict is Verdict.INCONCLUSIVE}
    assert {one: said for one, said in inconclusive.items() if one not in undecided} == {}
    if name == "mqttws":
        verdicts = Counter(said.verdict for said in results.values())
        assert verdicts.keys() <= {Verdict.PASSED, Verdict.NOT_TESTED}, verdicts
        assert verdicts[Verdict.PASSED] >= 300


class Said(NamedTuple):
    """A verdict and its reason."""

    verdict: Verdict
    reason: str


def check(name: str, *only: str) -> dict[str, Said]:
    """The checks that are asked for, by their ids without the kind."""

    async def run() -> list[Result]:
        patterns = [f"client/{one}" for one in only]
        # Hundreds of programs are started: their coverage is measured where each is started once.
        environment = {**environment_of(), "COVERAGE_PROCESS_START": ""}
        return await run_client(command_of(name), environment=environment, only=patterns, plan=PLAN)

    results = trio.run(run)
    assert not faults(results)
    return {one.check.removeprefix("client/"): Said(one.verdict, one.reason) for one in results}
