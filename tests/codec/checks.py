"""How the tests of this folder ask for a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqttws.codec import LocalProtocolError, ProtocolError, RemoteProtocolError, decode, encode
from mqttws.vocabulary import Role


def fault_of(wire: str, version: int = 5, *, sender: Role | None = None) -> RemoteProtocolError:
    """The error that these bytes (in hex) raise; it names the version and a place inside the packet."""
    data = bytes.fromhex(wire)
    with pytest.raises(RemoteProtocolError) as caught:
        decode(data, version, sender=sender)
    error = caught.value
    assert error.version is not None
    assert error.field is not None
    assert error.offset is not None
    assert 0 <= error.offset <= len(data)
    return error


def own_fault(packet: Any, version: int = 5) -> LocalProtocolError:
    """The error that encoding this packet raises; it names the version."""
    with pytest.raises(LocalProtocolError) as caught:
        encode(packet, version)
    assert caught.value.version is not None
    return caught.value


def outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a call returns, or the :class:`ProtocolError` that it raises."""
    try:
        return function(*arguments, **options)
    except ProtocolError as error:
        return error
