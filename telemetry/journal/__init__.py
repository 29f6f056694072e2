"""The journal: an append-only file per process that survives any death of the process."""

from telemetry.journal.directory import is_alive, process_directories
from telemetry.journal.format import JournalRecord, Position, ProcessFacts
from telemetry.journal.index import IndexEntry, read_index
from telemetry.journal.reader import JournalReader
from telemetry.journal.writer import JournalWriter

__all__ = [
    "IndexEntry",
    "JournalReader",
    "JournalRecord",
    "JournalWriter",
    "Position",
    "ProcessFacts",
    "is_alive",
    "process_directories",
    "read_index",
]
