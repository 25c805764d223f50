"""A flight recorder for wires: what passed, when, without secrets; read again, replayed, or as Wireshark takes it.

No I/O and no clock: bytes and times come from whoever moves them (:mod:`mqttws.transport.tap`), lines go to a callable.
"""

from mqttws.trace.recorder import FORMAT, Direction, Recorder, Recording

__all__ = ["FORMAT", "Direction", "Recorder", "Recording"]
