"""Where other people's MQTT is on this machine, and how it gets there.

Nothing is installed behind a user's back: what is missing makes its tests skip, with the reason. With ``CI`` set a
missing counterpart is a failure, and with ``CI`` or ``MQTTWS_INSTALL_COUNTERPARTS=1`` the npm packages are fetched once
into a cache folder (``MQTTWS_CACHE``, else ``mqttws`` in the user's cache). ``python -m tests.interop.counterparts``
does that ahead of the tests and says what it found.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from mqttws.conformance.codec import DecoderUnusable
from mqttws.fuzz.adapters.peers import PEERS

SCRIPTS = Path(__file__).parent / "node"
NPM_SECONDS = 300


class CounterpartMissing(Exception):
    """A counterpart is not on this machine; the text says which, and how to get it."""


def cache_folder() -> Path:
    """Where fetched counterparts live; it may be deleted at any time."""
    if folder := os.environ.get("MQTTWS_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mqttws"


def may_install() -> bool:
    """Whether somebody asked for fetched packages: a CI run does by being one."""
    return bool(os.environ.get("CI")) or os.environ.get("MQTTWS_INSTALL_COUNTERPARTS") == "1"


def find_mosquitto() -> Path:
    """The mosquitto server; Debian keeps it outside an ordinary user's PATH."""
    found = shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))
    if found is None:
        raise CounterpartMissing("mosquitto is not installed (Debian: apt-get install mosquitto)")
    return Path(found)


def find_tshark() -> Path:
    """Wireshark's dissectors without its windows."""
    found = shutil.which("tshark")
    if found is None:
        raise CounterpartMissing("tshark is not installed (Debian: apt-get install tshark)")
    return Path(found)


def find_tinyproxy() -> Path:
    """An HTTP proxy."""
    found = shutil.which("tinyproxy")
    if found is None:
        raise CounterpartMissing("tinyproxy is not installed (Debian: apt-get install tinyproxy-bin)")
    return Path(found)


def find_chromium() -> Path:
    """A browser that can be led by a program."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise CounterpartMissing("Chromium is not installed (Debian: apt-get install chromium)")


def find_paho() -> None:
    """paho-mqtt, as a package of this very interpreter."""
    if importlib.util.find_spec("paho") is None:
        raise CounterpartMissing("paho-mqtt is not installed (pip install --group interop)")


def find_amqtt() -> None:
    """The server of amqtt, as a package of this very interpreter."""
    if importlib.util.find_spec("amqtt") is None:
        raise CounterpartMissing("amqtt is not installed (pip install --group interop)")


def find_decoders() -> None:
    """The decoders of other projects that the adapters know, as packages of this very interpreter."""
    for peer in PEERS.values():
        try:
            peer.release()
        except DecoderUnusable as error:
            raise CounterpartMissing(f"{error} (pip install --group interop)") from None


def find_node() -> Path:
    """Node.js."""
    found = shutil.which("node")
    if found is None:
        raise CounterpartMissing("Node.js is not installed")
    return Path(found)


@cache
def find_node_packages() -> Path:
    """The folder that holds ``node_modules`` with the versions of ``node/package.json``.

    Fetches them if that is allowed. The folder is named for the versions and moved into place whole, so that neither
    an interrupted nor a concurrent run leaves half of it behind.
    """
    find_node()
    manifest = (SCRIPTS / "package.json").read_bytes()
    folder = cache_folder() / f"node-{hashlib.sha256(manifest).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if not may_install() or npm is None:
        raise CounterpartMissing(
            f"the npm packages of {SCRIPTS / 'package.json'} are not in {folder}: "
            "run `MQTTWS_INSTALL_COUNTERPARTS=1 python -m tests.interop.counterparts` (needs npm)"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as building:
        (Path(building) / "package.json").write_bytes(manifest)
        command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            command,
            cwd=building,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise CounterpartMissing(f"npm install failed: {done.stderr.strip()}")
        try:
            Path(building).rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run was faster, with the same versions
                raise
    return folder


COUNTERPARTS: dict[str, Callable[[], Path | None]] = {
    "mosquitto": find_mosquitto,
    "tshark": find_tshark,
    "tinyproxy": find_tinyproxy,
    "chromium": find_chromium,
    "paho": find_paho,
    "amqtt": find_amqtt,
    "decoders": find_decoders,
    "mqttjs": find_node_packages,
    "aedes": find_node_packages,
}


def need(name: str) -> None:
    """End the test here if a counterpart is missing: skipped for a user, failed in CI."""
    try:
        COUNTERPARTS[name]()
    except CounterpartMissing as missing:
        _give_up(f"{name}: {missing}")


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def main() -> int:
    """Say for each counterpart where it is; 1 if one is missing."""
    missing = 0
    for name, find in COUNTERPARTS.items():
        try:
            print(f"{name}: {find() or 'importable'}")
        except CounterpartMissing as error:
            print(f"{name}: missing: {error}")
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
