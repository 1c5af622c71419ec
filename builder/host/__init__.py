"""This machine: where files are, and how its programs are run."""
