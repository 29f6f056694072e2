"""The report on one task, for a terminal."""

from telemetry.reports.terminal.report import (
    brief,
    differences,
    headline,
    hypotheses,
    plain,
    renderable,
    warning,
)

__all__ = [
    "brief",
    "differences",
    "headline",
    "hypotheses",
    "plain",
    "renderable",
    "warning",
]
