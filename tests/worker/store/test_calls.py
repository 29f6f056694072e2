"""Calls to a shared queue: what may pass is tried again with patience, what may not is said."""

import http.server
import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from tests.servers.loopback import Loopback
from tests.servers.proxy import (
    FATES,
    REFUSED,
    SILENT,
    UnreliableProxy,
)
from worker.errors import (
    InvalidTask,
    QueueError,
    QueueForbidden,
    QueueIncompatible,
    QueueUnavailable,
)
from worker.patience import Patience
from worker.store.base import ClaimRequest
from worker.store.supabase import SupabaseStore
from worker.store.supabase.calls import Calls
from worker.store.supabase.connection import Access, Connection
from worker.task import TASK_TYPES, Claim, Failure, NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

STORES = ("supabase",)
PATIENCE_S = 60.0
FAILURE = Failure(kind="exception", type="KeyError", message="'a'", sentence="It is not there.")

PASSING = {
    "57P01": (500, "terminating connection due to administrator command"),
    "57P02": (503, "terminating connection because of crash of another server process"),
    "57P03": (503, "the database system is starting up"),
    "57014": (500, "canceling statement due to statement timeout"),
    "08006": (503, "connection failure"),
    "08P01": (500, "server conn crashed?"),
    "25006": (405, "cannot execute UPDATE in a read-only transaction"),
    "25P03": (500, "terminating connection due to idle-in-transaction timeout"),
    "40001": (500, "could not serialize access"),
    "40P01": (500, "deadlock detected"),
    "53100": (503, "could not extend file: No space left on device"),
    "53300": (503, "sorry, too many clients already"),
    "55P03": (500, "lock not available"),
    "58030": (500, "could not read block"),
    "PGRST000": (503, "could not connect with the database"),
    "PGRST001": (503, "could not connect with the database due to an internal error"),
    "PGRST002": (503, "could not query the database for the schema cache"),
    "PGRST003": (504, "timed out acquiring connection from connection pool"),
    # As PostgREST has it when the database goes away in the middle of a statement.
    "": (400, ""),
}
LASTING: dict[str, tuple[int, str, type[Exception]]] = {
    "42501": (403, "permission denied for function loop26_claim_task", QueueForbidden),
    "PT401": (401, "the worker token 'a' was revoked", QueueForbidden),
    "PT403": (403, "this is for operators, with the service key", QueueForbidden),
    "PGRST301": (401, "JWSError JWSInvalidSignature", QueueForbidden),
    "PGRST202": (404, "could not find the function", QueueIncompatible),
    "42883": (404, "function loop26.now() does not exist", QueueIncompatible),
    "42P01": (404, 'relation "public.tasks" does not exist', QueueIncompatible),
    "22P02": (400, "invalid input syntax for type uuid", InvalidTask),
    "23505": (409, "duplicate key value", QueueError),
    "P0001": (400, "'Complete' cannot become 'Queued'", QueueError),
    "54001": (500, "stack depth limit exceeded", InvalidTask),
}

MISSING = (404, b'{"code": "PGRST202", "message": "could not find the function"}')


class Answers(Loopback):
    """A server that gives prepared answers, the last of them for ever."""

    def __init__(self, prepared: list[tuple[int, bytes]]) -> None:
        answers = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = answers.next()
                self.send_response_only(status)
                for name, value in answers.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        self.prepared = prepared
        self.asked = 0
        self.headers: dict[str, str] = {}

    def next(self) -> tuple[int, bytes]:
        """Give the next answer."""
        self.asked += 1
        return self.prepared.pop(0) if len(self.prepared) > 1 else self.prepared[0]


@dataclass(slots=True, kw_only=True)
class Patient:
    """Calls whose clock goes as far as they sleep, and the server that answers them."""

    server: Answers
    calls: Calls
    naps: list[float]


def _patient(
    server: Answers, connection: Connection, *, meanwhile: Callable[[], None] = lambda: None
) -> Patient:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        meanwhile()

    patience = Patience(PATIENCE_S, clock=lambda: sum(naps), sleep=nap)
    calls = Calls(connection, server.url, patience)
    return Patient(server=server, calls=calls, naps=naps)


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    """Run one server for all: a client takes its time to make."""
    with Answers([(200, b"null")]) as server:
        yield server


@pytest.fixture(scope="module")
def connection(answers: Answers) -> Iterator[Connection]:
    """Connect to it."""
    with closing(Connection(_access(answers.url), answer_s=0.5)) as made:
        yield made


@pytest.fixture
def patient(answers: Answers, connection: Connection) -> Iterator[Callable[..., Patient]]:
    """Make patient calls that are answered so, the last answer for ever."""

    def make(*prepared: tuple[int, bytes], **headers: str) -> Patient:
        answers.prepared, answers.asked, answers.headers = list(prepared), 0, headers
        return _patient(answers, connection)

    return make


def _access(url: str, **more: str) -> Access:
    return Access(url=url, rest_url=url, key="key", **more)


def _error(code: str, message: str) -> bytes:
    return json.dumps({"code": code, "message": message, "details": None, "hint": None}).encode()


@pytest.mark.parametrize("code", PASSING)
def test_what_may_pass_is_tried_again(patient: Callable[..., Patient], code: str) -> None:
    """Twice refused, then answered: the caller hears of nothing but the answer."""
    status, message = PASSING[code]
    refusal = (status, _error(code, message))
    made = patient(refusal, refusal, (200, b'{"a": 1}'))
    assert made.calls("anything", {}) == {"a": 1}
    assert len(made.naps) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 522, 524, 530])
def test_a_proxys_page_is_tried_again(patient: Callable[..., Patient], status: int) -> None:
    """Whoever stands before the database, and whatever he writes."""
    made = patient((status, b"<html>bad gateway</html>"), (200, b"[]"))
    assert made.calls("anything", {}) == []


def test_a_page_in_place_of_an_answer_is_tried_again(patient: Callable[..., Patient]) -> None:
    """As a hotel's network has it: 200, and no JSON."""
    made = patient((200, b"<html>please log in</html>"), (200, b"7"))
    assert made.calls("anything", {}) == 7


def test_an_answer_that_is_spoiled_is_tried_again(patient: Callable[..., Patient]) -> None:
    """It says that it is compressed, and is not."""
    made = patient((200, b"not gzip"), **{"Content-Encoding": "gzip"})
    with pytest.raises(QueueUnavailable):
        made.calls("anything", {})
    assert made.server.asked > 2


@pytest.mark.parametrize("code", LASTING)
def test_what_will_not_pass_is_said_at_once(patient: Callable[..., Patient], code: str) -> None:
    """One call, no nap, one line."""
    status, message, kind = LASTING[code]
    made = patient((status, _error(code, message)))
    with pytest.raises(kind) as raised:
        made.calls("anything", {})
    assert type(raised.value) is kind
    assert (made.server.asked, made.naps) == (1, [])
    assert "\n" not in str(raised.value)


def test_a_function_that_was_there_may_come_back(patient: Callable[..., Patient]) -> None:
    """While a migration changes it, PostgREST does not know it for a moment."""
    made = patient((200, b"1"), MISSING, MISSING, (200, b"2"))
    assert [made.calls("anything", {}), made.calls("anything", {})] == [1, 2]


def test_a_function_that_is_gone_is_said_to_be(patient: Callable[..., Patient]) -> None:
    """The patience for it has an end, and the line a way out."""
    made = patient((200, b"1"), MISSING)
    made.calls("anything", {})
    with pytest.raises(QueueIncompatible, match="loop26 migrate"):
        made.calls("anything", {})
    assert sum(made.naps) <= PATIENCE_S


def test_patience_has_an_end(patient: Callable[..., Patient]) -> None:
    """Then it is said that the queue cannot answer."""
    made = patient((503, _error("PGRST001", "no connection")))
    with pytest.raises(QueueUnavailable, match="PGRST001"):
        made.calls("anything", {})
    assert PATIENCE_S / 2 < sum(made.naps) <= PATIENCE_S


def test_it_is_tried_ever_more_slowly(patient: Callable[..., Patient]) -> None:
    """Each nap is up to twice the last, none longer than 5 s; workers do not wake together."""
    naps: list[list[float]] = []
    for _ in range(2):
        made = patient((503, b""))
        with pytest.raises(QueueUnavailable):
            made.calls("anything", {})
        naps.append(made.naps)
    for each in naps:
        assert each[0] <= 0.1
        assert max(each) <= 5
        assert all(after <= 4 * before for before, after in pairwise(each))
    assert naps[0][:5] != naps[1][:5]


@pytest.mark.parametrize(
    ("server", "ms"), [("postgrest/12.0.2", 0.6571), ("postgrest/12.2.12", 657.1), ("", 657.1)]
)
def test_what_the_server_spent_is_in_milliseconds(
    patient: Callable[..., Patient], server: str, ms: float
) -> None:
    """PostgREST 12.0 says microseconds."""
    told = {"Server": server, "Server-Timing": "transaction;dur=657.1, odd;dur=x, plan"}
    made = patient((200, b"1"), **told)
    made.calls("anything", {})
    answer = made.calls._connection.answer
    assert answer is not None
    assert answer.timing == pytest.approx({"transaction": ms})


def test_a_key_that_is_no_header_is_said_at_once(answers: Answers) -> None:
    """A worker token with a line break in it, as a careless paste has."""
    access = _access(answers.url, worker_token="a\nb")  # noqa: S106 - the test's own
    with closing(Connection(access)) as connection:
        made = _patient(answers, connection)
        with pytest.raises(QueueError) as raised:
            made.calls("anything", {})
    assert not isinstance(raised.value, QueueUnavailable)


@pytest.mark.parametrize("away", [REFUSED, SILENT])
def test_a_server_that_is_away_is_waited_for(patient: Callable[..., Patient], away: str) -> None:
    """It refuses, or hangs; when it is back it is asked again."""
    server = patient((200, b"1")).server
    with (
        UnreliableProxy(server.url, away=away) as proxy,
        closing(Connection(_access(proxy.url), answer_s=0.5)) as connection,
    ):

        def come_back() -> None:
            proxy.away = ""

        made = _patient(server, connection, meanwhile=come_back)
        assert made.calls("anything", {}) == 1
    assert len(made.naps) == 1


@pytest.fixture(params=FATES)
def struck(request: pytest.FixtureRequest, queue: "Queue") -> Iterator["Struck"]:
    """Give the store whose next call meets a fate."""
    assert queue.shared is not None
    url = json.loads(queue.address)["url"]
    key = json.loads(queue.address)["service"]
    with UnreliableProxy(url, odds={request.param: 1e-9}) as proxy:
        store = SupabaseStore(Access(url=proxy.url, rest_url=proxy.url, key=key))
        with closing(store):
            yield Struck(queue=queue, store=store, proxy=proxy, fate=request.param)


@dataclass(slots=True, kw_only=True)
class Struck:
    """A queue, and a store whose calls break off when it is told."""

    queue: "Queue"
    store: SupabaseStore
    proxy: UnreliableProxy
    fate: str

    def strike(self) -> None:
        """Have the next call meet the fate."""
        self.proxy.dice = Once()


class Once(random.Random):
    """Dice that fall badly on the first throw alone."""

    def __init__(self) -> None:
        super().__init__(0)
        self._thrown = [0.0]

    def random(self) -> float:
        """Throw them."""
        return self._thrown.pop() if self._thrown else 1.0


def _claim(struck: Struck) -> Claim:
    request = ClaimRequest(
        worker_id="worker-1",
        token=uuid4(),
        task_types=TASK_TYPES,
        lease_s=60.0,
        trace_id="a1" * 16,
        span_id="b2" * 8,
    )
    found = struck.store.claim(request)
    assert found is not None
    return found


def _told(struck: Struck, task_id: UUID) -> list[str]:
    return [name for name in struck.queue.names(task_id) if name != "started"]


def test_an_insertion_that_breaks_off_is_made_once(struck: Struck) -> None:
    """Wherever it broke off, the tasks are there once."""
    struck.strike()
    ids = struck.store.insert([NewTask(task_type="t2v", params={}) for _ in range(3)])
    assert {task.id for task in struck.queue.store.list_tasks()} == set(ids)


def test_a_claim_that_breaks_off_takes_one_task(struck: Struck) -> None:
    """The second task stays in the queue."""
    first, second = struck.queue.insert(), struck.queue.insert()
    struck.strike()
    assert _claim(struck).task.id == first
    assert (struck.queue.names(first)[-1], struck.queue.names(second)) == ("claimed", ["inserted"])


def _complete(struck: Struck, claim: Claim) -> None:
    struck.store.complete(claim.token, output_location="a.mp4", result={})


def _fail(struck: Struck, claim: Claim) -> None:
    struck.store.fail(claim.token, FAILURE)


def _release(struck: Struck, claim: Claim) -> None:
    struck.store.release(claim.token, reason="drained", give_back=True)


def _die(struck: Struck, claim: Claim) -> None:
    assert struck.store.record_death(claim.token, FAILURE, max_deaths=3) is TaskStatus.QUEUED


def _spawn(struck: Struck, claim: Claim) -> None:
    children = [NewTask(task_type="travel_segment", params={}) for _ in range(2)]
    ids = struck.store.spawn(claim.token, children, result={})
    found = struck.queue.store.list_tasks(parent_id=claim.task.id)
    assert [task.id for task in found] == ids == [child.id for child in children]


SETTLES: dict[str, Callable[[Struck, Claim], None]] = {
    "completed": _complete,
    "failed": _fail,
    "released": _release,
    "died": _die,
    "spawned": _spawn,
}


@pytest.mark.parametrize("name", SETTLES)
def test_a_settle_that_breaks_off_is_made_once(struck: Struck, name: str) -> None:
    """Its history has it once, and nothing was refused."""
    task_id = struck.queue.insert("travel_orchestrator")
    claim = _claim(struck)
    struck.strike()
    SETTLES[name](struck, claim)
    assert _told(struck, task_id) == ["inserted", "claimed", name]


def test_a_token_that_breaks_off_is_made(struck: Struck) -> None:
    """The name is not said to be taken by the token that was just made under it."""
    struck.strike()
    token = struck.store.tokens.create("new", expires_at=None)
    assert token.startswith("l26w_")
