"""Servers under test: how they are reached, what they offer, and the checks that they have to pass."""
