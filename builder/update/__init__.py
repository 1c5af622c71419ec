"""Moving sources to newer point releases: what is available, the edits, and their review."""
