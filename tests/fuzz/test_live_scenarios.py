"""What is done to peers: the same from the same seed, good where it claims to be, wrong where it claims to be."""

from __future__ import annotations

from collections import Counter

import pytest

from mqttws.codec import Connect, decode
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.live.answer_faults import ANSWER_FAULTS
from mqttws.fuzz.live.attack import pieces_of
from mqttws.fuzz.live.conversation import REQUEST, conversation, handshake
from mqttws.fuzz.live.frame_faults import FRAME_FAULTS, Good
from mqttws.fuzz.live.misdeeds import misdeed
from mqttws.fuzz.live.mqtt_faults import CLIENT_FAULTS, malformed_vectors
from mqttws.fuzz.live.referee import ClientReferee, ServerReferee
from mqttws.fuzz.live.request_faults import REQUEST_FAULTS
from mqttws.fuzz.live.scenarios import scenario
from mqttws.fuzz.live.script import Layer, Moment, Script, Step
from mqttws.fuzz.sources import RandomSource
from mqttws.vocabulary import Role

#: Those of framing that no rule forbids, or whose frame never ends.
LEGAL_FRAMES = {
    "huge-claim", "endless-fragments", "empty-frames", "ping-flood", "fragments", "trickle", "byte-messages",
    "cut-in-frame", "cut-in-packet", "length-sign",
}  # fmt: skip
#: What depends on luck.
RANDOM_FRAMES = {"noise", "garbled-frame"}


def plain(step: Step) -> bytes:
    """A step's bytes as they go out, its places filled with something harmless."""
    data = b"".join(pieces_of(step))
    for place in (b"{target}", b"{host}", b"{headers}"):
        data = data.replace(place, b"" if place == b"{headers}" else b"/x")
    return data


def refereed(steps: list[Step]) -> ServerReferee:
    referee = ServerReferee()
    for step in steps:
        referee.receive(plain(step))
    return referee


def scripts(count: int = 400) -> list[Script]:
    return [scenario(3, number) for number in range(count)]


def test_a_seed_and_a_number_give_the_same_attack_each_time() -> None:
    assert scripts(100) == scripts(100)
    assert scenario(4, 0) != scenario(3, 0)


def test_all_families_and_both_versions_take_part() -> None:
    made = scripts()
    families = Counter(script.kind.partition(":")[0] for script in made)
    assert set(families) == {"mutation", "garbled", "vector", "frame", "request", "protocol", "nothing wrong"}
    assert Counter(script.version for script in made) == {4: 200, 5: 200}
    assert min(families.values()) >= 10


def test_an_attack_says_which_step_is_wrong() -> None:
    for script in scripts():
        assert (script.spoiled is None) == (script.kind == "nothing wrong"), script.kind


def test_behind_what_is_wrong_nobody_says_goodbye() -> None:
    for script in scripts():
        if script.spoiled is not None:
            behind = script.steps[script.steps.index(script.spoiled) :]
            assert not [step for step in behind if step.note == "DISCONNECT" and not step.spoiled]


@pytest.mark.parametrize("version", [4, 5])
def test_good_conversations_are_good(version: int) -> None:
    notes = set()
    for number in range(90):
        steps = conversation(RandomSource(number), version, maximum_qos=number % 3)
        notes |= {step.note for step in steps}
        assert refereed([handshake(), *steps]).demand is None
        assert not [step for step in steps if step.spoiled]
    assert {"CONNECT", "SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH at QoS 2", "PUBREL", "PINGREQ", "DISCONNECT"} <= notes


def test_a_mutation_that_is_not_debatable_gives_the_referee_a_reason() -> None:
    found = Counter(
        refereed(script.steps).demand is not None
        for script in scripts(500)
        if script.kind.startswith("mutation") and script.spoiled is not None and not script.spoiled.debatable
    )
    # the others claim more than there is, so that a Server may wait for it
    assert found[True] > 5 * found[False]


@pytest.mark.parametrize("name", FRAME_FAULTS)
@pytest.mark.parametrize("masked", [True, False])
def test_faults_of_framing_break_a_rule_or_a_habit(name: str, masked: bool) -> None:
    packet = b"\xc0\x00" if masked else b"\xd0\x00"
    for number in range(6):
        steps = FRAME_FAULTS[name](RandomSource(number), Good(packet * 40, masked))
        assert any(step.spoiled for step in steps)
        if name in RANDOM_FRAMES:
            continue
        if masked:
            demand = refereed([handshake(), *conversation(RandomSource(0), 5)[:1], *steps]).demand
        else:
            referee = ClientReferee(Connect(client_id="c", keep_alive=60))
            referee.receive(b"".join(b"".join(pieces_of(step, masked=False)) for step in (welcome(), *steps)))
            demand = referee.demand
        assert (demand is None) == (name in LEGAL_FRAMES), (name, demand)


def welcome() -> Step:
    return Step("CONNACK", bytes.fromhex("2003000000"))


@pytest.mark.parametrize("name", REQUEST_FAULTS)
def test_a_request_that_has_to_be_refused_is_no_handshake_to_us_either(name: str) -> None:
    for number in range(4):
        step = REQUEST_FAULTS[name](RandomSource(number))
        assert step.layer is Layer.HTTP
        assert step.spoiled
        if not step.debatable and name not in ("half", "trickle"):
            assert refereed([step]).demand is not None
    if name == "trickle":
        assert refereed([step]).demand is None
        assert step.data == REQUEST


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("name", CLIENT_FAULTS)
def test_faults_of_the_protocol_are_made_of_packets(name: str, version: int) -> None:
    for number in range(4):
        steps = CLIENT_FAULTS[name](RandomSource(number), version)
        assert all(step.layer is Layer.MQTT and step.spoiled and step.data for step in steps)


@pytest.mark.parametrize("sender", list(Role))
@pytest.mark.parametrize("version", [4, 5])
def test_vectors_are_such_that_decode_refuses(version: int, sender: Role) -> None:
    chosen = malformed_vectors(version, sender)
    assert len(chosen) > 60
    for name, data in chosen[::7]:
        with pytest.raises(RemoteProtocolError):
            pytest.fail(f"{name}: {decode(data, version, sender=sender)}")


def test_misdeeds_are_the_same_each_time_and_of_every_moment() -> None:
    made = [misdeed(3, number, 4 + number % 2) for number in range(400)]
    assert made == [misdeed(3, number, 4 + number % 2) for number in range(400)]
    assert {script.moment for script in made} == set(Moment)
    assert all(script.spoiled is not None for script in made)
    assert {misdeed(3, number, 5, [Moment.HANDSHAKE]).moment for number in range(20)} == {Moment.HANDSHAKE}


def test_answers_carry_the_identifier_that_they_answer() -> None:
    placed = [
        step
        for number in range(300)
        for step in misdeed(9, number, 5, [Moment.SUBSCRIBE, Moment.PUBLISH]).steps
        if step.identifier is not None
    ]
    assert len(placed) > 60
    for step in placed:
        assert step.identifier is not None
        assert step.data[step.identifier : step.identifier + 2] == b"\0\1"


@pytest.mark.parametrize("name", ANSWER_FAULTS)
def test_answers_to_a_handshake_are_steps_of_http(name: str) -> None:
    step = ANSWER_FAULTS[name](RandomSource(1))
    assert (step.layer, step.spoiled) == (Layer.HTTP, True)
