"""The first rooms that wait: from an address to a stream, and between a stream and a link (trio)."""

from mqttws.transport.dial import dial
from mqttws.transport.proxy import Dial, Proxy, ProxySetting, dial_through
from mqttws.transport.pump import Pump

__all__ = ["Dial", "Proxy", "ProxySetting", "Pump", "dial", "dial_through"]
