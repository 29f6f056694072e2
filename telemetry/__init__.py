"""Telemetry that survives the process: journalled before the next line runs, shipped by another."""

from telemetry.recorder.active import (
    current,
    engine_call,
    info,
    iteration,
    span,
    stage,
    swallowed,
    watched,
)
from telemetry.recorder.recorded_span import RecordedSpan
from telemetry.recorder.recorder import Recorder

__all__ = [
    "RecordedSpan",
    "Recorder",
    "current",
    "engine_call",
    "info",
    "iteration",
    "span",
    "stage",
    "swallowed",
    "watched",
]
