"""Bases: the roots in which things are built and installed."""
