"""Names of files about a run, below ``artifacts/``: what makes them is slow to load."""

PAGE = "report.html"
"""Of a profile; the lab's pages have the same name in their own folders."""
MATRIX = "lab.html"
"""Of all profiles, beside their folders."""
CI = "ci"
JUNIT, SUMMARY = "junit.xml", "summary.md"
PATCHES, SARIF, QUALITY = "patches.xml", "patches.sarif", "patches.codequality.json"
