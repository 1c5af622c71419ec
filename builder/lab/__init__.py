"""The lab: a built director between hosts of its own, and proof of FULLNAT by capture."""
