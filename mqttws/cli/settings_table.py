"""The endpoint's table of settings, printed."""

from __future__ import annotations

from typing import Any

from mqttws.cli.outcome import ExitCode
from mqttws.endpoint.service import FIXED, Service, settings_of
from mqttws.endpoint.settings import Setting

__all__ = ["explain_settings"]

_PREFACE = """\
name = value in force  (origin; row of the emulation contract; default, where another value is in force; default of the
profile generic, where it is another one)
documented: Microsoft's documentation, schemas or staff say so.  inferred: it follows from the MQTT standard.
unknown: the sources are silent, and some value is needed.       ours: it protects this process, or is an addition.
Nothing was measured on the real service; do not take inferred and unknown ones for what Azure does.
"""


def explain_settings(service: Service) -> int:
    """Print the whole table, one setting a line with its meaning below it, and what is not settable."""
    print(_PREFACE)
    for setting in settings_of(service):
        print(_line(setting))
        print(f"    {setting.meaning}")
    print("\nnot settable, since MQTT leaves no other answer (inferred):")
    for fixed in FIXED:
        print(f"row {fixed.row}: {fixed.meaning}")
    return ExitCode.WELL


def _line(setting: Setting) -> str:
    where = [str(setting.origin)]
    if setting.row != "-":
        where.append(f"row {setting.row}")
    if setting.value != setting.default:
        where.append(f"default {_shown(setting, setting.default)}")
    if setting.generic != setting.default:
        where.append(f"generic {_shown(setting, setting.generic)}")
    return f"{setting.name} = {_shown(setting, setting.value)}  ({'; '.join(where)})"


def _shown(setting: Setting, value: Any) -> str:
    """A value as ``--set`` takes it; codes of 5.0 in hexadecimal, those of 3.1.1 and WebSocket as they are written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and setting.name.endswith("_code") and not setting.name.startswith(("v3_", "native_")):
        return f"0x{value:02X}"
    if value is None:
        return "any"
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return str(value) if value != "" else "''"
