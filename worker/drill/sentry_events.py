"""Whether an event has arrived at a Sentry or a Bugsink: asked of its web API."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from telemetry.reports.wording import one_line
from worker.errors import WorkerError
from worker.settings import Settings

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S: Final = 10.0
_OK: Final = 200
_NOT_FOUND: Final = 404
_REFUSED: Final = (401, 403)
_MOST: Final = 20  # issues, or organizations, that are looked into: the newest come first
_PROJECT: Final = re.compile(r"/(\d+)/?$")
# Hosted Sentry's DSNs begin with the organization: https://KEY@o42.ingest.example/7.
_ORGANIZATION: Final = re.compile(r"@o(\d+)\.")


class CannotAsk(WorkerError):
    """Raised when a Sentry or Bugsink gives no answer that says whether an event is there."""


class Events:
    """Asks one server for events by their ids; to be used in a `with` block.

    Which server it is, is found out: hosted Sentry is known by its DSN, Bugsink by an API of its
    own, and what has none is a Sentry.

    Args:
        settings: With `sentry_url`, `sentry_token` and `sentry_dsn` set.
    """

    def __init__(self, settings: Settings) -> None:
        import httpx

        token, dsn = settings.sentry_token, settings.sentry_dsn
        secret = token.get_secret_value() if token else ""
        self._dsn = dsn.get_secret_value() if dsn else ""
        self._url = (settings.sentry_url or "").rstrip("/")
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {secret}", "User-Agent": "loop26"},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )
        self._organizations: list[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def has(self, event_id: str) -> bool:
        """Whether an event is there by now. Raises `CannotAsk`."""
        hosted = _ORGANIZATION.search(self._dsn)
        if hosted:
            return self._at_sentry(event_id, [hosted[1]])
        found = self._at_bugsink(event_id)
        if found is None:
            return self._at_sentry(event_id, self._known_organizations())
        return found

    def _at_bugsink(self, event_id: str) -> bool | None:
        """Look through the newest issues of the project; None where this is no Bugsink."""
        project = _PROJECT.search(self._dsn)
        number = project[1] if project else "1"
        issues = self._get("canonical/0/issues/", project=number, sort="last_seen", order="desc")
        if issues is None:
            return None
        for issue in _results(issues)[:_MOST]:
            events = self._get("canonical/0/events/", issue=str(issue.get("id", "")))
            ids = {str(one.get("event_id", "")).replace("-", "") for one in _results(events)}
            if event_id in ids:
                return True
        return False

    def _at_sentry(self, event_id: str, organizations: Iterable[str]) -> bool:
        return any(
            self._get(f"0/organizations/{one}/eventids/{event_id}/") is not None
            for one in organizations
        )

    def _known_organizations(self) -> list[str]:
        if self._organizations is None:
            listed = self._get("0/organizations/")
            if not isinstance(listed, list):
                raise CannotAsk(f"{self._shown} is neither a Sentry nor a Bugsink")
            slugs = [one.get("slug", "") for one in listed if isinstance(one, dict)]
            safe = [slug for slug in slugs if re.fullmatch(r"[\w-]+", str(slug))]
            self._organizations = safe[:_MOST]
        return self._organizations

    @property
    def _shown(self) -> str:
        return one_line(self._url.rpartition("@")[2], 100)

    def _get(self, path: str, **query: str) -> Any:
        """Ask the API; None for what is not there. Raises `CannotAsk`."""
        import httpx

        try:
            answer = self._client.get(f"{self._url}/api/{path}", params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = one_line(str(error), 100) or type(error).__name__
            raise CannotAsk(f"{self._shown} does not answer: {said}") from None
        return self._read(answer)

    def _read(self, answer: "httpx.Response") -> Any:
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code in _REFUSED:
            raise CannotAsk(
                f"{self._shown} refuses the token (HTTP {answer.status_code}): it must be one that "
                "may read events and issues, or organizations"
            )
        if answer.status_code != _OK:
            raise CannotAsk(f"{self._shown} answers with HTTP {answer.status_code}")
        try:
            return answer.json()
        except ValueError:
            raise CannotAsk(f"{self._shown} answers with what is no JSON") from None


def _results(answer: Any) -> list[dict[str, Any]]:
    found = answer.get("results") if isinstance(answer, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
