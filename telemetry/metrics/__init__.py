"""Metrics: what is measured of tasks, the GPU and telemetry itself, sent by OTLP."""

from telemetry.metrics.catalog import CATALOG, Instrument, Shape
from telemetry.metrics.gpu_watch import GpuWatch
from telemetry.metrics.journeys import OLDEST_S, MeasuringStream
from telemetry.metrics.meters import Look, Meters, Observed

__all__ = [
    "CATALOG",
    "OLDEST_S",
    "GpuWatch",
    "Instrument",
    "Look",
    "MeasuringStream",
    "Meters",
    "Observed",
    "Shape",
]
