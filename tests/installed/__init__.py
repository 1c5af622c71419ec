"""What our RPMs do to a machine, by rpm itself."""
