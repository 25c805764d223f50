"""Events are printed in logs: none shows a query, a credential or a token."""

from __future__ import annotations

from mqttws.websocket import Opened, Refused, Upgrade


def test_an_upgrade_shows_its_path_but_no_secret() -> None:
    event = Upgrade.of("/hub?access_token=secret", (("authorization", "secret"), ("host", "x")), ("mqtt",))
    assert event.query == "access_token=secret"
    assert repr(event) == (
        "Upgrade(path='/hub', query='[redacted]', headers=(('authorization', '[redacted]'), ('host', 'x')), "
        "subprotocols=('mqtt',))"
    )
    assert "query=''" in repr(Upgrade("/", "", ()))


def test_answers_show_no_cookie_and_no_token() -> None:
    headers = (("set-cookie", "secret"), ("location", "wss://x/?access_token=secret"), ("a", "b"))
    assert repr(Opened(headers, "mqtt")) == (
        "Opened(headers=(('set-cookie', '[redacted]'), ('location', 'wss://x/?access_token=[redacted]'), "
        "('a', 'b')), subprotocol='mqtt')"
    )
    assert repr(Refused(302, headers, b"secret", "why")) == (
        "Refused(302, (('set-cookie', '[redacted]'), ('location', 'wss://x/?access_token=[redacted]'), "
        "('a', 'b')), 6 bytes, reason='why')"
    )
