"""Prepares a host and a checkout: what ``./bootstrap`` does once it has found a Python.

It uses only the standard library, and modules of the builder that need nothing else.
"""
