"""How fast a worker claims and settles through PostgREST, beside supabase-py's default client."""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from opentelemetry.trace import SpanKind
from supabase import create_client
from yarl import URL

from telemetry import Recorder, names
from worker.store.base import ClaimRequest
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

PAIRS = 50
ROUNDS = 21
FINISHED = 200_000
DEEP = 20_000

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A journal that is durable as a worker's is."""
    made = Recorder.open(tmp_path / "spool", role="supervisor", facts={})
    yield made
    made.close()


@pytest.fixture
def store(supabase_server: "Supabase") -> Iterator[SupabaseStore]:
    """The worker's store."""
    url = supabase_server.rest_url
    access = Access(url=url, rest_url=url, key=supabase_server.key("service_role"))
    with closing(SupabaseStore(access)) as made:
        yield made


def _fill(server: "Supabase", count: int, **columns: str) -> None:
    columns = {"task_type": "'t2v'", **columns}
    named, values = ", ".join(columns), ", ".join(columns.values())
    with server.connect() as connection:
        connection.execute(
            f"insert into public.tasks ({named}) select {values} from generate_series(1, {count})"  # noqa: S608 - ours
        )
        connection.execute("analyze public.tasks, public.task_events")


def ours(store: SupabaseStore, recorder: Recorder) -> Callable[[], None]:
    """Claim and complete as the supervisor does, with its spans."""

    def pair() -> None:
        request = ClaimRequest(
            worker_id="w",
            token=uuid4(),
            task_types=("t2v",),
            lease_s=60.0,
            trace_id="a1" * 16,
            span_id="b2" * 8,
        )
        with recorder.span(names.receive("tasks"), kind=SpanKind.CLIENT) as span:
            claim = store.claim(request)
            assert claim is not None
            span.set_attributes(dict(store.answer))
        with recorder.span(names.settle("tasks"), kind=SpanKind.CLIENT) as span:
            store.complete(claim.token, output_location="out.mp4", result={})
            span.set_attributes(dict(store.answer))

    return pair


@contextmanager
def default_client(server: "Supabase") -> Iterator[Callable[[], None]]:
    """Make the same calls by the client as it comes."""
    client = create_client(server.rest_url, server.key("service_role"))
    client.rest_url = URL(server.rest_url)
    # Some options that it gives itself are deprecated by now.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rpc = client.postgrest.rpc

    def pair() -> None:
        token = str(uuid4())
        asked: dict[str, Any] = {
            "p_worker_id": "w",
            "p_token": token,
            "p_task_types": ["t2v"],
            "p_lease_s": 60.0,
            "p_trace_id": "a1" * 16,
            "p_span_id": "b2" * 8,
            "p_loaded_model": None,
            "p_affinity_wait_s": 300.0,
        }
        assert rpc("loop26_claim_task", asked).execute().data
        done = {"p_token": token, "p_output_location": "out.mp4", "p_result": {}}
        rpc("loop26_complete_task", done).execute()

    yield pair
    client.postgrest.aclose()
    client.postgrest.session.close()


def _rate(pair: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(PAIRS):
        pair()
    return PAIRS / (time.perf_counter() - began)


def test_claim_and_settle(
    supabase_server: "Supabase", store: SupabaseStore, recorder: Recorder
) -> None:
    """Pairs a second, in turns; the goal is 1.25 times the default client's."""
    _fill(supabase_server, 2 * (ROUNDS + 1) * PAIRS)
    with default_client(supabase_server) as theirs:
        pairs = (ours(store, recorder), theirs)
        for pair in pairs:
            _rate(pair)  # connections are made, plans are kept
        rates = [[_rate(pair) for pair in pairs] for _ in range(ROUNDS)]
    own, default = map(statistics.median, zip(*rates, strict=True))
    # Of each round by itself: what else the machine does weighs on both halves of it alike.
    times = statistics.median(mine / other for mine, other in rates)
    print(
        f"\nclaim + complete through PostgREST: {own:.0f} pairs/s with spans journalled, "
        f"supabase-py's default client {default:.0f} without: {times:.2f} x"
    )


def test_a_claim_in_a_full_queue(supabase_server: "Supabase", store: SupabaseStore) -> None:
    """Neither 200,000 finished rows nor 20,000 queued ones are to slow a claim."""
    figures = []
    for what, count, columns in (
        ("empty", 1, {}),
        (f"{FINISHED} finished", FINISHED, {"status": "'Complete'"}),
        (f"and {DEEP} queued", DEEP, {}),
        (f"and {DEEP} that wait", DEEP, {"dependant_on": "array[gen_random_uuid()]"}),
    ):
        _fill(supabase_server, count, **columns)
        figures.append((what, _claim_ms(store)))
    print("\na claim, median: " + ", ".join(f"{what} {ms:.2f} ms" for what, ms in figures))


def _claim_ms(store: SupabaseStore) -> float:
    took = []
    for _ in range(60):
        request = ClaimRequest(
            worker_id="w",
            token=uuid4(),
            task_types=("t2v",),
            lease_s=60.0,
            trace_id="a1" * 16,
            span_id="b2" * 8,
            loaded_model="wan",
        )
        began = time.perf_counter()
        claim = store.claim(request)
        took.append(time.perf_counter() - began)
        if claim is not None:
            store.release(claim.token, reason="again", give_back=True)
    return statistics.median(took) * 1000
