"""The shared stage cache: finished stages, taken from a store that several machines use."""
