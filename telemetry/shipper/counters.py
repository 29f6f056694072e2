"""What a shipper has done, in figures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a shipper has done since it was made.

    Attributes:
        exported: Spans, log records and errors that a backend has acknowledged.
        held_back: Errors of which Sentry had so many already that they were counted instead.
        refused: Those that a backend refused for what they are, or that cannot be encoded.
        failures: Requests that could not be made, had no answer, or were answered with "not now"
            or "not here".
        behind: Items read and not acknowledged yet; at least this many, while a backend is down.
        deleted: Journals of dead processes deleted by retention.
        shortened: Files of live processes' journals deleted by retention.
        lost: Of both, those that a backend was still to get.
        unanswered: Requests that had no answer, though a backend may have taken what they brought:
            it is sent again, with the same ids.
        unclosed: Journals of dead processes whose end could not be written, as on a full disk.
    """

    exported: int = 0
    held_back: int = 0
    refused: int = 0
    failures: int = 0
    behind: int = 0
    deleted: int = 0
    shortened: int = 0
    lost: int = 0
    unanswered: int = 0
    unclosed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCounters:
    """The same of one signal: traces, logs, or errors.

    Attributes:
        held_back: Items that were not sent, to keep a quota of ours.
        waiting: Items read and not acknowledged yet.
        oldest_ns: When the oldest of these was recorded, in nanoseconds since the epoch; 0 without
            one. A journal that must wait for room to be followed is not looked into.
    """

    exported: int
    refused: int
    held_back: int
    failures: int
    unanswered: int
    waiting: int
    oldest_ns: int
