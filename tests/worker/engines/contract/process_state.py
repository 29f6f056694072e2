"""What an engine could change of its process."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

_HANDLED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)


class ProcessState:
    """How the process was when this was made."""

    def __init__(self) -> None:
        self._seen = _state()

    def changed(self) -> list[str]:
        """Name what is another now."""
        now = _state()
        return [name for name, seen in self._seen.items() if now[name] != seen]


def _state() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "directory": Path.cwd(),
        "command line": (id(sys.argv), list(sys.argv)),
        "streams": (sys.stdout, sys.stderr),
        "signals": [signal.getsignal(number) for number in _HANDLED],
        "logging": (root.level, list(root.handlers), root.manager.disable),
        "hooks": (sys.excepthook, threading.excepthook, sys.displayhook, sys.gettrace()),
        "environment": dict(os.environ),
    }
