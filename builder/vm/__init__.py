"""Virtual machines: the only room that knows QEMU."""
