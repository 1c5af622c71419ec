"""Judges captures: each row of what FULLNAT must look like on the wire is one assertion."""
