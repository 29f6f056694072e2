"""What stands between the line that opens a span and us: OpenTelemetry, contextlib, ourselves."""

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

from opentelemetry import trace

from telemetry.recorder.redaction import redacted

_FILES: Final = (
    str(Path(__file__).parent.parent) + os.sep,
    # Its instrumentations are there, too.
    str(Path(trace.__file__).parent.parent) + os.sep,
    sys.modules["contextlib"].__file__ or "contextlib.py",
)


@lru_cache(maxsize=4096)
def is_plumbing(file: str) -> bool:
    """Whether a source file's lines are never those that open a span."""
    return file.startswith(_FILES)


@lru_cache(maxsize=4096)
def shown_file(file: str) -> str:
    """Return a source file's path as it may be written: a path need not be Unicode."""
    return redacted(file)
