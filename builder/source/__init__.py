"""Sources: pinned inputs, their locations, and how their bytes get into the cache."""
