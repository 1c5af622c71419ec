"""What this host can and cannot do, with the exact fix."""
