"""Lets builds use the compilers of other machines: workers that run distccd in the same base."""
