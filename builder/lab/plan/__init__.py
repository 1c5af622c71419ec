"""Turns a scenario into the sh scripts that configure its hosts."""
