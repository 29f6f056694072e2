"""The last word before a fault: by it the drill knows when the fault came."""

import logging
from typing import Final

ANNOUNCEMENT: Final = "drill: the fault comes now"
_log = logging.getLogger(__name__)


def announce(what: str) -> None:
    """Say in the log, which is in the journal before the next line runs, that a fault comes."""
    _log.info("%s: %s", ANNOUNCEMENT, what)
