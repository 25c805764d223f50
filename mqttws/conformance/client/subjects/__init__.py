"""Clients that can be tested at once, if they are installed: a small program for each, made to be copied for others.

Those in Python take their tasks and tell their events with :mod:`mqttws.conformance.client.convention`; the one in
JavaScript does it by itself, in forty lines, as any other language would have to.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path
from typing import Final

from mqttws import __version__

__all__ = ["SUBJECTS", "SubjectMissing", "command_of", "environment_of", "release_of"]


class SubjectMissing(Exception):
    """It is not installed; the text says what to do."""


def command_of(name: str) -> list[str]:
    """The command of a ready subject, with ``{url}`` in it. Raises :class:`SubjectMissing`, :class:`KeyError`."""
    release_of(name)
    if name == "MQTT.js":
        return [_node(), str(resources.files(__name__).joinpath("mqttjs_subject.cjs")), "{url}"]
    if name == "mqttws":
        return [sys.executable, "-m", "mqttws", "conform", "subject", "{url}"]
    return [sys.executable, "-m", f"{__name__}.{'paho' if name == 'paho-mqtt' else name}_subject", "{url}"]


def environment_of() -> dict[str, str]:
    """What a ready subject needs in its environment: the place of this package, where it is not installed."""
    here = str(Path(str(resources.files("mqttws"))).parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


def release_of(name: str) -> str:
    """Which version of it is installed. Raises :class:`SubjectMissing`, and :class:`KeyError` for an unknown name."""
    return SUBJECTS[name]()


def _package(name: str, module: str) -> Callable[[], str]:
    def release() -> str:
        if importlib.util.find_spec(module) is None:
            raise SubjectMissing(f"{name} is not installed: pip install {name}")
        return metadata.version(name)

    return release


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise SubjectMissing("Node.js is not installed")
    return found


def _mqttjs() -> str:
    _node()
    here = Path.cwd()
    places = [folder / "node_modules" for folder in (here, *here.parents)]
    places += [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    for place in places:
        manifest = place / "mqtt" / "package.json"
        if manifest.is_file():
            return str(json.loads(manifest.read_text("utf-8"))["version"])
    raise SubjectMissing("MQTT.js is not installed here: npm install mqtt, or say in NODE_PATH where it is")


#: By the name of the project; each value gives the installed version.
SUBJECTS: Final[dict[str, Callable[[], str]]] = {
    "paho-mqtt": _package("paho-mqtt", "paho"),
    "aiomqtt": _package("aiomqtt", "aiomqtt"),
    "MQTT.js": _mqttjs,
    "mqttws": lambda: __version__,
}
