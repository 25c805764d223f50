"""Client, endpoint, clock and a faulty wire in memory, in one trio run that a seed repeats.

:func:`play` runs one :class:`Schedule` of publishes and faults and says which promises were broken, :func:`draw` makes
the schedule of a seed, :func:`run_campaign` plays many and makes what they find smaller. For programs of your own,
:class:`Wire` is a pair of trio streams with faults between them, :class:`SimulatedServer` and :class:`Network` the
local endpoint behind such wires, with a ``dial`` for :func:`~mqttws.open_client`, and :func:`run_repeatably` runs
whatever you do with them in virtual time.
"""

from mqttws.simulation.campaign import Found, Report, run_campaign
from mqttws.simulation.drawing import draw
from mqttws.simulation.faults import Direction, Fault, Kind, WirePlan
from mqttws.simulation.invariants import Facts, Finding
from mqttws.simulation.ledger import Delivery, Entry, Ledger, Outcome
from mqttws.simulation.minimising import minimise
from mqttws.simulation.network import Line, Network
from mqttws.simulation.playing import Result, play
from mqttws.simulation.running import can_repeat, run_repeatably
from mqttws.simulation.schedule import Ending, Planned, Restart, Schedule, Strike
from mqttws.simulation.server import SimulatedServer
from mqttws.simulation.wire import FaultyStream, Wire

__all__ = [
    "Delivery",
    "Direction",
    "Ending",
    "Entry",
    "Facts",
    "Fault",
    "FaultyStream",
    "Finding",
    "Found",
    "Kind",
    "Ledger",
    "Line",
    "Network",
    "Outcome",
    "Planned",
    "Report",
    "Restart",
    "Result",
    "Schedule",
    "SimulatedServer",
    "Strike",
    "Wire",
    "WirePlan",
    "can_repeat",
    "draw",
    "minimise",
    "play",
    "run_campaign",
    "run_repeatably",
]
