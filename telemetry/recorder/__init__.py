"""The recorder: OpenTelemetry's API in a process, written to its journal before the next line."""

from telemetry.recorder.recorded_span import RecordedSpan
from telemetry.recorder.recorder import Recorder

__all__ = ["RecordedSpan", "Recorder"]
