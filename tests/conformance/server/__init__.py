"""Servers under test."""
