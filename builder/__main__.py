"""``python -m builder [TASK ...]``: run tasks, as bootstrap does in the environment it made.

The command that the wheel installs does the same.
"""

from builder import early


def main() -> None:
    """Run the tasks of the command line, and end with their exit code."""
    early.listen()
    early.go_back()

    import sys  # noqa: PLC0415 - an interrupt is heard before anything else is loaded

    from builder import commandline, shipped  # noqa: PLC0415

    commandline.main(shipped.tasks(), sys.argv[1:])


if __name__ == "__main__":
    main()
