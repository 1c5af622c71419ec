"""Patch series: what applies, where, and what does not."""
