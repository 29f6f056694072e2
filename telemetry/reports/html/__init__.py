"""The HTML form of a report: one file, no network, and what other pages are built of."""

from telemetry.reports.html.document import document
from telemetry.reports.html.page import page

__all__ = ["document", "page"]
