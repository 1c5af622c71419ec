"""Bases: the root file systems in which things are built and booted."""
