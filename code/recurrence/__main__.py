"""``python -m recurrence``: the command line where the command ``recurrence`` itself is not on the path."""

from recurrence.workbench.command import main

if __name__ == "__main__":
    main()
