"""Every error that telemetry raises on purpose; none of them into a task.

```
TelemetryError              says what was wrong, with the value, and the way out
├── JournalError            a journal
│   ├── JournalTooNew       it was written by a newer version
│   └── JournalBusy         the process that writes it is alive
└── Unencodable             an item that no backend can be sent
```
"""

from pathlib import Path


class TelemetryError(Exception):
    """Base of all: raised by nobody itself."""


class JournalError(TelemetryError):
    """Base of what reading or reopening a journal raises. Damage raises nothing."""


class JournalTooNew(JournalError):
    """Raised by a reader that meets a file of a format version it does not know."""

    def __init__(self, file: Path, version: int, known: int) -> None:
        super().__init__(
            f"journal {str(file)!r} has format version {version}, and this loop26 reads versions "
            f"up to {known}; read it with the loop26 that wrote it, or a newer one"
        )
        self.file = file
        self.version = version


class JournalBusy(JournalError):
    """Raised when a journal is reopened for writing while its own process is alive."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"journal {str(directory)!r} belongs to a process that is alive; "
            "wait for its end before writing there"
        )
        self.directory = directory


class Unencodable(TelemetryError):
    """Raised by a stream for items that cannot be put into its backend's format."""
