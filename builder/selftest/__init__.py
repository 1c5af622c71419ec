"""The test command: its parts, their time limits, and the record of the long ones."""
