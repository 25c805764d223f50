"""MQTT 3.1.1 and 5.0 over WebSocket in pure Python.

``mqttws.codec`` and ``mqttws.session`` are the sans-IO core, ``mqttws.link`` is a whole wire without I/O,
``mqttws.open_client`` the trio client and ``mqttws.endpoint`` a local endpoint that behaves like Azure Web PubSub's.
What needs trio is loaded when it is first asked for, so that the core stays as light as it looks.
"""

__version__ = "0.1.0"
