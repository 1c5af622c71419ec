"""The stages of a profile: which inputs each has, and what fills its output.

Each module wires one kind of stage to the room that does the work; nothing here knows a
profile's or a component's name.
"""
