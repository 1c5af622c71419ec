"""Prepares a host and a checkout: what ``./bootstrap`` does once it has found a Python.

Only the standard library is used here, and of the builder what needs nothing else.
"""
