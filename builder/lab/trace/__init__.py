"""Captures that were made elsewhere: both sides of a director, joined and judged."""
