"""The report on one task, as Markdown that fits an issue."""

from telemetry.reports.markdown.report import hypotheses, markdown, summary, tasks

__all__ = ["hypotheses", "markdown", "summary", "tasks"]
