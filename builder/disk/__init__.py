"""The director's disk image."""
