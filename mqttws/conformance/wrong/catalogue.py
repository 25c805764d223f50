"""All wrong subjects there are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from mqttws.conformance.check import Kind
from mqttws.conformance.wrong.entry import Wrong

__all__ = ["catalogue"]


@cache
def catalogue(kind: Kind | None = None) -> Sequence[Wrong]:
    """Those of one kind of subject, or all: what ``entries()`` of each module ``catalogue_…`` gives.

    Raises :class:`ValueError` for two with one name.
    """
    found: dict[tuple[Kind, str], Wrong] = {}
    package = import_module("mqttws.conformance.wrong")
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        if ".catalogue_" in module.name:
            for wrong in import_module(module.name).entries():
                if found.setdefault((wrong.kind, wrong.name), wrong) is not wrong:
                    raise ValueError(f"there are two wrong subjects {wrong.name}")
    return [wrong for wrong in found.values() if kind in (None, wrong.kind)]
