"""The plugin for other people's test suites, as they use it: pytest in a process of its own."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from mqttws.pytest_plugin import mqtt_checks

pytest_plugins = ("pytester",)

HOUSE = Path(__file__).parents[1]
#: Installed or not, the plugin is loaded once: by its name.
OPTIONS = ("-p", "mqttws.pytest_plugin", "-p", "no:cacheprovider", "-ra")


def ran(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    """Run one file of tests."""
    pytester.makepyfile(test_mine=source)
    return pytester.runpytest_subprocess(*OPTIONS, *options, timeout=120)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(HOUSE))


def test_pytest_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"mqttws": "mqttws.pytest_plugin"}


def test_loading_it_loads_nothing_else_of_this_package(pytester: pytest.Pytester) -> None:
    source = """
        import sys

        def test_what_is_loaded():
            assert {name for name in sys.modules if name.startswith("mqttws")} == {"mqttws", "mqttws.pytest_plugin"}
            assert not {"trio", "wsproto", "h11"} & sys.modules.keys()
    """
    assert ran(pytester, source).parseoutcomes() == {"passed": 1}


def test_each_verdict_ends_a_test_in_its_own_way(pytester: pytest.Pytester) -> None:
    source = """
        import pytest
        from mqttws.codec import decode
        from mqttws.errors import RemoteProtocolError
        from mqttws.pytest_plugin import mqtt_checks
        from mqttws.vocabulary import Role

        def good(data, version, sender):
            if version == 4:
                return NotImplemented
            decode(data, version, sender=Role(sender))

        @pytest.mark.parametrize("check", mqtt_checks("codec", "MQTT-3.3.1-4", "5.0/publish_property_value"))
        def test_good(check, mqtt_conformance):
            mqtt_conformance.codec(check, good, refusals=[RemoteProtocolError])

        @pytest.mark.parametrize("check", mqtt_checks("codec", "5.0/MQTT-3.3.1-4"))
        def test_bad(check, mqtt_conformance):
            mqtt_conformance.codec(check, lambda data: None)
    """
    result = ran(pytester, source)
    assert result.parseoutcomes() == {"passed": 1, "skipped": 1, "xfailed": 1, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            "FAILED codec/5.0/mqtt_3_3_1_4: *",
            "*the rule: MQTT-3.3.1-4: *",
            "*packets are taken wrongly*",
            "SKIPPED * not applicable: it reads no such packets",
            "XFAIL *codec/5.0/publish_property_value* - not strict: the standard leaves open*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_what_a_subject_says_moves_no_cursor(pytester: pytest.Pytester) -> None:
    source = """
        import sys
        import pytest
        from mqttws.pytest_plugin import mqtt_checks

        @pytest.mark.parametrize("said", ["unsupported", "crash", "nonsense"])
        @pytest.mark.parametrize("check", mqtt_checks("codec", "5.0/MQTT-3.3.1-4"))
        def test_codec(check, said, mqtt_conformance):
            source = f"for line in __import__('sys').stdin: print('{said} \\\\x1b[2J \\\\x07', flush=True)"
            mqtt_conformance.codec(check, [sys.executable, "-c", source])
    """
    result = ran(pytester, source)
    assert result.parseoutcomes() == {"skipped": 1, "failed": 2}
    assert "[2J" in result.stdout.str()
    assert not {"\x1b", "\x07"} & set(result.stdout.str())


def test_servers_and_clients_are_checked_from_plain_functions(pytester: pytest.Pytester) -> None:
    source = f"""
        import sys
        import pytest
        from mqttws.pytest_plugin import mqtt_checks

        @pytest.mark.parametrize("check", mqtt_checks("server", "5.0/second_connect"))
        def test_broker(check, mqtt_conformance):
            mqtt_conformance.server(check, "ws://127.0.0.1:1/mqtt")

        @pytest.mark.parametrize("check", mqtt_checks("client", "5.0/connect_is_not_first"))
        def test_client(check, mqtt_conformance):
            mqtt_conformance.client(check, [{sys.executable!r}, "-m", "mqttws", "conform", "subject", "{{url}}"])
    """
    result = ran(pytester, source)
    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    result.stdout.fnmatch_lines(["*it cannot be checked: *"])


def test_passive_checks_come_last() -> None:
    passive = [param.values[0].passive for param in mqtt_checks("server")]
    assert passive == sorted(passive)
    assert True in passive


def test_patterns_that_fit_nothing_are_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"no check of a codec fits MQTT-99\.\*"):
        mqtt_checks("codec", "MQTT-99.*")


TRAFFIC = """
    import pytest
    from mqttws.codec import PubAck, Publish, decode, encode
    from mqttws.errors import RemoteProtocolError

    def test_one():
        decode(encode(Publish("a")))

    def test_other():
        encode(PubAck(1))
        with pytest.raises(RemoteProtocolError):
            decode(bytes.fromhex("36 06 0001 61 0001 00"))
"""


def test_without_the_option_nothing_is_said_of_statements(pytester: pytest.Pytester) -> None:
    result = ran(pytester, TRAFFIC)
    assert result.parseoutcomes() == {"passed": 2}
    assert "statements exercised" not in result.stdout.str()


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "2")], ids=["here", "in other processes"])
def test_statements_are_counted_over_all_tests(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = ran(pytester, TRAFFIC, "--mqtt-statements", "-v", *options)
    assert result.parseoutcomes() == {"passed": 2}
    result.stdout.fnmatch_lines(
        [
            "*= MQTT statements exercised =*",
            "MQTT 5.0: * statements that packets can show: * by packets read, * by packets refused",
            "  MQTT-3.3.1-4   read 1  written 1  refused 1",
            "  MQTT-3.4.2-1   read 0  written 1  refused 0",
            "MQTT 3.1.1: no packet has passed through the codec",
        ]
    )
