"""The configuration of event handlers: what is taken, what each takes, and errors that say where they are."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import trio

from mqttws.endpoint import EventHandler, HandlerFault
from mqttws.endpoint.handlers_config import check_handlers
from mqttws.endpoint.upstream import Answer, Call

URL = "http://localhost:3000/eventhandler"


async def function(call: Call) -> Answer | None:
    """A handler of this process."""
    await trio.lowlevel.checkpoint()
    return None


@pytest.mark.parametrize(
    ("template", "target"),
    [
        (URL, "/eventhandler"),
        ("https://host", "/"),
        ("http://host/{hub}/{event}?hub={hub}&code=a%2Fb", "/my.hub/e%20%2F%3F%23%26?hub=my.hub&code=a%2Fb"),
        ("http://[::1]:80/{event}#fragment", "/e%20%2F%3F%23%26"),
        ("http://host?{event}", "/?e%20%2F%3F%23%26"),
    ],
)
def test_names_stay_within_their_place_in_the_url(template: str, target: str) -> None:
    handler = EventHandler(template)
    assert handler.url("my.hub", "e /?#&").target == target
    assert handler.takes_event("my.hub", "e /?#&")


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("", "does not start with http"),
        ("ftp://host/", "does not start with http"),
        ("ws://host/", "does not start with http"),
        ("tunnel:///path", "does not start with http"),
        ("http:///path", "names no host"),
        ("http://host:99999/", "malformed"),
        ("http://a b/", "space"),
        ("http://user:secret@host/", "credentials"),
        ("http://{hub}.host/", "behind the host"),
        ("http://host:{event}/", "behind the host"),
        ("http://host\\{hub}/", "behind the host"),
        ("{hub}://host/", "http"),
        ("http://host/{name}", r"no parameter \{name\}"),
        ("http://host/{}", "no parameter"),
        ("http://host/{hub", "brace"),
        ("http://host/hub}", "brace"),
        ("http://host/{{hub}}", "brace"),
        ("http://host/../{hub}", "dots"),
        ("http://host/a/.", "dots"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(template: str, fault: str) -> None:
    with pytest.raises(HandlerFault, match=f"^url: .*({fault})") as caught:
        EventHandler(template)
    assert caught.value.key == "url"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_would_lead_out_of_the_path_is_not_taken(name: str) -> None:
    assert not EventHandler("http://host/x/{event}").takes_event("chat", name)
    assert not EventHandler("http://host/x/{event}/y?a={event}").takes_event("chat", name)
    assert EventHandler("http://host/x/a{event}").takes_event("chat", name)
    assert EventHandler("http://host/x?event={event}").takes_event("chat", name)
    assert EventHandler(function).takes_event("chat", name)


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [("*", "abc"), ("a", "a"), ("a,c", "ac"), (" a , b ", "ab"), ("b,*", "abc"), ("", ""), ("A", ""), ("a*", "")],
)
def test_a_pattern_is_a_star_or_names(pattern: str, taken: str) -> None:
    handler = EventHandler(URL, pattern, ["connected"])
    assert "".join(name for name in "abc" if handler.takes_event("chat", name)) == taken
    assert handler.takes_system("connected")
    assert not handler.takes_system("connect")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"user_events": "a,,b"}, "user_events: ''"),
        ({"user_events": "a/b"}, "user_events: 'a/b'"),
        ({"user_events": ["a"]}, "user_events: this is one text"),
        ({"user_events": ""}, "user_events: the handler takes no event"),
        ({"system_events": "connect"}, "system_events: this is a list"),
        ({"system_events": 1}, "system_events: this is a list"),
        ({"system_events": ["connect", "conected"]}, "system_events: 'conected' is none of connect, connected"),
        ({"target": 5}, "url: this is a URL or an async function, not int"),
    ],
)
def test_other_faults_name_their_key(options: Any, fault: str) -> None:
    with pytest.raises(HandlerFault, match=f"^{fault}"):
        EventHandler(**{"target": URL, **options})


def test_a_table_of_a_file_is_a_handler() -> None:
    text = """
    [[hubs.chat.event_handlers]]
    url = "http://localhost:3000/{event}"
    user_events = "a,b"
    system_events = ["connect"]
    [[hubs.chat.event_handlers]]
    url = "http://localhost:3000/rest"
    """
    tables = tomllib.loads(text)["hubs"]["chat"]["event_handlers"]
    first, second = [EventHandler.from_table(table, f"hubs.chat[{n}]") for n, table in enumerate(tables)]
    assert first == EventHandler("http://localhost:3000/{event}", "a,b", ["connect"])
    assert second == EventHandler("http://localhost:3000/rest", "*", ())


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({}, "here.url: the URL is missing"),
        ({"url": 5}, "here.url: this is a text"),
        ({"url": "http://{hub}/"}, "here.url: parameters stand behind"),
        ({"url": URL, "user_events": 5}, "here.user_events: this is one text"),
        ({"url": URL, "system_events": [1]}, "here.system_events: 1 is none of"),
        ({"url": URL, "events": "*"}, "here.events: there is no such key, only url, user_events, system_events"),
        ({"target": URL}, "here.target: there is no such key"),
        ("http://host", "here: this is a table"),
    ],
)
def test_a_table_that_is_wrong_says_where(table: object, fault: str) -> None:
    with pytest.raises(HandlerFault) as caught:
        EventHandler.from_table(table, "here")
    assert str(caught.value).startswith(fault)
    assert str(caught.value) == f"{caught.value.key}: {caught.value.text}"


@pytest.mark.parametrize(
    ("handlers", "fault"),
    [
        ({"1chat": []}, "1chat: "),
        ({"chat": EventHandler(URL)}, "chat: this is a list of EventHandler"),
        ({"chat": [URL]}, "chat: this is a list of EventHandler"),
        ({"chat": URL}, "chat: this is a list of EventHandler"),
    ],
)
def test_the_lists_of_the_hubs_are_checked(handlers: Any, fault: str) -> None:
    check_handlers({"chat": [EventHandler(URL)], "_default": (), "my.hub": []})
    with pytest.raises(HandlerFault) as caught:
        check_handlers(handlers)
    assert str(caught.value).startswith(fault)


def test_a_repr_tells_where_but_no_secret() -> None:
    shown = repr(EventHandler("http://host/{hub}?code=secret", "a", ["connect"]))
    assert shown == "<EventHandler http://host/hub?[redacted] for user events 'a', system events ['connect']>"
    assert "function" in repr(EventHandler(function))
    assert "secret" not in repr({"chat": [EventHandler(f"{URL}?code=secret")]})
