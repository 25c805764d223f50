"""Attacks on live peers: a Server that is sent what it should refuse, a Client that meets a hostile Server.

* :mod:`~mqttws.fuzz.live.scenarios` and :mod:`~mqttws.fuzz.live.misdeeds`: what is done, each from a seed and a number.
* :mod:`~mqttws.fuzz.live.attack` and :mod:`~mqttws.fuzz.live.hostile`: one connection of it, over a socket.
* :mod:`~mqttws.fuzz.live.referee`: whether the standards ask the peer to close, in the words of our own core.
* :mod:`~mqttws.fuzz.live.server_run` and :mod:`~mqttws.fuzz.live.client_run`: a whole run.

Nothing here uses this package's client or endpoint: both are subjects like any other.
"""
