"""Connection strings and URLs, taken apart and put together; secrets stay out of whatever may be printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.webpubsub import ClientAccessUrl as Url
from mqttws.webpubsub import ConnectionString, check_hub, redact

KEY = "canary-key-0123456789abcdef0123456789=="
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (f"Endpoint=https://demo.webpubsub.azure.com;AccessKey={KEY};Version=1.0;", "https://demo.webpubsub.azure.com"),
        (f" accesskey={KEY};;ENDPOINT=https://Demo.Example/ ;", "https://demo.example"),
        (f"Endpoint=http://localhost;Port=8080;AccessKey={KEY}", "http://localhost:8080"),
        (f"Endpoint=http://[::1]:8080;AccessKey={KEY}", "http://[::1]:8080"),
        (f"Endpoint=demo.example;AccessKey={KEY}", "https://demo.example"),
        (f"Endpoint=https://one.example;Endpoint=https://two.example;AccessKey={KEY}", "https://one.example"),
    ],
)
def test_a_connection_string_is_read_as_the_sdks_read_it(text: str, endpoint: str) -> None:
    parsed = ConnectionString.parse(text)
    assert parsed == ConnectionString(endpoint, KEY)
    assert parsed.secure == endpoint.startswith("https")
    assert ConnectionString.parse(parsed.text) == parsed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Endpoint is missing"),
        (f"AccessKey={KEY}", "Endpoint is missing"),
        ("Endpoint=https://demo.example", "AccessKey is missing"),
        ("Endpoint=https://demo.example;AccessKey=;", "AccessKey is missing"),
        (f"Endpoint=https://demo.example;{KEY[:-2]};AccessKey=x", "segment 2 is not name=value"),
        (f"Endpoint=ftp://demo.example;AccessKey={KEY}", "Endpoint reads"),
        (f"Endpoint=https://demo.example/path;AccessKey={KEY}", "Endpoint reads"),
        (f"Endpoint=https://user:pw@demo.example;AccessKey={KEY}", "Endpoint reads"),
        (f"Endpoint=https://de mo;AccessKey={KEY}", "Endpoint reads"),
        (f"Endpoint=https://;AccessKey={KEY}", "Endpoint reads"),
        (f"Endpoint=http://localhost:0;AccessKey={KEY}", "Endpoint reads"),
        (f"Endpoint=http://localhost;Port=http;AccessKey={KEY}", "malformed"),
        (f"Endpoint=http://[::1;AccessKey={KEY}", "malformed"),
    ],
)
def test_a_bad_connection_string_is_refused_without_showing_its_key(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        ConnectionString.parse(text)
    assert "canary" not in str(caught.value)


def test_neither_repr_nor_str_of_a_connection_string_holds_the_key() -> None:
    parsed = ConnectionString("https://demo.example", KEY)
    assert KEY not in repr(parsed)
    assert str(parsed) == "Endpoint=https://demo.example;AccessKey=[redacted]"
    assert KEY in parsed.text


def test_audience_is_http_and_client_url_is_ws() -> None:
    local = ConnectionString("http://localhost:8080", KEY)
    assert local.audience("chat") == "http://localhost:8080/clients/mqtt/hubs/chat"
    assert local.client_url("chat") == "ws://localhost:8080/clients/mqtt/hubs/chat"
    assert ConnectionString("https://demo.example", KEY).client_url("Chat") == (
        "wss://demo.example/clients/mqtt/hubs/Chat"
    )


@pytest.mark.parametrize("hub", ["a", "Chat_1", "a`,.[]", "h" * 128])
def test_hub_names_of_the_rest_schema_are_accepted(hub: str) -> None:
    check_hub(hub)
    assert ConnectionString("https://demo.example", KEY).audience(hub).endswith("/" + hub)


@pytest.mark.parametrize("hub", ["", "1a", "_a", "a-b", "a/b", "a b", "ä", "a\n", "h" * 129])
def test_other_hub_names_are_refused(hub: str) -> None:
    with pytest.raises(ValueError, match="no hub name"):
        check_hub(hub)
    with pytest.raises(ValueError, match="no hub name"):
        ConnectionString("https://demo.example", KEY).client_url(hub)


@pytest.mark.parametrize(
    ("url", "authority", "parsed"),
    [
        pytest.param(
            f"wss://demo.example/clients/mqtt/hubs/chat?access_token={TOKEN}",
            "demo.example",
            Url(True, "demo.example", 443, f"/clients/mqtt/hubs/chat?access_token={TOKEN}", "chat", TOKEN),
            id="service",
        ),
        pytest.param(
            f" ws://127.0.0.1:8080/clients/mqtt/hubs/a%5B1%5D?x=y&access_token={TOKEN}\n",
            "127.0.0.1:8080",
            Url(False, "127.0.0.1", 8080, f"/clients/mqtt/hubs/a%5B1%5D?x=y&access_token={TOKEN}", "a[1]", TOKEN),
            id="local endpoint",
        ),
        ("ws://127.0.0.1:9001/mqtt", "127.0.0.1:9001", Url(False, "127.0.0.1", 9001, "/mqtt")),
        ("ws://server", "server", Url(False, "server", 80, "/")),
        ("WSS://Server:443?q", "server", Url(True, "server", 443, "/?q")),
        ("wss://server:80/", "server:80", Url(True, "server", 80, "/")),
        ("ws://[::1]:9001/mqtt", "[::1]:9001", Url(False, "::1", 9001, "/mqtt")),
        ("ws://[::1]/ü?ä=%41", "[::1]", Url(False, "::1", 80, "/%C3%BC?%C3%A4=%41")),
        ("ws://bücher.example/", "xn--bcher-kva.example", Url(False, "xn--bcher-kva.example", 80, "/")),
        ("ws://h/clients/mqtt/hubs/a/b", "h", Url(False, "h", 80, "/clients/mqtt/hubs/a/b")),
        ("ws://h/client/hubs/a", "h", Url(False, "h", 80, "/client/hubs/a")),
    ],
)
def test_any_websocket_url_is_taken_apart(url: str, authority: str, parsed: Url) -> None:
    assert Url.parse(url) == parsed
    assert parsed.authority == authority
    assert Url.parse(parsed.url) == parsed


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "ws:// or wss://"),
        ("broker:9001/mqtt", "ws:// or wss://"),
        ("http://broker/mqtt", "ws:// in place of http://"),
        ("https://broker/mqtt", "wss:// in place of https://"),
        ("mqtt://broker", "plain TCP or TLS"),
        ("ws://user:canary@broker/mqtt", "user name and password"),
        ("ws://us:can/ary@broker/mqtt", "malformed"),
        ("ws:///mqtt?access_token=canary", "names no host"),
        ("ws://broker:0/mqtt?access_token=canary", "port is 0"),
        ("ws://broker:65536/mqtt?access_token=canary", "malformed"),
        ("ws://[::1/mqtt?access_token=canary", "malformed"),
        ("ws://broker/sport/#?access_token=canary", "no fragment"),
        ("ws://broker/mqtt#", "no fragment"),
        ("ws://broker/a b?access_token=canary", "space or a control"),
        ("ws://broker/a\r\nHost: x?access_token=canary", "space or a control"),
        ("ws://" + "ü" * 300 + "/?access_token=canary", "IDNA"),
    ],
)
def test_a_bad_url_is_refused_without_showing_its_secrets(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Url.parse(url)
    assert "canary" not in str(caught.value)
    assert "can/ary" not in str(caught.value)


def test_neither_repr_nor_str_of_a_url_holds_the_token() -> None:
    parsed = Url.parse(f"ws://[::1]:8080/clients/mqtt/hubs/chat?access_token={TOKEN}")
    assert TOKEN not in repr(parsed)
    assert str(parsed) == "ws://[::1]:8080/clients/mqtt/hubs/chat?[redacted]"
    assert TOKEN in parsed.url
    assert str(Url.parse("ws://broker/mqtt")) == "ws://broker/mqtt"


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    for url in (text, "ws://" + text, "wss://host/" + text):
        try:
            parsed = Url.parse(url)
        except ValueError:
            continue
        assert parsed.target.isascii()
        assert parsed.target.startswith("/")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"GET /x?a=1&access_token={TOKEN}&b=2 HTTP/1.1", "GET /x?a=1&access_token=[redacted]&b=2 HTTP/1.1"),
        (f"ACCESS_TOKEN={TOKEN}", "ACCESS_TOKEN=[redacted]"),
        (f"Authorization: Bearer {TOKEN}\r\nHost: x", "Authorization: Bearer [redacted]\r\nHost: x"),
        (f"the token '{TOKEN}' is bad", "the token '[redacted]' is bad"),
        (f"Endpoint=https://x;AccessKey={KEY};Version=1.0;", "Endpoint=https://x;AccessKey=[redacted];Version=1.0;"),
        ("dialling ws://joe:canary@broker/mqtt", "dialling ws://[redacted]@broker/mqtt"),
        ("nothing to hide: ws://broker/mqtt", "nothing to hide: ws://broker/mqtt"),
    ],
)
def test_redact_takes_secrets_and_nothing_else(text: str, clean: str) -> None:
    assert redact(text) == clean


@given(st.text(alphabet="ey.J=&Bearer access_tokn:/@w", max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_no_token_survives_redaction_whatever_stands_around_it(noise: str, before: str, after: str) -> None:
    assert "Y2FuYXJ5" not in redact(f"{before}{noise}?access_token=Y2FuYXJ5.Y2FuYXJ5&{after}")
