"""What a claim and a settle take through PostgREST, beside supabase-py's default client."""

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
from tests.benchmarks.conftest import Bench
from worker.store.base import ClaimRequest
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

pytestmark = [pytest.mark.benchmark("P3"), pytest.mark.timeout(900)]


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


def _milliseconds(pair: Callable[[], None], pairs: int) -> float:
    began = time.perf_counter()
    for _ in range(pairs):
        pair()
    return (time.perf_counter() - began) * 1e3 / pairs


def test_claim_and_settle(
    bench: Bench, supabase_server: "Supabase", store: SupabaseStore, recorder: Recorder
) -> None:
    """In turns, ours with its spans journalled; the goal is 1.25 times the client's rate."""
    pairs, turns = bench.pick(50, 10), bench.pick(21, 3)
    _fill(supabase_server, 2 * (turns + 1) * pairs)
    with default_client(supabase_server) as theirs:
        ways = (ours(store, recorder), theirs)
        for way in ways:
            _milliseconds(way, pairs)  # connections are made, plans are kept
        took = [[_milliseconds(way, pairs) for way in ways] for _ in range(turns)]
    own, default = zip(*took, strict=True)
    bench.add(
        "claim + settle, PostgREST",
        "ms",
        own,
        default,
        size="as many rows as pairs",
        beside="supabase-py's default client, the same two calls, no spans",
        goal="0.8",
    )


def test_a_claim_in_a_full_queue(
    bench: Bench, supabase_server: "Supabase", store: SupabaseStore
) -> None:
    """Neither 200,000 finished rows nor 20,000 queued ones are to slow a claim."""
    finished, deep = bench.pick(200_000, 2_000), bench.pick(20_000, 200)
    for size, count, columns in (
        ("1 row", 1, {}),
        (f"+ {finished:,} finished rows", finished, {"status": "'Complete'"}),
        (f"+ {deep:,} queued rows", deep, {}),
        (f"+ {deep:,} rows that wait", deep, {"dependant_on": "array[gen_random_uuid()]"}),
    ):
        _fill(supabase_server, count, **columns)
        took = _claims_ms(store, bench.pick(60, 10))
        bench.add("a claim, PostgREST", "ms", took, size=size)


def _claims_ms(store: SupabaseStore, times: int) -> list[float]:
    took = []
    for _ in range(times):
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
        took.append((time.perf_counter() - began) * 1e3)
        if claim is not None:
            store.release(claim.token, reason="again", give_back=True)
    return took
