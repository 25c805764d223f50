"""Checks of Servers, on Servers of which we know what they do."""
