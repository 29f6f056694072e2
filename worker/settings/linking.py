"""Makes the addresses of what can be looked at elsewhere out of the settings."""

from telemetry.links import Links
from worker.settings.settings import Settings


def links_to(settings: Settings) -> Links:
    """Return where traces, events, tasks and reports are, as far as the settings say."""
    jaeger, sentry = settings.jaeger_url, settings.sentry_url
    trace = f"{jaeger.rstrip('/')}/trace/{{trace_id}}" if jaeger else ""
    event = f"{sentry.rstrip('/')}/issues/?query={{event_id}}" if sentry else ""
    return Links(
        trace=settings.trace_url or trace,
        event=settings.sentry_event_url or event,
        task=settings.task_url or "",
        report=settings.report_url or "",
    )
