"""The client of a Supabase project, with an HTTP client of our own under it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

CONNECT_S: Final = 5.0
ANSWER_S: Final = 20.0  # a list of 10,000 tasks takes some seconds
WORKERS_ANSWER_S: Final = 8.0  # a claim takes a millisecond; stopping must not wait for a server
WORKER_TOKEN_HEADER: Final = "x-worker-token"  # noqa: S105 - the name of a header
_CONNECTIONS: Final = 8  # one a thread that calls, and some
_TIMES_IN_US: Final = "postgrest/12.0."  # by mistake; those after it say milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a queue is, and with what right.

    Attributes:
        url: Of the project, as in https://name.supabase.co.
        key: The publishable key, or the secret one of the service role.
        worker_token: Of `loop26 worker-token create`; "" with the secret key.
        rest_url: Where PostgREST answers, where that is not `<url>/rest/v1`.
    """

    url: str
    key: str = field(repr=False)
    worker_token: str = field(default="", repr=False)
    rest_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of an answer beside what it says.

    Attributes:
        status: Of HTTP.
        request_id: As the server calls the request; "" where it does not.
        timing: Milliseconds by what the database server did, of its Server-Timing header.
    """

    status: int
    request_id: str = ""
    timing: Mapping[str, float] = field(default_factory=dict)


class Connection:
    """One client, for every thread of a process; not to be used across a fork.

    HTTP/1.1: idle HTTP/2 connections that a proxy has dropped are the default client's most cited
    trouble, and one request at a time a thread gains nothing by it.
    """

    def __init__(
        self, access: Access, *, connect_s: float = CONNECT_S, answer_s: float | None = None
    ) -> None:
        if answer_s is None:
            answer_s = WORKERS_ANSWER_S if access.worker_token else ANSWER_S
        headers = {WORKER_TOKEN_HEADER: access.worker_token} if access.worker_token else {}
        self._last = threading.local()
        self._http = httpx.Client(
            timeout=httpx.Timeout(answer_s, connect=connect_s),
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
            ),
            event_hooks={"response": [self._note]},
        )
        self.client: Client = create_client(
            access.url,
            access.key,
            options=SyncClientOptions(
                auto_refresh_token=False,
                persist_session=False,
                headers=headers,
                httpx_client=self._http,
                postgrest_client_retry=False,
            ),
        )
        if access.rest_url:
            # Before its first use, which makes a client of it.
            self.client.rest_url = type(self.client.rest_url)(access.rest_url)

    @property
    def answer(self) -> Answer | None:
        """What this thread's last request was answered with; None where it was not."""
        return getattr(self._last, "answer", None)

    @property
    def body(self) -> str:
        """What this thread's last request was answered with, as it came."""
        response: httpx.Response | None = getattr(self._last, "response", None)
        return "" if response is None else response.text

    def forget(self) -> None:
        """Forget this thread's last answer."""
        self._last.answer = self._last.response = None

    def close(self) -> None:
        """Close the connections; closing again does nothing."""
        self._http.close()

    def _note(self, response: httpx.Response) -> None:
        in_us = response.headers.get("server", "").startswith(_TIMES_IN_US)
        per_ms = 1000 if in_us else 1
        self._last.response = response
        self._last.answer = Answer(
            status=response.status_code,
            request_id=response.headers.get("x-request-id", ""),
            timing=_timing(response.headers.get("server-timing", ""), per_ms=per_ms),
        )


def _timing(header: str, *, per_ms: float) -> dict[str, float]:
    """Read `jwt;dur=0.1, plan;dur=0.4` into milliseconds by name; what is no figure is left out."""
    found: dict[str, float] = {}
    for part in header.split(","):
        name, _, rest = part.strip().partition(";")
        _, _, figure = rest.partition("dur=")
        try:
            found[name] = float(figure) / per_ms
        except ValueError:
            continue
    return found
