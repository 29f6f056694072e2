"""sentry-sdk as a sender of finished events that says what became of each."""

from typing import Any, cast

import msgspec
import sentry_sdk
from sentry_sdk.envelope import Envelope, PayloadRef
from sentry_sdk.transport import Transport
from sentry_sdk.types import Event, Hint

from telemetry.shipper.delivery import Answer, Post, Verdict, encoding

_ENVELOPE = {"Content-Type": "application/x-sentry-envelope"}
_USER_AGENT = f"sentry.python/{sentry_sdk.VERSION}"


class SynchronousTransport(Transport):
    """Sends an envelope while its caller waits, and keeps the answer.

    The transport of the SDK keeps 100 envelopes in memory and drops the rest silently; what waits
    here waits in the journal.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__({"dsn": dsn, "org_id": None})
        if self.parsed_dsn is None:
            raise ValueError(f"{dsn!r} is no Sentry DSN, as in https://key@host/1")
        auth = self.parsed_dsn.to_auth(_USER_AGENT)
        headers = {**_ENVELOPE, "User-Agent": _USER_AGENT, "X-Sentry-Auth": auth.to_header()}
        self._post = Post(auth.get_api_url(), headers, compress=True)
        self.answer = Answer(Verdict.LATER, "nothing has been sent")
        self.timeout_s = 30.0

    def capture_envelope(self, envelope: Envelope) -> None:
        """Send an envelope now, its text as UTF-8.

        The SDK would escape what is not ASCII: a Chinese character takes six bytes, not three, and
        an event that was measured as `telemetry.shipper.sentry_locals.size` does it is too large.
        """
        for item in envelope.items:
            if item.payload.json is not None:
                item.payload = PayloadRef(bytes=msgspec.json.encode(item.payload.json))
        self.answer = self._post.send(envelope.serialize(), self.timeout_s)

    def kill(self) -> None:
        """Close the connection."""
        self._post.close()


class SentryClient:
    """A client of its own: no global hub, no integrations, nothing collected by the SDK."""

    def __init__(self, dsn: str) -> None:
        self._transport = SynchronousTransport(dsn)
        self._client = sentry_sdk.Client(
            dsn=dsn,
            transport=self._transport,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            attach_stacktrace=False,
            auto_session_tracking=False,
            send_client_reports=False,
            before_send=_restore,
        )

    def send(self, event: dict[str, Any], timeout_s: float) -> Answer:
        """Send one finished event and return the server's answer."""
        self._transport.answer = Answer(Verdict.REFUSED, "sentry-sdk dropped the event")
        self._transport.timeout_s = timeout_s
        with encoding():  # what the transport meets is in its answer
            self._client.capture_event(cast("Event", dict(event)), hint={"finished": event})
        return self._transport.answer

    def close(self) -> None:
        """Close the connection."""
        self._client.close(timeout=0)


def _restore(event: Event, hint: Hint) -> Event:
    """Put the finished event back where the SDK has cut or completed it."""
    return cast("Event", {**event, **hint["finished"]})
