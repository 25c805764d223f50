"""A kit for those who fuzz MQTT decoders, of their own or of others (extra ``fuzz``).

* :mod:`~mqttws.fuzz.strategies`: Hypothesis strategies for every packet, derived from the codec's tables.
"""
