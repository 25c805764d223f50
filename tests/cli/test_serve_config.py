"""The configuration file of ``mqttws serve``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqttws.cli.outcome import UsageError
from mqttws.cli.serve_config import EXAMPLE, ServeConfig, load
from mqttws.endpoint import EventHandler


def read(tmp_path: Path, text: str) -> ServeConfig:
    path = tmp_path / "serve.toml"
    path.write_text(text, encoding="utf-8")
    return load(str(path))


def test_the_example_of_the_help_is_read_in_whole(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE)
    assert (config.host, config.port, config.profile) == ("localhost", 8080, "webpubsub")
    assert config.hubs == ["chat", "news"]
    assert (config.access_key_file, config.secondary_key_file) == ("primary.key", "secondary.key")
    assert config.settings == {"anonymous": False, "queue_messages": 100}
    (handler,) = config.event_handlers["chat"]
    assert handler == EventHandler(
        "http://localhost:3000/eventhandler/{event}", "*", ["connect", "connected", "disconnected"]
    )


def test_lists_of_settings_are_sets(tmp_path: Path) -> None:
    config = read(tmp_path, '[settings]\norigins = ["https://a", "https://b"]\n')
    assert config.settings == {"origins": frozenset({"https://a", "https://b"})}
    assert read(tmp_path, "[settings]\norigins = []\n").settings == {"origins": None}


def test_secrets_do_not_show(tmp_path: Path) -> None:
    config = read(tmp_path, 'access_key = "abc"\nsecondary_key = "xyz"\n')
    assert (config.access_key, config.secondary_key) == ("abc", "xyz")
    assert "abc" not in repr(config)
    assert "xyz" not in repr(config)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it says nothing"),
        ("port = ", "Invalid value"),
        ("prot = 1", "prot: there is no such key; did you mean port?"),
        ("zzz = 1", "zzz: there is no such key"),
        ('port = "8080"', "port: this is a number"),
        ("port = true", "port: this is a number"),
        ("port = 65536", "port: this is a number from 0 to 65,535"),
        ("host = 1", "host: this is a text"),
        ("hubs = []", "hubs: this is a list of names, with at least one"),
        ("hubs = [1]", "hubs: this is a list of names"),
        ('hubs = "chat"', "hubs: this is a list of names"),
        ("lifetime = 0", "lifetime: this is a number of seconds above 0"),
        ("lifetime = nan", "lifetime: this is a number of seconds above 0"),
        ("settings = 1", "settings: this is a table"),
        ("[settings]\norigins = [1]", "settings.origins: a list holds texts"),
        ("event_handlers = 1", "event_handlers: this is a table"),
        ("[event_handlers.chat]\nurl = 1", "event_handlers.chat: this is a list of tables"),
        ("[[event_handlers.chat]]\nuser_events = '*'", "event_handlers.chat[1].url: the URL is missing"),
        ("[[event_handlers.chat]]\nurl = 'ftp://x'", "event_handlers.chat[1].url:"),
    ],
)
def test_what_cannot_be_used_names_the_key(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert complaint in str(caught.value)
    assert "serve.toml" in str(caught.value)


def test_files_that_cannot_be_read_do_not_start_anything(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "large.toml").write_bytes(b"#" * 1_048_577)
    for name, complaint in (("binary.toml", "utf-8"), ("large.toml", "more than 1,048,576 bytes")):
        with pytest.raises(UsageError, match=complaint):
            load(str(tmp_path / name))
