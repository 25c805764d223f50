"""Checks one at a time: of codecs, of a Server that is there and of one that is not."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
import trio

from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.codec import InProcess
from mqttws.conformance.one_by_one import CannotBeChecked, OneByOne
from mqttws.conformance.runner import Plan
from mqttws.conformance.verdict import Verdict
from mqttws.endpoint import open_endpoint
from mqttws.webpubsub import Roles


def check_of(kind: Kind, name: str) -> Check:
    return next(check for check in checks(kind) if check.id == name)


VALID = check_of(Kind.CODEC, "codec/5.0/pingreq_valid")
INVALID = check_of(Kind.CODEC, "codec/5.0/pingresp_invalid")
SERVER = check_of(Kind.SERVER, "server/5.0/second_connect")
CLIENT = check_of(Kind.CLIENT, "client/5.0/connect_is_not_first")


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of an endpoint in a thread of its own."""
    urls: Queue[str] = Queue()
    over = threading.Event()

    async def serve() -> None:
        async with open_endpoint(hubs=["chat"]) as endpoint:
            urls.put(endpoint.client_access_url("chat", roles=Roles.everything()))
            await trio.to_thread.run_sync(over.wait)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    yield urls.get(timeout=30)
    over.set()
    thread.join()


def test_a_server_is_found_out_once_and_watched_from_check_to_check(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = OneByOne()
    assert kit.server(SERVER, server).verdict is Verdict.PASSED
    monkeypatch.setattr("mqttws.conformance.one_by_one._discovered", None)
    passive = check_of(Kind.SERVER, "server/5.0/sends_known_connack_codes")
    assert kit.server(passive, server).verdict is Verdict.PASSED


def test_a_client_is_found_out_once_and_watched_from_check_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = OneByOne()
    command = [sys.executable, "-m", "mqttws", "conform", "subject", "{url}"]
    assert kit.client(CLIENT, command).verdict is Verdict.PASSED
    monkeypatch.setattr("mqttws.conformance.client.run.discover", None)
    passive = check_of(Kind.CLIENT, "client/5.0/sends_protocol_name")
    assert kit.client(passive, command).verdict is Verdict.PASSED
    monkeypatch.setattr("mqttws.conformance.client.run.PLAN", Plan(check_seconds=0.01))
    assert kit.client(CLIENT, command).reason == "it was not over after 0.01 s"


def test_a_decoder_may_be_a_function_an_object_or_a_command(tmp_path: Path) -> None:
    file = tmp_path / "decoder.py"
    file.write_text("for line in __import__('sys').stdin: print('ok', flush=True)", encoding="utf-8")
    kit = OneByOne()
    for decoder in (lambda _: None, InProcess(lambda _: None, name="x"), [sys.executable, str(file)]):
        assert kit.codec(VALID, decoder).verdict is Verdict.PASSED
        assert kit.codec(INVALID, decoder).verdict is Verdict.FAILED


def test_a_command_that_is_not_there_cannot_be_checked() -> None:
    with pytest.raises(CannotBeChecked, match="cannot run"):
        OneByOne().codec(VALID, ["/no/such/program"])


def test_a_check_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="is no check of a server"):
        OneByOne().server(VALID, "ws://127.0.0.1:1/")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", "ws://192.0.2.1/"])
def test_a_server_that_is_not_there_is_looked_for_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = OneByOne()
    with pytest.raises(CannotBeChecked):
        kit.server(SERVER, url)
    monkeypatch.setattr("mqttws.conformance.one_by_one._discovered", None)
    with pytest.raises(CannotBeChecked):
        kit.server(SERVER, url)


def test_a_client_that_cannot_be_started_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = OneByOne()
    command = ["/no/such/program", "{url}"]
    with pytest.raises(CannotBeChecked):
        kit.client(CLIENT, command)
    monkeypatch.setattr("mqttws.conformance.one_by_one._led", None)
    with pytest.raises(CannotBeChecked):
        kit.client(CLIENT, command)
