"""The ready subjects as the kit starts them, on a scripted Server; and mosquitto, where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.client import subjects
from mqttws.conformance.client.convention import Connected, Disconnected, Message, Published, Subscribed
from mqttws.conformance.client.subjects import SUBJECTS, SubjectMissing, command_of, release_of
from tests.conformance.client import scripts
from tests.conformance.client.leading import as_program, hosting
from tests.conformance.client.scripts import both_versions
from tests.interop.servers import mosquitto

each_subject = pytest.mark.parametrize("name", SUBJECTS)


@each_subject
@both_versions
@trio_test
async def test_a_subject_does_its_tasks_and_tells_what_happens(name: str, version: int) -> None:
    async with hosting() as host, as_program(name, host.url) as subject:
        if name not in ("MQTT.js", "mqttws"):
            await scripts.cannot(subject, "connect", version=5, auth_method="x")
            await scripts.cannot(subject, "reauthenticate")
        elif version == 5:
            peer = await scripts.authenticates(host, subject)
            await scripts.farewell(peer, subject)
        await scripts.whole_way(host, subject, version)
        await scripts.refused(host, subject, version)
        await scripts.ended_by_the_server(host, subject, version)
        await scripts.session_goes_on(host, subject, version)
        if name == "aiomqtt":
            await scripts.cannot(subject, "connect", version=version, reconnect=True)
        else:
            await scripts.comes_back(host, subject, version)


@each_subject
@trio_test
async def test_a_subject_says_what_went_wrong(name: str) -> None:
    with trio.fail_after(30):
        async with as_program(name, "ws://127.0.0.1:1/mqtt") as subject:
            await scripts.nothing_without_a_connection(subject)


@each_subject
@trio_test
async def test_a_subject_and_a_server_of_others(name: str, tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with mosquitto(tmp_path) as server, as_program(name, server.url) as subject:
            for version in (4, 5):
                await subject.do("connect", version=version, client_id=f"subject{version}", keep_alive=10)
                assert (await subject.expect(Connected)).reason_code == 0
                await subject.do("subscribe", topic_filter="a/+", qos=2)
                assert await subject.expect(Subscribed) == Subscribed((2,))
                for qos in (0, 1, 2):
                    await subject.do("publish", topic="a/b", payload=b"x\xff", qos=qos)
                    await subject.expect(Published)
                    assert await subject.expect(Message) == Message("a/b", b"x\xff", qos)
                await subject.do("disconnect")
                await subject.expect(Disconnected)


def test_what_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(SubjectMissing, match="aiomqtt is not installed: pip install aiomqtt"):
            command_of("aiomqtt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/node")
    monkeypatch.delenv("NODE_PATH", raising=False)
    with pytest.raises(SubjectMissing, match="npm install mqtt"):
        command_of("MQTT.js")
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SubjectMissing, match=r"Node\.js is not installed"):
        command_of("MQTT.js")
    with pytest.raises(KeyError):
        release_of("mosquitto_sub")


def test_mqttjs_is_found_in_a_folder_above(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    manifest = tmp_path / "node_modules" / "mqtt" / "package.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"version": "1.2.3"}')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/node")
    assert release_of("MQTT.js") == "1.2.3"
    node, script, url = command_of("MQTT.js")
    assert (node, url) == ("/usr/bin/node", "{url}")
    assert Path(script).is_file()


def test_the_programs_find_this_package_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    here, elsewhere = subjects.environment_of()["PYTHONPATH"].split(":")
    assert (Path(here) / "mqttws" / "py.typed").is_file()
    assert elsewhere == "elsewhere"
