"""Whether a drill's telemetry has come to where it is configured to go.

What a backend has answered for is "acknowledged". Only what it gives back when it is asked has
"arrived".
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.errors import TelemetryError, TraceUnknown
from telemetry.reports.sources.jaeger import read_trace
from telemetry.reports.wording import one_line
from telemetry.shipper.spool import is_shipped
from worker.composition import make_shipper
from worker.drill.checks import Check
from worker.drill.running import Drilled, Tell
from worker.drill.sentry_events import CannotAsk, Events
from worker.settings import Settings

ARRIVED: Final = "arrived"
ACKNOWLEDGED: Final = "acknowledged"
# Names of checks.
TELEMETRY: Final = "telemetry"
OTLP: Final = "OTLP"
JAEGER: Final = "Jaeger"
SENTRY: Final = "Sentry"
REFUSED: Final = "refused"
_TRACES: Final = "traces"
_LOGS: Final = "logs"
_ERRORS: Final = "sentry"
_LOOK_EVERY_S: Final = 0.3
_ONE_DRAIN_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What was acknowledged of the journals of some drills.

    `streams` are those of which everything was; `no_logs` says that the endpoint has no place for
    logs, as Jaeger; `refused` counts what a backend did not take for what it was.
    """

    streams: frozenset[str]
    no_logs: bool
    refused: int


def arrivals(
    settings: Settings, drills: Sequence[Drilled], *, wait_s: float, tell: Tell
) -> list[Check]:
    """Wait until the telemetry of drills is acknowledged, then ask for it where that can be asked.

    Args:
        settings: Of the drill's folder.
        drills: Those that it is about.
        wait_s: Seconds to wait in all.
        tell: Is told what goes on.
    """
    if not settings.otlp_endpoint and not settings.sentry_dsn:
        kept = "in the journal: neither an OTLP endpoint nor a Sentry DSN is set"
        return [Check(name=TELEMETRY, planted="in the journal", found=kept, ok=True)]
    deadline = time.monotonic() + wait_s
    shipped = _ship(settings, drills, deadline, tell)
    refused = [_refused(shipped.refused)] if shipped.refused else []
    return [
        *refused,
        *_otlp(settings, drills, shipped, deadline, tell),
        *_sentry(settings, drills, shipped, deadline, tell),
    ]


def _refused(count: int) -> Check:
    """Tell of what a backend does not take for what it is: it is passed over, and is nowhere."""
    return Check(name=REFUSED, planted="nothing refused", found=f"{count} refused", ok=False)


def _ship(settings: Settings, drills: Sequence[Drilled], deadline: float, tell: Tell) -> Shipped:
    """Ship until the journals of the drills are with the backends, or the time is over."""
    wanted = {_TRACES, _LOGS} if settings.otlp_endpoint else set()
    wanted |= {_ERRORS} if settings.sentry_dsn else set()
    directories = list(_directories(settings, drills))
    shipper, no_logs = make_shipper(settings), False
    try:
        while True:
            done = {one for one in wanted if all(is_shipped(d, [one]) for d in directories)}
            if wanted - done == {_LOGS} and _has_no_place_for_logs(settings):
                wanted, no_logs = done, True
            if done >= wanted or time.monotonic() >= deadline:
                break
            tell(f"waiting for {' and '.join(sorted(wanted - done))} to be acknowledged")
            shipper.drain(min(_ONE_DRAIN_S, max(0.1, deadline - time.monotonic())))
            _pause()
    finally:
        shipper.stop(0.0)
    refused = shipper.counters.refused + sum(one.refused for one in drills)
    return Shipped(streams=frozenset(done), no_logs=no_logs, refused=refused)


def _directories(settings: Settings, drills: Sequence[Drilled]) -> Iterator[Path]:
    for drilled in drills:
        for part in drilled.case.model.processes if drilled.case.model else ():
            yield settings.spool_dir / part.facts.id


def _has_no_place_for_logs(settings: Settings) -> bool:
    """Ask the endpoint to take no logs at all, to which it says whether it takes any."""
    from telemetry.shipper.otlp import OtlpTarget

    target = OtlpTarget(endpoint=settings.otlp_endpoint or "", headers=settings.otlp_headers_map)
    post = target.post(f"v1/{_LOGS}")
    try:
        return post.send(b"", _ONE_DRAIN_S).absent
    finally:
        post.close()


def _otlp(
    settings: Settings,
    drills: Sequence[Drilled],
    shipped: Shipped,
    deadline: float,
    tell: Tell,
) -> list[Check]:
    if not settings.otlp_endpoint:
        return []
    ok = _TRACES in shipped.streams and (_LOGS in shipped.streams or shipped.no_logs)
    said = ACKNOWLEDGED if ok else "not acknowledged in time"
    if ok and shipped.no_logs:
        said = f"spans {ACKNOWLEDGED}; logs are not taken there"
    checks = [Check(name=OTLP, planted="spans and logs", found=said, ok=ok)]
    if settings.jaeger_url and _TRACES in shipped.streams:
        checks += [_at_jaeger(settings.jaeger_url, one, deadline, tell) for one in drills]
    return checks


def _at_jaeger(url: str, drilled: Drilled, deadline: float, tell: Tell) -> Check:
    """Ask for the trace until it has every span that was begun, or the time is over."""
    model = drilled.case.model
    begun, trace_id = (model.begun, model.trace_id) if model else (0, "")

    def count() -> int:
        tell("asking Jaeger for the trace")
        try:
            return len(read_trace(url, trace_id, str(drilled.task.id)).spans)
        except TraceUnknown:
            return 0

    try:
        found = _until(count, lambda number: number >= begun, deadline)
    except TelemetryError as error:
        return Check(
            name=JAEGER, planted=f"{begun} spans", found=one_line(str(error), 120), ok=False
        )
    said = f"{found} {ARRIVED}" if found else "the trace is not there"
    return Check(name=JAEGER, planted=f"{begun} spans", found=said, ok=found >= begun > 0)


def _sentry(
    settings: Settings,
    drills: Sequence[Drilled],
    shipped: Shipped,
    deadline: float,
    tell: Tell,
) -> list[Check]:
    if not settings.sentry_dsn:
        return []
    ids = [event_id for one in drills for event_id in event_ids(one)]
    planted = f"{len(ids)} {'event' if len(ids) == 1 else 'events'}"
    if _ERRORS not in shipped.streams:
        found = "not acknowledged in time"
        return [Check(name=SENTRY, planted=planted, found=found, ok=False)]
    if not (settings.sentry_url and settings.sentry_token):
        return [Check(name=SENTRY, planted=planted, found=ACKNOWLEDGED, ok=True)]
    try:
        with Events(settings) as events:
            there = [one for one in ids if _has(events, one, deadline, tell)]
    except CannotAsk as error:
        return [Check(name=SENTRY, planted=planted, found=str(error), ok=False)]
    return [
        Check(
            name=SENTRY,
            planted=planted,
            found=f"{len(there)} {ARRIVED}",
            ok=len(there) == len(ids) > 0,
        )
    ]


def _has(events: Events, event_id: str, deadline: float, tell: Tell) -> bool:
    def there() -> int:
        tell("asking Sentry for the event")
        return events.has(event_id)

    return bool(_until(there, bool, deadline))


def event_ids(drilled: Drilled) -> list[str]:
    """Return the ids of the events that a failure makes: its own, and that of what is behind it."""
    error = drilled.task.error or {}
    ids = [error.get("event_id", ""), error.get("caused_by", {}).get("event_id", "")]
    return [str(one) for one in ids if one]


def _until(ask: Callable[[], int], enough: Callable[[int], bool], deadline: float) -> int:
    """Ask again and again until the answer is enough or the time is over; return the last."""
    while not enough(answer := ask()) and time.monotonic() < deadline:
        _pause()
    return answer


def _pause() -> None:
    threading.Event().wait(_LOOK_EVERY_S)
