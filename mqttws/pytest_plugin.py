"""For the test suites of other projects: this kit's checks as tests, and which statements a run has exercised.

pytest finds it where the package is installed; nothing is loaded before it is asked for.

**Checks as tests.** Each check is a case of a parametrised test, and the fixture ``mqtt_conformance`` carries it out::

    from mqttws.pytest_plugin import mqtt_checks

    @pytest.mark.parametrize("check", mqtt_checks("codec", "5.0"))
    def test_codec(check, mqtt_conformance):
        mqtt_conformance.codec(check, my_package.decode, refusals=[my_package.Malformed])

    @pytest.mark.parametrize("check", mqtt_checks("server", "5.0/3.*", "MQTT-4.7.*"))
    def test_broker(check, mqtt_conformance, broker_url):
        mqtt_conformance.server(check, broker_url)

    @pytest.mark.parametrize("check", mqtt_checks("client"))
    def test_client(check, mqtt_conformance):
        mqtt_conformance.client(check, [sys.executable, "my_subject.py", "{url}"])

What ``decode`` may look like is told by :class:`mqttws.conformance.codec.InProcess`; one that takes the bytes alone is
for one version, as here. These are plain functions, not coroutines: a server under test runs in another process or
thread.

A rule that is broken fails the test, with the rule and what passed. What is allowed but unwise is an expected failure
(``xfail``). What does not apply, was not tested, or was left open is skipped; the reason says which. Checks that judge
what all the others have seen come last; where tests are spread over processes they see their own process's share.

**Statements.** ``pytest --mqtt-statements`` says at the end which numbered statements were exercised: each by how many
packets that this package's codec has read or written and that keep it, though they might have broken it, and by how
many it has refused for breaking it (see :mod:`mqttws.conformance.exercised`; ``-v`` has a line for each). It counts
what passes in pytest's own processes, those of pytest-xdist included, and says nothing of what a program did then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pytest

if TYPE_CHECKING:
    from mqttws.conformance.check import Check
    from mqttws.conformance.codec import Decoder
    from mqttws.conformance.exercised import Exercised
    from mqttws.conformance.one_by_one import OneByOne
    from mqttws.conformance.verdict import Result

__all__ = ["MqttConformance", "mqtt_checks"]

#: Under this name a process of pytest-xdist hands its counts over.
_HANDED_OVER = "mqtt_statements"


def mqtt_checks(kind: Literal["server", "client", "codec"], *only: str) -> list[Any]:
    """The checks for a kind of subject, for ``parametrize``.

    ``only`` are patterns for ids, names, statements, chapters or versions, as ``mqttws conform --only`` takes them.
    Raises :class:`ValueError` for patterns that no check fits.
    """
    from mqttws.conformance.check import Kind, checks  # noqa: PLC0415 - pytest loads this file in every run
    from mqttws.conformance.runner import select  # noqa: PLC0415 - as above

    found = sorted(select(checks(Kind(kind)), only), key=lambda check: check.passive)
    if not found:
        raise ValueError(f"no check of a {kind} fits {', '.join(only)}")
    return [pytest.param(check, id=check.id) for check in found]


class MqttConformance:
    """What the fixture ``mqtt_conformance`` is: carries out one check, and ends the test by what comes of it."""

    def __init__(self, kit: OneByOne) -> None:
        self._kit = kit

    def codec(
        self,
        check: Check,
        decode: Callable[..., Any] | Decoder | Sequence[str],
        *,
        refusals: Sequence[type[BaseException]] = (),
        limit: float = 5.0,
    ) -> None:
        """Check a decoder: a function, an object with a method ``decode``, or the words of a command.

        As :meth:`mqttws.conformance.one_by_one.OneByOne.codec`.
        """
        self._conclude(lambda: self._kit.codec(check, decode, refusals=refusals, limit=limit))

    def server(
        self,
        check: Check,
        url: str,
        *,
        second_url: str | None = None,
        topics: str = "mqttws/conform",
        without: Collection[str] = (),
    ) -> None:
        """Check a Server on this machine; as :meth:`mqttws.conformance.one_by_one.OneByOne.server`."""
        self._conclude(lambda: self._kit.server(check, url, second_url=second_url, topics=topics, without=without))

    def client(self, check: Check, command: Sequence[str]) -> None:
        """Check a Client that is a program; as :meth:`mqttws.conformance.one_by_one.OneByOne.client`."""
        self._conclude(lambda: self._kit.client(check, command))

    def _conclude(self, carry_out: Callable[[], Result]) -> None:
        from mqttws.conformance.one_by_one import CannotBeChecked  # noqa: PLC0415 - loaded by the fixture already
        from mqttws.conformance.report import harmless, result_lines  # noqa: PLC0415 - as above
        from mqttws.conformance.verdict import Verdict  # noqa: PLC0415 - as above

        try:
            result = carry_out()
        except CannotBeChecked as error:
            raise pytest.fail.Exception(harmless(f"it cannot be checked: {error}"), pytrace=False) from None
        said = harmless(f"{result.verdict.value}: {result.reason.partition(chr(10))[0]}")
        if result.verdict is Verdict.FAILED:
            _fail("\n".join(result_lines(result)))
        if result.verdict is Verdict.NOT_STRICT:
            pytest.xfail(said)
        if result.verdict is not Verdict.PASSED:
            pytest.skip(said)


def _fail(why: str) -> NoReturn:
    pytest.fail(why, pytrace=False)


@pytest.fixture(scope="session")
def mqtt_conformance() -> MqttConformance:
    """Carries out checks of the conformance kit; see :mod:`mqttws.pytest_plugin`."""
    from mqttws.conformance.one_by_one import OneByOne  # noqa: PLC0415 - pytest loads this file in every run

    return MqttConformance(OneByOne())


# -- statements -------------------------------------------------------------------------------------------------------

_EXERCISED: pytest.StashKey[Exercised] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--mqtt-statements``."""
    parser.getgroup("mqtt", "MQTT").addoption(
        "--mqtt-statements",
        action="store_true",
        help="say at the end which numbered statements of MQTT the packets of the run have exercised (-v: how often)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Look at packets from now on, if that is asked for."""
    if config.option.mqtt_statements:
        from mqttws.conformance.exercised import Exercised  # noqa: PLC0415 - pytest loads this file in every run

        config.stash[_EXERCISED] = Exercised()
        config.stash[_EXERCISED].install()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the codec as it was."""
    if _EXERCISED in config.stash:
        config.stash[_EXERCISED].uninstall()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist hands its counts over to the one that reports."""
    handed_over = getattr(session.config, "workeroutput", None)
    if handed_over is not None and _EXERCISED in session.config.stash:
        handed_over[_HANDED_OVER] = session.config.stash[_EXERCISED].dump()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process of pytest-xdist has counted; one that has crashed has nothing to say."""
    exercised = node.config.stash.get(_EXERCISED, None)
    if exercised is not None:
        exercised.add(getattr(node, "workeroutput", {}).get(_HANDED_OVER, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell."""
    exercised = config.stash.get(_EXERCISED, None)
    if exercised is not None:
        terminalreporter.section("MQTT statements exercised")
        for line in exercised.lines(verbose=config.option.verbose > 0):
            terminalreporter.line(line)
