"""Client, endpoint, clock and a faulty wire in memory, in one trio run that a seed repeats."""

from mqttws.simulation.faults import Direction, Fault, Kind, WirePlan
from mqttws.simulation.running import can_repeat, run_repeatably
from mqttws.simulation.wire import FaultyStream, Wire

__all__ = ["Direction", "Fault", "FaultyStream", "Kind", "Wire", "WirePlan", "can_repeat", "run_repeatably"]
