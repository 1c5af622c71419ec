"""The words of the command line: tasks in the order of use, options, letters and defaults."""

from __future__ import annotations

import os

PROFILE = os.environ.get("LVS_PROFILE") or "el6"
"""What is built if no profile is named."""
GROUPS = {
    "Build": ("build", "fetch", "image", "patch", "tree", "repo", "vm", "smoke"),
    "Prove": ("lab", "judge", "lab-console"),
    "Understand": ("doctor", "show", "explain", "shell", "report"),
    "Maintain": ("init", "update", "verify", "clean"),
    "Serve": ("worker",),
    "Develop": ("test", "bench"),
}
"""All tasks, as they are listed: in the order of use."""
LETTERS = {
    "all": "a",
    "base": "b",
    "check": "c",
    "flavour": "f",
    "jobs": "j",
    "keep": "k",
    "dry-run": "n",
    "only": "o",
    "profile": "p",
    "quiet": "q",
    "scenario": "s",
    "update": "u",
    "verbose": "v",
    "yes": "y",
    # Options of the program itself.
    "debug": "d",
    "list-depth": "D",
    "list-format": "F",
    "help": "h",
    "list": "l",
    "version": "V",
}
"""The letter of an option, the same in all tasks; other options have none."""
BARE = {"init": "folder", "update": "source", "show": "what"}
"""Options that may be given as a bare word: Invoke's positional arguments cannot be left out."""
CHOICES = {
    "stage": ("such as build:kernel, or smoke for everything", "invoke show stages"),
    "host": (
        "a host of the lab that was kept running, such as director or web1",
        "invoke lab --help",
    ),
}
"""Examples of a positional argument, and where its values are listed."""
OPTIONS = {
    "profile": f"what to build: a folder of specs/ (default {PROFILE}, or what LVS_PROFILE names)",
    "flavour": "the kernel's configuration (default: the profile's)",
    "base": "what it is built in: a folder of dockerfiles/ (default: the profile's)",
    "jobs": "how many programs compute at the same time (default: number of CPUs)",
    "hermetic": "refuse a base whose packages are not those of its packages.lock",
    "locked": "refuse sources that sources.lock does not pin (default in CI)",
    "no-stage-store": "make everything here: take no finished stage from the store, and push none",
    "no-remote-cache": "take no object from the team's compiler cache",
    "workers": "machines that compile for this one: HOST/JOBS, separated by commas",
    "no-workers": "let no other machine compile, and use nothing that one has compiled",
    "only": "components, separated by commas (default: all)",
    "variant": "variants of sources, each as SOURCE=VARIANT (default: what is available first)",
    "json": "print the result as JSON",
}
"""Help for options that several tasks have."""
DRY = "dry-run"
EVERYWHERE = {
    "quiet": "say nothing but results, warnings and failures",
    "verbose": "say more: why each stage runs, where its log is, what was found out",
}
"""Options of every task, and of the program itself, with their help."""
DRY_HELP = "only say which stages would run, why, and about how long they take"
