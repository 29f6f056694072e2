"""The way of errors to Sentry."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telemetry.journal import JournalRecord, ProcessFacts
from telemetry.links import Links
from telemetry.records import Error
from telemetry.shipper.delivery import Answer, Verdict, encoding
from telemetry.shipper.follower import Select
from telemetry.shipper.sentry_event import (
    Filing,
    event_of,
    speaking_of,
    surroundings,
    without_locals,
)
from telemetry.shipper.sentry_quota import Quota, Turnstile
from telemetry.shipper.sentry_trail import Trail
from telemetry.spans import Folder, Span

if TYPE_CHECKING:
    from telemetry.shipper.sentry_client import SentryClient


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryTarget:
    """Where errors go, and what they are filed under; `release` is loop26's version if empty.

    `links` are the pages that each event leads to, `quota` is how many events are sent.
    `timeout_s` is as that of `OtlpTarget`; Sentry drops the second of two events with one id.
    """

    dsn: str
    environment: str = "production"
    release: str = ""
    timeout_s: float = 30.0
    quota: Quota = field(default_factory=Quota)
    links: Links = field(default_factory=Links)

    @property
    def filing(self) -> Filing:
        """What events are filed under."""
        return Filing(self.release, self.environment, self.links)


class ErrorStream:
    """Errors, as one Sentry event each."""

    name = "sentry"
    optional = False
    batch_size = 1
    most_waiting = 32  # an error with its locals may have half a megabyte

    def __init__(self, target: SentryTarget, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._turnstile = Turnstile(target.quota, clock)
        self._client: SentryClient | None = None

    def selection(self) -> Select:
        """Return what picks errors out of a journal, each with what was around it."""
        trail = Trail()

        def select(
            record: JournalRecord, finished: Sequence[Span], folder: Folder
        ) -> Sequence[Any]:
            trail.feed(record, finished)
            if not isinstance(record.body, Error):
                return ()
            return ((record.body, surroundings(folder, record.body.span_id, trail)),)

        return select

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Send one event, if the quota has room for it."""
        ((error, around),) = items
        admission = self._turnstile.admits(error.fingerprint)
        if admission.wait_s:
            reason = f"{self._target.quota.in_all} events went out in this minute"
            return Answer(Verdict.LATER, reason, retry_after_s=admission.wait_s)
        if not admission.sends:
            if admission.begins:
                _log.warning(
                    "Sentry gets few more of what fails like this, and the number of the others: "
                    "%s at %s:%s (fingerprint %s)",
                    *(error.type, error.file, error.line, error.fingerprint),
                )
            return Answer(Verdict.ACCEPTED, held_back=1)
        with encoding():
            event = event_of(error, around, facts, self._target.filing)
            event = speaking_of(event, admission.held_back)
        answer = self._post(event, min(timeout_s, self._target.timeout_s))
        if answer.verdict is Verdict.ACCEPTED:
            self._turnstile.went(error.fingerprint)
        return answer

    def _post(self, event: dict[str, Any], timeout_s: float) -> Answer:
        if self._client is None:
            from telemetry.shipper.sentry_client import SentryClient

            self._client = SentryClient(self._target.dsn)
        answer = self._client.send(event, timeout_s)
        if answer.verdict is Verdict.TOO_LARGE:
            # The server's limit is lower than Sentry's own: what names the line goes through.
            answer = self._client.send(without_locals(event), timeout_s)
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
