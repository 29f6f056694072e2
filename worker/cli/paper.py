"""Where tables are printed: a terminal's width, or wide enough that nothing is cut."""

import sys

from rich.console import Console

# A pipe has no width: rich would take 80 columns and fold every table.
PIPE_WIDTH = 200


def paper() -> Console:
    """Make a console on stdout."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=PIPE_WIDTH)
