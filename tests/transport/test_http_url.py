"""URLs of HTTP servers, taken apart."""

from __future__ import annotations

import pytest

from mqttws.transport.http_url import HttpUrl, authority


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "host_header"),
    [
        ("http://a.example", "a.example", 80, "/", "a.example"),
        ("https://a.example/x?y=1#z", "a.example", 443, "/x?y=1", "a.example"),
        (" http://[::1]:8080/a%20b", "::1", 8080, "/a%20b", "[::1]:8080"),
        ("http://a.example:8080", "a.example", 8080, "/", "a.example:8080"),
        ("https://[::443]", "::443", 443, "/", "[::443]"),
        (
            "http://b\N{LATIN SMALL LETTER U WITH DIAERESIS}.example/\N{EURO SIGN}",
            "xn--b-eha.example",
            80,
            "/%E2%82%AC",
            "xn--b-eha.example",
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, target: str, host_header: str) -> None:
    parsed = HttpUrl.parse(url)
    assert (parsed.secure, parsed.host, parsed.port) == (url.strip().startswith("https"), host, port)
    assert (parsed.target, parsed.authority) == (target, host_header)


def test_credentials_are_decoded_and_not_shown() -> None:
    url = HttpUrl.parse("https://user:c%40nary@a.example/x?canary=1")
    assert (url.username, url.password) == ("user", "c@nary")
    assert str(url) == "https://a.example/x?[redacted]"
    assert "nary" not in repr(url)
    assert str(HttpUrl.parse("http://a.example")) == "http://a.example/"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://canary", "does not start with http:// or https://"),
        ("canary", "does not start with http:// or https://"),
        ("http:///canary", "names no host"),
        ("http://canary:0", "port is 0"),
        ("http://canary:99999", "malformed"),
        ("http://[canary", "malformed"),
        ("http://" + "\N{EURO SIGN}" * 70 + "canary", "malformed"),
        ("http://canary /", "holds a space"),
        ("http://canary\n/", "control character"),
    ],
)
def test_what_is_no_url_is_refused_and_not_shown(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        HttpUrl.parse(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "url", "same"),
    [
        ("/c", "http://a.example/c", True),
        ("c?d", "http://a.example/x/c?[redacted]", True),
        ("//b.example/", "http://b.example/", False),
        ("https://a.example/", "https://a.example/", False),
        ("http://a.example:81/", "http://a.example:81/", False),
    ],
)
def test_a_location_is_relative_to_where_it_was_said(location: str, url: str, same: bool) -> None:
    here = HttpUrl.parse("http://a.example/x/y?z=1")
    there = here.join(location)
    assert str(there) == url
    assert (there.origin == here.origin) is same


def test_an_address_in_brackets() -> None:
    assert [authority(host, 1) for host in ("a", "1.2.3.4", "::1")] == ["a:1", "1.2.3.4:1", "[::1]:1"]
