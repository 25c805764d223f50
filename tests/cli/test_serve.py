"""``mqttws serve``: two lines to start from, then an endpoint until a signal comes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.cli.serve import _setting
from mqttws.endpoint.service import Service, settings_of
from mqttws.webpubsub import ClientAccessUrl, ConnectionString, Roles, client_access_url, read_token
from tests.cli.peers import Command, serving

KEY = "canary0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_serves_until_a_signal_comes(number: int) -> None:
    with serving("--hub", "chat", "--access-key", KEY, "--lifetime", "600") as (command, connection_string, url):
        service = ConnectionString.parse(connection_string)
        assert service.access_key == KEY
        parsed = ClientAccessUrl.parse(url)
        assert (parsed.host, parsed.hub) == ("localhost", "chat")
        claims = read_token(parsed.token, [KEY], [service.audience("chat")], time.time())
        assert claims.roles == Roles.everything()
        assert 0 < claims.expires_at - time.time() <= 600
        assert main(["pub", "-L", url, "-t", "group1", "-m", "x", "-q", "2"]) == 0
        command.signal(number)
        code, out, err = command.end()
    assert (code, out) == (0, "")
    assert err.strip()
    assert KEY not in err
    assert parsed.token is not None
    assert parsed.token not in err


def test_every_hub_named_gets_a_url_and_no_other_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    with serving("--hub", "chat", "--hub", "news", "--quiet") as (command, connection_string, _):
        news = command.line()
        assert news.startswith("url: ws://localhost:")
        assert "/hubs/news?access_token=" in news
        assert main(["url", "--connection-string", connection_string, "--hub", "other", "--everything"]) == 0
        other = capsys.readouterr().out.strip()
        assert main(["pub", "-L", other, "-t", "t", "-m", "x"]) == 3


def test_the_key_may_come_from_the_environment_and_a_short_one_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MQTTWS_ACCESS_KEY", "canary")
    with serving() as (command, connection_string, url):
        assert ConnectionString.parse(connection_string).access_key == "canary"
        assert main(["pub", "-L", url, "-t", "t", "-m", "x"]) == 0
        command.signal(signal.SIGINT)
        code, _, err = command.end()
    assert code == 0
    assert [line for line in err.splitlines() if "access key has 6 bytes" in line]
    assert "canary" not in err


def test_a_random_key_is_long_enough(endpoint: tuple[str, str]) -> None:
    assert len(ConnectionString.parse(endpoint[0]).access_key) >= 32


def test_it_serves_in_this_very_process(
    unused_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", unused_port)):
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.01)

    monkeypatch.setenv("MQTTWS_ACCESS_KEY", KEY)
    thread = threading.Thread(target=interrupt)
    thread.start()
    assert main(["serve", "--port", str(unused_port), "--hub", "chat", "--hub", "news"]) == 0
    thread.join()
    out, err = capsys.readouterr()
    assert [line.split(": ")[0] for line in out.splitlines()] == ["connection-string", "url", "url"]
    assert f"Endpoint=http://localhost:{unused_port};AccessKey={KEY};" in out
    assert KEY not in err


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_settings_are_of_their_defaults_kind() -> None:
    assert _setting("allow-underscore=No") == ("allow_underscore", False)
    assert _setting("queue_messages=0x10") == ("queue_messages", 16)
    assert _setting("clock_skew=1.5") == ("clock_skew", 1.5)
    assert _setting("wildcard_answer=disconnect") == ("wildcard_answer", "disconnect")
    assert _setting("origins=https://a,https://b") == ("origins", frozenset({"https://a", "https://b"}))


@pytest.mark.parametrize(("settings", "code"), [([], 3), (["--set", "allow-underscore=yes"], 0)])
def test_a_setting_is_taken(settings: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with serving("--quiet", "--set", "queue_messages=10", *settings) as (_, _, url):
        pub = ["pub", "-L", url, "-t", "t", "-m", "x", "-q", "1", "-i", "under_score"]
        assert main([*pub, "--profile", "mqtt"]) == code
        assert main(pub) == 2
    assert "1 to 128 ASCII letters and digits" in capsys.readouterr().err


def test_every_setting_is_explained_with_its_value_its_origin_and_the_other_profile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        main(["serve", "--explain-settings", "--set", "queue_messages=7", "--set", "origins=https://b,https://a"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert {setting.name for setting in settings_of(Service())} <= {line.split(" = ")[0] for line in lines}
    assert "allow_underscore = false  (documented; row 22)" in lines
    assert "queue_messages = 7  (unknown; row 68; default 1000)" in lines
    assert "keep_alive_maximum = 180  (documented; row 25, 26; generic 65535)" in lines
    assert "takeover_code = 0x8E  (inferred; row 39)" in lines
    assert "native_close_code = 1000  (unknown; row 81)" in lines
    assert "origins = https://a,https://b  (ours; default any)" in lines
    assert any(line.startswith("row 64: ") for line in lines)


def test_each_setting_can_be_set_by_its_printed_value(capsys: pytest.CaptureFixture[str]) -> None:
    for profile in ("webpubsub", "generic"):
        assert main(["serve", "--explain-settings", "--profile", profile]) == 0
        printed = [line.split("  (")[0] for line in capsys.readouterr().out.splitlines() if " = " in line]
        given = [line.replace(" = ", "=").replace("=''", "=").replace("=any", "=") for line in printed[1:]]
        service = Service.of(profile).changed(**dict(_setting(line) for line in given))
        assert service == Service.of(profile)
        assert len(given) == len(list(settings_of(service)))


def test_the_generic_profile_says_so_in_its_first_line_and_takes_any_path_without_a_token() -> None:
    with Command("serve", "--port", "0", "--quiet", "--profile", "generic") as command:
        assert command.line().startswith("profile: generic, a plain MQTT server")
        assert command.line().startswith("connection-string: ")
        url = command.line().removeprefix("url: ").split("/clients/")[0] + "/anything"
        assert main(["pub", "-L", url, "-t", "a/b", "-m", "x", "-q", "2", "-r"]) == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--hub", "1"], "no hub name"),
        (["--port", "70000"], "'70000' is no port"),
        (["--port", "http"], "'http' is no port"),
        (["--set", "allow_underscore"], "NAME=VALUE"),
        (["--set", "allow_underscore=maybe"], "allow_underscore should be like False"),
        (["--set", "queue_messages=many"], "queue_messages should be like 1000"),
        (["--set", "queue_messages=0"], "queue_messages is 0"),
        (["--set", "que_messages=1"], "did you mean 'queue_messages'"),
        (["--set", "wildcard_answer=x"], "wildcard_answer is 'x'"),
        (["--access-key", KEY, "--access-key-file", "x"], "access key is given twice"),
        (["--lifetime", "0"], "positive number of seconds"),
        (["--cert", "/absent"], "cannot use --cert"),
        (["--key", "/absent"], "--key goes with --cert"),
        (["--tls", "x", "--cert", "y"], "have no place"),
        (["--tls", "/absent/ca.pem"], "cannot write /absent/ca.pem"),
    ],
)
def test_wrong_usage_is_one_line_without_the_key(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--port", "0", *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err.startswith("mqttws serve: ")) == ("", 1, True)
    assert complaint in err
    assert KEY not in err


def test_a_port_that_is_taken_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"mqttws serve: cannot listen on localhost:{port}: ")


def test_a_certificate_made_now_is_trusted_by_who_has_its_authority(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = tmp_path / "ca.pem"
    pub = ["-t", "t", "-m", "x", "-q", "1"]
    with serving("--quiet", "--tls", str(authority)) as (_, connection_string, url):
        assert connection_string.startswith("Endpoint=https://localhost:")
        assert url.startswith("wss://localhost:")
        assert main(["pub", "-L", url, "--cafile", str(authority), *pub]) == 0
        assert main(["pub", "-L", url, "--insecure", *pub]) == 0
        assert main(["pub", "-L", url, *pub]) == 3
    err = capsys.readouterr().err
    assert "certificate is not trusted" in err
    assert "access_token=ey" not in err


def test_a_certificate_of_ones_own_is_served(tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    options = ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")]
    with serving("--quiet", *options) as (_, _, url):
        client = ["--cafile", str(tmp_path / "ca.pem"), *options]
        assert main(["pub", "-L", url, "-t", "t", "-m", "x", "-q", "1", *client]) == 0


def test_without_trustme_the_option_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert main(["serve", "--port", "0", "--tls", "x"]) == 2
    assert "pip install 'mqttws[tls]'" in capsys.readouterr().err


def test_an_ipv6_address_is_served() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with Command("serve", "--host", "::1", "--port", "0", "--quiet") as command:
        connection_string, url = command.line(), command.line().removeprefix("url: ")
        assert connection_string.startswith("connection-string: Endpoint=http://[::1]:")
        assert main(["pub", "-L", url, "-t", "t", "-m", "x", "-q", "1"]) == 0


def test_a_configuration_is_served_and_options_count_more(tmp_path: Path) -> None:
    (tmp_path / "primary.key").write_text("p" * 40)
    config = tmp_path / "serve.toml"
    key_file = tmp_path / "primary.key"
    text = (
        f'host = "127.0.0.1"\nport = 1\nhubs = ["news"]\naccess_key_file = "{key_file}"\nsecondary_key = "{"s" * 40}"\n'
    )
    config.write_text(f"{text}lifetime = 60\n[settings]\nanonymous = true\n")
    with serving("--quiet", "--config", str(config)) as (_, connection_string, url):
        assert connection_string.startswith("Endpoint=http://127.0.0.1:")
        assert f"AccessKey={'p' * 40};" in connection_string
        port = ClientAccessUrl.parse(url).port
        assert port > 1
        anybody = f"ws://127.0.0.1:{port}/clients/mqtt/hubs/news"
        assert main(["pub", "-L", anybody, "-t", "t", "-m", "x"]) == 1  # let in, without roles
        assert main(["pub", "-L", f"ws://127.0.0.1:{port}/clients/mqtt/hubs/chat", "-t", "t", "-m", "x"]) == 3
        second = client_access_url(connection_string.replace("p" * 40, "s" * 40), "news", roles=Roles.everything())
        assert main(["pub", "-L", second, "-t", "t", "-m", "x", "-q", "1"]) == 0
        assert "/hubs/news?" in url


def test_a_configuration_with_a_typing_error_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "serve.toml"
    config.write_text("[settings]\nanonymos = true\n")
    assert main(["serve", "--config", str(config)]) == 2
    assert "there is no setting 'anonymos'; did you mean 'anonymous'?" in capsys.readouterr().err
