"""The smoke test: what a booted director proves of itself, and how its host hears of it.

The guest's half is the scripts in ``guest/``, a folder for each init, which are put onto a disk
(``payload``).  They report over a serial port (``channel``).
"""
