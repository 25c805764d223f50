"""The published strategies, by the name under which the tests import them."""

from mqttws.fuzz.strategies import *  # noqa: F403 - all of them, and what is public is said there
