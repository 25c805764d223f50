"""A kit for those who fuzz MQTT decoders, of their own or of others (extra ``fuzz``).

* :mod:`~mqttws.fuzz.strategies`: Hypothesis strategies for packets, properties, whole connections and malformed bytes.
* :mod:`~mqttws.fuzz.mutations`: named ways to spoil a good packet; each knows the rule it breaks.
* :mod:`~mqttws.fuzz.machine`: packets of both ends in a legal order.
* :mod:`~mqttws.fuzz.grammar` and :mod:`~mqttws.fuzz.sources`: what the others are made of, without Hypothesis.
"""
