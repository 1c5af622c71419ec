"""``python -m builder [TASK ...]``: run tasks, as bootstrap does in the environment it made."""

from builder import early

if __name__ == "__main__":
    early.listen()
    early.go_back()

    import sys

    import tasks
    from builder import commandline

    commandline.main(tasks, sys.argv[1:])
