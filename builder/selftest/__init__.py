"""The test command: its parts, what they may take, and the record of the long ones."""
