"""Captures: what passed a host's card, as QEMU wrote it down."""
