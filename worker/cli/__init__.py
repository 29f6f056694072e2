"""The command `loop26`: the composition root. Every command imports what it needs when it runs."""

import os
import sys
import traceback
from collections.abc import Sequence

from typer.main import get_command

from worker.cli.app import app
from worker.errors import EXIT_BUG, WorkerError

EXIT_UNREADABLE = 1
EXIT_BROKEN_PIPE = 1  # as typer and rich have it


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code: the entry point of `loop26`."""
    sys.exit(exit_code_of(list(sys.argv[1:] if argv is None else argv)))


def exit_code_of(argv: list[str]) -> int:
    """Run one command line; a user's mistake is one line on stderr, a bug is a traceback."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except WorkerError as error:
        _say(f"loop26: {error}")
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has seen enough. The interpreter flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the outermost boundary: the exit code must say "bug"
        from telemetry.errors import TelemetryError

        if isinstance(error, TelemetryError):  # a record that cannot be read
            _say(f"loop26: {error}")
            return EXIT_UNREADABLE
        traceback.print_exc()
        _say("loop26: this is a bug in loop26; please report it with the lines above")
        return EXIT_BUG
    return code


def _run(argv: list[str]) -> int:
    try:
        get_command(app).main(argv, prog_name="loop26")
    except SystemExit as end:
        # typer ends every command line this way, a good one and one that it could not parse.
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _say(text: str) -> None:
    from worker.cli.paper import without_secrets

    line = without_secrets(" ".join(text.splitlines()))
    print(line, file=sys.stderr)  # noqa: T201 - stderr is where it goes
