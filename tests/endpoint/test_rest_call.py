"""The parts of a REST request, and its refusals."""

from __future__ import annotations

import pytest

from mqttws.endpoint.rest_call import ApiError, Params, answer


def test_parameters_are_read_whatever_their_case_and_as_often_as_they_come() -> None:
    params = Params("Excluded=a&excluded=b%20c&reason=&top=007")
    assert params.all("excluded") == ["a", "b c"]
    assert params.text("EXCLUDED") == "a"
    assert params.text("reason") is None
    assert params.all("filter") == []
    assert params.number("top", 1, 10) == 7
    assert params.number("maxpagesize", 1, 10) is None


@pytest.mark.parametrize("text", ["0", "11", "-1", "+1", "x", "1.5", "\u0664", "9" * 5000])
def test_a_number_is_within_its_bounds(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        Params(f"top={text.replace('+', '%2B')}").number("top", 1, 10)
    assert (caught.value.status, caught.value.message) == (400, "top: a whole number from 1 to 10 is expected")


def test_an_answer_has_a_json_body_or_none() -> None:
    assert (answer(202).body, answer(202).headers) == (b"", ())
    full = answer(200, {"a": 1}, (("x-y", "z"),))
    assert full.body == b'{"a": 1}'
    assert dict(full.headers) == {"content-type": "application/json; charset=utf-8", "x-y": "z"}
