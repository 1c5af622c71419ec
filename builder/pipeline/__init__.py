"""Stages, their order, and the memory of what was done."""
