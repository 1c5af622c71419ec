"""RPMs: trees, specs, builds, repositories and proofs of installability."""
