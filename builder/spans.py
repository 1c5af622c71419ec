"""Spans of time, as people read them."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Such as ``0.7 s``, ``38 s``, ``4 min 24 s``, ``1 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def about(seconds: float) -> str:
    """The same for an estimate: no finer than it can be known."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s"
    return f"about {span(round(seconds / 60) * 60).removesuffix(' 00 s')}"
