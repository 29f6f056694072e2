"""Every error that telemetry raises on purpose; none of them into a task.

```
TelemetryError              says what was wrong, with the value, and the way out
├── JournalError            a journal
│   ├── JournalTooNew       it was written by a newer version
│   └── JournalBusy         the process that writes it is alive
├── Unencodable             an item that no backend can be sent
├── BlackBoxError           a black box
│   ├── BlackBoxUnreadable  it is not there, no file, or not for this user
│   ├── NotABlackBox        it is another kind of file
│   ├── BlackBoxTooNew      it was written by a newer version
│   ├── BlackBoxDamaged     it is cut, or its bytes are not those that were written
│   └── BlackBoxTooLarge    it holds, or would hold, more than one may
├── MalformedOtlp           JSON that is no trace
└── JaegerError             a Jaeger
    ├── JaegerAddress       what is given as its address is none
    ├── JaegerUnreachable   it does not answer, or not in time
    ├── NotAJaeger          what answers at its address is something else
    ├── TraceUnknown        it does not have the trace
    └── TraceTooLarge       its answer is longer than one may be
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


class BlackBoxError(TelemetryError):
    """Base of what writing or reading a black box raises; `path` is the file's."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"black box {str(path)!r} {problem}")
        self.path = path


class BlackBoxUnreadable(BlackBoxError):
    """Raised by a reader that cannot open it: missing, a folder, no permission, a failing disk."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"cannot be read: {reason}")


class NotABlackBox(BlackBoxError):
    """Raised by a reader of a file that does not begin as a black box does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "is none: the file does not begin as one does; give another file")


class BlackBoxTooNew(BlackBoxError):
    """Raised by a reader that meets a format version it does not know."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(
            path,
            f"has format version {version}, and this loop26 reads versions up to {known}; "
            "read it with the loop26 that wrote it, or a newer one",
        )
        self.version = version


class BlackBoxDamaged(BlackBoxError):
    """Raised by a reader of one that is cut, or is not as it was written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"is damaged: {reason}; copy it again from where it was written")


class BlackBoxTooLarge(BlackBoxError):
    """Raised by a reader of one that holds too much, and by a writer that cannot cut enough."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"is too large: {reason}")


class MalformedOtlp(TelemetryError):
    """Raised by a reader of OTLP JSON for what is none; says what was expected."""


class JaegerError(TelemetryError):
    """Base of what reading from a Jaeger raises; `url` is its address without user or password."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"Jaeger at {url} {problem}")
        self.url = url


class JaegerAddress(JaegerError):
    """Raised for an address that is no http(s) URL with a host."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"cannot be asked: {reason}; give it as http://host:16686")


class JaegerUnreachable(JaegerError):
    """Raised where nobody answers, or not in time."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"does not answer: {reason}; see that its query service is there")


class NotAJaeger(JaegerError):
    """Raised where something else answers, or an answer cannot be understood."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            url, f"gives no answer of a Jaeger: {reason}; give the address of its query service"
        )


class TraceUnknown(JaegerError):
    """Raised where a Jaeger does not have the trace: not yet, no longer, or never."""

    def __init__(self, url: str, trace_id: str) -> None:
        super().__init__(
            url, f"has no trace {trace_id}: it has not come there, or is no longer kept"
        )
        self.trace_id = trace_id


class TraceTooLarge(JaegerError):
    """Raised where an answer is longer than it may be, before the rest of it is read."""

    def __init__(self, url: str, trace_id: str, limit: int) -> None:
        super().__init__(url, f"answers for trace {trace_id} with more than {limit:,} bytes")
        self.trace_id = trace_id
