"""Clients under test: how they are led (:mod:`~mqttws.conformance.client.convention`), and what they are asked."""
