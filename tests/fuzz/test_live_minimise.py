"""Scripts made smaller as long as they show the same."""

from __future__ import annotations

from trio.testing import trio_test

from mqttws.codec import Publish, encode
from mqttws.fuzz.live.minimise import Budget, minimise
from mqttws.fuzz.live.script import Layer, Script, Step

GOOD = [Step(name, b"\xc0\x00") for name in ("one", "two", "three")]


def script(*steps: Step) -> Script:
    return Script("k", 5, list(steps))


def budget(tries: int = 400) -> Budget:
    return Budget(tries, 60)


@trio_test
async def test_steps_that_do_not_matter_go() -> None:
    spoiled = Step("bad", b"\x00\x00", spoiled=True)

    async def shows(smaller: Script) -> bool:
        return smaller.spoiled is not None and any(step.note == "two" for step in smaller.steps)

    small = await minimise(script(*GOOD, spoiled, *GOOD), shows, budget())
    assert [step.note for step in small.steps] == ["two", "bad"]
    assert small.steps[1].data == b"\x00"


@trio_test
async def test_without_a_spoiled_step_all_but_one_may_go() -> None:
    async def shows(smaller: Script) -> bool:
        return len(smaller.steps) >= 1

    assert len((await minimise(script(*GOOD), shows, budget())).steps) == 1


@trio_test
async def test_the_length_of_a_packet_stays_right_if_it_was() -> None:
    data = encode(Publish("a/topic", b"payload with an X in it"))

    async def shows(smaller: Script) -> bool:
        data = smaller.steps[0].data
        return data[:1] == b"\x30" and b"X" in data and data[1] == len(data) - 2

    small = await minimise(script(Step("bad", data, spoiled=True)), shows, budget())
    assert small.steps[0].data == b"\x30\x01X"


@trio_test
async def test_what_lies_about_its_length_is_cut_as_it_is() -> None:
    lie = Step("bad", b"\x30\xff\xff\xff\xff\xff\x01", spoiled=True)
    wire = Step("frame", b"\x82\x80abcd", Layer.WIRE, spoiled=True)

    async def shows(smaller: Script) -> bool:
        return len(smaller.steps) == 2 and smaller.steps[0].data.endswith(b"\x01")

    small = await minimise(script(lie, wire), shows, budget())
    assert [step.data for step in small.steps] == [b"\x01", small.steps[1].data]
    assert len(small.steps[1].data) == 1


@trio_test
async def test_times_and_pieces_become_plain() -> None:
    async def shows(smaller: Script) -> bool:
        return bool(smaller.steps) and smaller.steps[0].times >= 3

    small = await minimise(script(Step("bad", b"abcd", pieces=1, times=100, spoiled=True)), shows, budget())
    assert (small.steps[0].pieces, small.steps[0].times) == (0, 3)


@trio_test
async def test_requests_and_answers_with_an_identifier_keep_their_bytes() -> None:
    head = Step("head", b"GET", Layer.HTTP, spoiled=True)
    answer = Step("answer", b"\x90\x03\x00\x01\x00", spoiled=True, identifier=2)

    async def shows(smaller: Script) -> bool:
        return True

    assert (await minimise(script(head), shows, budget())).steps == [head]
    assert (await minimise(script(answer), shows, budget())).steps == [answer]


@trio_test
async def test_a_long_step_is_not_cut_byte_by_byte() -> None:
    tried = 0

    async def shows(_smaller: Script) -> bool:
        nonlocal tried
        tried += 1
        return False

    await minimise(script(Step("bad", bytes(10_000), Layer.WIRE, spoiled=True)), shows, budget())
    assert tried < 50


@trio_test
async def test_the_budget_is_kept() -> None:
    tried = 0

    async def shows(_smaller: Script) -> bool:
        nonlocal tried
        tried += 1
        return False

    await minimise(script(*GOOD, Step("bad", bytes(60), spoiled=True)), shows, budget(5))
    assert tried == 5
    assert not Budget(5, 0).take()
