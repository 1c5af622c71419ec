"""The command line: what people type, and how it is read.  Only this room knows Invoke."""

from builder.commandline.command import command
from builder.commandline.program import Program, main, run
from builder.commandline.task import options, task
from builder.commandline.vocabulary import GROUPS, PROFILE

__all__ = ["GROUPS", "PROFILE", "Program", "command", "main", "options", "run", "task"]
