"""This package's own decoder as an adapter: the example to copy, and the one that has to pass.

``mqttws fuzz codec --adapter mqttws.fuzz.adapters.own:decode --refusal mqttws.errors:RemoteProtocolError``
"""

from __future__ import annotations

from typing import Any

from mqttws import codec
from mqttws.conformance.fields import fields_of
from mqttws.vocabulary import Role

__all__ = ["decode"]


def decode(data: bytes, version: int, sender: str) -> dict[str, Any]:
    """The fields of one packet; raises :class:`~mqttws.errors.RemoteProtocolError`."""
    return fields_of(codec.decode(data, version, sender=Role(sender)), version)
