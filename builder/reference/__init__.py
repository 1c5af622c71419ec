"""The reference: pages and JSON schemas that are made of the code, and never edited."""
