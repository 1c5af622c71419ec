"""Builds, packages and proves LVS FULLNAT directors from pinned public sources."""
