"""Profiles: what is built, from which sources, on which base."""
