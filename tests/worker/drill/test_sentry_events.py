"""Whether an event is at a Bugsink or a Sentry is asked of its API, never guessed."""

import pytest
from pydantic import SecretStr

from worker.drill.sentry_events import CannotAsk, Events
from worker.settings import Settings

from .conftest import Web

EVENT = "e040ae48" * 4
TOKEN = "t0ken-that-is-secret"  # noqa: S105 - made up
SELF_HOSTED = "http://key@127.0.0.1:9/7"
HOSTED = "https://key@o42.ingest.sentry.example/7"
ISSUES = "/api/canonical/0/issues/"
EVENTS = "/api/canonical/0/events/"


def ask(web: Web, dsn: str = SELF_HOSTED) -> bool:
    """Ask a server for the event."""
    settings = Settings(
        sentry_url=f"{web.url}/", sentry_token=SecretStr(TOKEN), sentry_dsn=SecretStr(dsn)
    )
    with Events(settings) as events:
        return events.has(EVENT)


def test_a_bugsink_is_looked_through_by_its_newest_issues(web: Web) -> None:
    """Those of the DSN's project; the token is sent as a bearer's."""
    web.answers[ISSUES] = (200, {"results": [{"id": "i1"}]})
    dashed = f"{EVENT[:8]}-{EVENT[8:12]}-{EVENT[12:16]}-{EVENT[16:20]}-{EVENT[20:]}"
    web.answers[EVENTS] = (200, {"results": [{"event_id": dashed}]})
    assert ask(web)
    assert web.asked[0] == f"{ISSUES}?project=7&sort=last_seen&order=desc"
    assert web.tokens == {f"Bearer {TOKEN}"}


def test_an_event_that_is_not_among_them_has_not_arrived(web: Web) -> None:
    """Whatever else there is."""
    web.answers[ISSUES] = (200, {"results": [{"id": "i1"}, {"id": "i2"}, 7]})
    web.answers[EVENTS] = (200, {"results": [{"event_id": "another"}]})
    assert not ask(web)


def test_hosted_sentry_is_asked_by_the_organization_of_the_dsn(web: Web) -> None:
    """Its id stands in front of the DSN's host."""
    path = f"/api/0/organizations/42/eventids/{EVENT}/"
    assert not ask(web, HOSTED)
    web.answers[path] = (200, {"eventId": EVENT})
    assert ask(web, HOSTED)
    assert web.asked == [path, path]


def test_a_sentry_of_ones_own_is_asked_in_the_organizations_that_the_token_sees(web: Web) -> None:
    """What has none of Bugsink's API is a Sentry, if it has organizations."""
    web.answers["/api/0/organizations/"] = (200, [{"slug": "films"}, {"slug": "../../etc"}, 1])
    web.answers[f"/api/0/organizations/films/eventids/{EVENT}/"] = (200, {"eventId": EVENT})
    assert ask(web)
    assert not [path for path in web.asked if "etc" in path]


def test_what_is_neither_is_said_to_be(web: Web) -> None:
    """An address that was mistyped must not look like an event that is late."""
    with pytest.raises(CannotAsk, match="neither a Sentry nor a Bugsink"):
        ask(web)


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (401, {}, "refuses the token"),
        (403, {}, "refuses the token"),
        (500, {}, "HTTP 500"),
        (302, {}, "HTTP 302"),
        (200, b"<html>", "no JSON"),
    ],
)
def test_an_answer_that_says_nothing_is_told(
    web: Web, status: int, answer: object, said: str
) -> None:
    """Without the token."""
    web.answers[ISSUES] = (status, answer)
    with pytest.raises(CannotAsk, match=said) as caught:
        ask(web)
    assert TOKEN not in str(caught.value)


def test_a_server_that_is_not_there_is_told() -> None:
    """By its address, without what may be secret in it."""
    settings = Settings(sentry_url="http://user:s3cret@127.0.0.1:9", sentry_token=SecretStr(TOKEN))
    with Events(settings) as events, pytest.raises(CannotAsk, match="does not answer") as caught:
        events.has(EVENT)
    assert "s3cret" not in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("answer", [[], "text", {"results": "text"}, {"results": [{}]}, None])
def test_an_answer_of_another_form_is_no_event(web: Web, answer: object) -> None:
    """And no fault of the drill's."""
    web.answers[ISSUES] = (200, answer)
    web.answers[EVENTS] = (200, answer)
    web.answers["/api/0/organizations/"] = (200, [])
    assert not ask(web)
