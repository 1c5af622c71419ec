"""The kernel's configuration."""
