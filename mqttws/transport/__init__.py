"""The first rooms that wait: from an address to a stream, and between a stream and a link (trio)."""

from mqttws.transport.dial import dial
from mqttws.transport.pump import Pump

__all__ = ["Pump", "dial"]
