"""The gate: the patched kernel as UML with everything on that finds faults (README.md)."""
