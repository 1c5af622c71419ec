"""Archives: source trees from untrusted tars and RPMs, and files from .debs."""
