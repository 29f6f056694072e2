"""The way of errors to Sentry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry.journal import JournalRecord, ProcessFacts
from telemetry.records import Error
from telemetry.shipper.delivery import Answer, Verdict, encoding
from telemetry.shipper.follower import Select
from telemetry.shipper.sentry_event import Filing, event_of, surroundings, without_locals
from telemetry.shipper.sentry_trail import Trail
from telemetry.spans import Folder, Span

if TYPE_CHECKING:
    from telemetry.shipper.sentry_client import SentryClient


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryTarget:
    """Where errors go, and what they are filed under; `release` is loop26's version if empty.

    `timeout_s` is as that of `OtlpTarget`; Sentry drops the second of two events with one id.
    """

    dsn: str
    environment: str = "production"
    release: str = ""
    timeout_s: float = 30.0

    @property
    def filing(self) -> Filing:
        """What events are filed under."""
        return Filing(self.release, self.environment)


class ErrorStream:
    """Errors, as one Sentry event each."""

    name = "sentry"
    optional = False
    batch_size = 1
    most_waiting = 32  # an error with its locals may have half a megabyte

    def __init__(self, target: SentryTarget) -> None:
        self._target = target
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
        """Send one event."""
        if self._client is None:
            from telemetry.shipper.sentry_client import SentryClient

            self._client = SentryClient(self._target.dsn)
        answer = Answer(Verdict.ACCEPTED)
        for error, around in items:
            with encoding():
                event = event_of(error, around, facts, self._target.filing)
            answer = self._client.send(event, min(timeout_s, self._target.timeout_s))
            if answer.verdict is Verdict.TOO_LARGE:
                # The server's limit is lower than Sentry's own: what names the line goes through.
                bare = without_locals(event)
                answer = self._client.send(bare, min(timeout_s, self._target.timeout_s))
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
