"""Decoders known by name: this package's own, and other projects', each behind a few lines."""
