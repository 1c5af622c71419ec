"""This machine: where things lie, and how its programs are run."""
