"""What is taken out of text, and that looking for it takes linear time."""

from __future__ import annotations

import time

import pytest

from mqttws.redaction import REDACTED, is_secret_name, redact, secret_at, secrets_in

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2ln"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('{"reconnectionToken": "abc","a":1}', f'{{"reconnectionToken": "{REDACTED}","a":1}}'),
        ("GET /?awps_reconnection_token=abc&a=1", f"GET /?awps_reconnection_token={REDACTED}&a=1"),
        (f"GET /?access_token={JWT}&a=1", f"GET /?access_token={REDACTED}&a=1"),
        ("Bearer abc def", f"Bearer {REDACTED} def"),
        ("ws://joe:secret@host/", f"ws://{REDACTED}@host/"),
        (f"x-{JWT}!", f"x-{REDACTED}!"),
        (f"id_{JWT}", f"id_{REDACTED}"),
        (f"the token {JWT}", f"the token {REDACTED}"),
    ],
)
def test_a_secret_is_taken_out_and_its_place_is_known(text: str, clean: str) -> None:
    assert redact(text) == clean
    place = secret_at(text)
    assert place is not None
    assert clean[place:].startswith(REDACTED)
    assert text[:place] == clean[:place]


def test_every_secret_has_its_place() -> None:
    text = f"a Bearer abc, access_token={JWT} {JWT}"
    assert [text[start:stop] for start, stop in secrets_in(text)] == ["abc,", JWT, JWT]
    assert list(secrets_in("nothing here")) == []


@pytest.mark.parametrize("text", ["", "group1/eyJ", "keyJ.x", "ws://host/a@b", "keyJa.b"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
    assert secret_at(text) is None


@pytest.mark.parametrize(
    "unit", ["eyJ-", "eyJ.", "a-eyJ_", "ws://", "Bearer ", "access_token=", "wss://a@", '"reconnectionToken":']
)
def test_looking_takes_linear_time(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    started = time.perf_counter()
    redact(text)
    secret_at(text)
    assert time.perf_counter() - started < 5  # quadratic would be minutes


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "refresh_token", "Cookie", "PASSWORD", "accessKey"])
def test_names_tell_that_a_value_is_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["sec-websocket-key", "content-type", "user", "key"])
def test_other_names_do_not(name: str) -> None:
    assert not is_secret_name(name)
