"""A flight recorder for wires: what passed, when, without secrets; read again, replayed, or as Wireshark takes it.

No I/O and no clock: bytes and times come from whoever moves them (:mod:`mqttws.transport.tap`), lines go to a callable.
"""

from mqttws.trace.pcapng import pcapng
from mqttws.trace.reading import BadTrace, Chunk, Happening, TracedConnection, read_trace
from mqttws.trace.recorder import FORMAT, Direction, Recorder, Recording

__all__ = [
    "FORMAT",
    "BadTrace",
    "Chunk",
    "Direction",
    "Happening",
    "Recorder",
    "Recording",
    "TracedConnection",
    "pcapng",
    "read_trace",
]
