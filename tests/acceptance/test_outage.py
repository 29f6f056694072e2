"""A worker whose shared queue is away, or refuses it: what it does, what it says, how it ends."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from telemetry.names import DENOISE_STEP
from telemetry.testing import OtlpReceiver, ReceivedSpan
from tests.acceptance.home import PATIENCE_S, Home, Worker, a_slow_task, home_at, wait_for
from tests.acceptance.injection import STAGES, inject, place_of
from tests.servers.proxy import REFUSED, SILENT, UnreliableProxy
from worker.store.base import ClaimRequest
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access
from worker.task import NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

LEASE_S = 8.0  # long enough for a busy machine not to lose one by itself
HURRIED = (
    *("--set", f"lease_s={LEASE_S:g}", "--set", "heartbeat_s=1"),
    *("--set", "cancel_check_s=0.2", "--set", "poll_s=0.2"),
)
STEPS = 900  # some seconds
AWAY = "the queue cannot be reached"
BACK = "the queue can be reached again"
CANCEL_WHAT_IS_LEFT = "update public.tasks set status = 'Cancelled' where status = 'Queued'"
LEASE_IS_OVER = "select lease_expires_at < now() from public.tasks where id = %s"


@dataclass(slots=True, kw_only=True)
class Site:
    """A home whose workers reach a shared queue through a proxy, and an operator who needs none."""

    server: "Supabase"
    proxy: UnreliableProxy
    home: Home
    operator: SupabaseStore
    token_name: str

    def insert(self, steps: int) -> UUID:
        """Insert a generation."""
        made = a_slow_task(steps)
        return self.operator.insert([NewTask(task_type="t2v", params=made["params"])])[0]

    def busy_worker(self, task_id: UUID, *options: str) -> Worker:
        """Start a worker, and wait until it generates."""
        worker = self.home.worker(*HURRIED, *options, until_idle=False)
        worker.wait_for("progress", task_id=str(task_id), stage="generate", step=2)
        return worker

    def outlast_the_lease(self, task_id: UUID) -> None:
        """Wait until the lease of a task has run out by the database's clock."""
        with self.server.connect() as connection:
            wait_for(
                lambda: connection.execute(LEASE_IS_OVER, (task_id,)).fetchone() == (True,),
                "end of the lease",
                30,
            )

    def told(self, task_id: UUID) -> list[str]:
        """Return the names of a task's events."""
        return [event.name for event in self.operator.events(task_id)]

    def published(self, task_id: UUID) -> list[str]:
        """Return what the home has published of a task."""
        return sorted(path.name for path in (self.home.path / "outputs" / str(task_id)).glob("*"))


@pytest.fixture(scope="module")
def server() -> Iterator["Supabase"]:
    """Run a queue of this module's own: others set its clock."""
    from tests.servers.cache import Unavailable
    from tests.servers.supabase.server import Supabase

    try:
        made = Supabase()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with made:
        yield made


@pytest.fixture
def site(server: "Supabase", tmp_path: Path) -> Iterator[Site]:
    """Give an empty home before the queue, with a worker token of its own."""
    with ExitStack() as ends:
        proxy = ends.enter_context(UnreliableProxy(server.rest_url))
        home = ends.enter_context(home_at(tmp_path))
        url = server.rest_url
        access = Access(url=url, rest_url=url, key=server.key("service_role"))
        operator = ends.enter_context(closing(SupabaseStore(access)))
        name = f"of {uuid4()}"
        home.environment |= {
            "SUPABASE_URL": proxy.url,
            "LOOP26_SUPABASE_REST_URL": proxy.url,
            "SUPABASE_PUBLISHABLE_KEY": server.key("anon"),
            "LOOP26_WORKER_TOKEN": operator.tokens.create(name, expires_at=None),
        }
        yield Site(server=server, proxy=proxy, home=home, operator=operator, token_name=name)
        with server.connect() as connection:
            connection.execute(
                "update public.tasks set status = 'Cancelled' where status = 'Queued'"
            )


def notes(worker: Worker, text: str) -> list[dict[str, Any]]:
    """Return what a worker has noted that begins so."""
    return [line for line in worker.lines() if line.get("message", "").startswith(text)]


def noted(worker: Worker, text: str) -> dict[str, Any]:
    """Wait until a worker notes what begins so."""
    found: dict[str, Any] = wait_for(lambda: notes(worker, text), f"note {text!r}", 60)[0]
    return found


def test_a_task_that_outlasts_its_queue_is_settled(site: Site) -> None:
    """Away for longer than the lease, and nobody took the task: it is complete, once."""
    task_id = site.insert(STEPS)
    worker = site.busy_worker(task_id)
    site.proxy.away = REFUSED
    away_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    noted(worker, AWAY)
    site.outlast_the_lease(task_id)
    site.proxy.away = ""
    back_at = noted(worker, BACK)["time"]
    assert worker.wait_for("settled")["outcome"] == "Complete"
    task = site.operator.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.COMPLETE, 1, 0)
    assert site.told(task_id) == ["inserted", "claimed", "started", "completed"]
    assert "video.mp4" in site.published(task_id)
    # Meanwhile it went on, and wrote down what it did.
    meanwhile = [line for line in worker.lines() if away_at < line["time"] < back_at]
    assert [line for line in meanwhile if line["event"] == "progress"]
    assert (task.result_data or {})["record"]["complete"]
    assert worker.end() == 0
    assert (len(notes(worker, AWAY)), len(notes(worker, BACK))) == (1, 1)


def test_an_outage_of_the_queue_stops_no_telemetry(site: Site) -> None:
    """A backend hears of steps that began when the queue was away, while it still is."""
    with OtlpReceiver() as otlp:
        site.home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp.endpoint
        task_id = site.insert(STEPS)
        worker = site.busy_worker(task_id)
        site.proxy.away = REFUSED
        away_ns = time.time_ns()

        def since() -> list[ReceivedSpan]:
            return [one for one in otlp.spans if one.span.start_time_unix_nano > away_ns]

        otlp.wait_for(lambda: any(one.span.name == DENOISE_STEP for one in since()), PATIENCE_S)
        noted(worker, AWAY)
        assert site.operator.get(task_id).status is TaskStatus.IN_PROGRESS
        site.proxy.away = ""
        assert worker.wait_for("settled")["outcome"] == "Complete"
        otlp.wait_for(lambda: "process t2v" in otlp.names, PATIENCE_S)
        otlp.wait_for(lambda: otlp.names.count(DENOISE_STEP) == STEPS, PATIENCE_S)
        assert worker.end() == 0


def test_a_task_that_hangs_once_is_done_at_the_second_try(site: Site) -> None:
    """The watch ends its process, the policy has it tried again, and the queue tells of both."""
    task_id = site.insert(2)
    fault = inject(site.home, STAGES["generate"], "hang_without_the_gil")
    options = ("--set", "hang_after_s=generate=5", "--set", "retries=t2v.hang=2")
    worker = site.home.worker(*HURRIED, *options, until_idle=False)
    assert worker.wait_for("settled", outcome="Queued")["task_id"] == str(task_id)
    assert worker.wait_for("settled", outcome="Complete")["task_id"] == str(task_id)
    assert worker.end() == 0
    task = site.operator.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.COMPLETE, 2, 0)
    once = ["claimed", "started"]
    assert site.told(task_id) == ["inserted", *once, "retried", *once, "completed"]
    (retried,) = [one.data for one in site.operator.events(task_id) if one.name == "retried"]
    failure = retried["failure"]
    assert (failure["kind"], failure["stage"]) == ("hang", "generate")
    assert (failure["file"], failure["line"]) == place_of(fault)


def test_a_task_that_another_has_taken_meanwhile_is_fenced(site: Site) -> None:
    """Whoever took it has completed it; of the first there is nothing to be seen."""
    task_id = site.insert(STEPS)
    worker = site.busy_worker(task_id)
    site.proxy.away = REFUSED
    site.outlast_the_lease(task_id)
    assert [task.id for task in site.operator.sweep(max_deaths=3)] == [task_id]
    request = ClaimRequest(
        worker_id="another",
        token=uuid4(),
        task_types=("t2v",),
        lease_s=60,
        trace_id="a" * 32,
        span_id="b" * 16,
    )
    claim = site.operator.claim(request)
    assert claim is not None
    site.operator.complete(claim.token, output_location="/elsewhere.mp4", result={})
    site.proxy.away = ""
    assert worker.wait_for("settled")["outcome"] in {"superseded", "Complete"}
    assert worker.end() == 0
    assert site.operator.get(task_id).output_location == "/elsewhere.mp4"
    assert site.told(task_id).count("completed") == 1
    assert site.published(task_id) == []


def test_a_worker_that_must_stop_without_its_queue_stops_in_time(site: Site) -> None:
    """Its database hangs: exit 69 all the same; the next start gives the attempt back."""
    task_id = site.insert(1000)
    worker = site.busy_worker(task_id, "--set", "grace_s=0.2", "--set", "lease_s=60")
    site.proxy.away = SILENT
    began = time.monotonic()
    assert worker.end() == 69
    assert time.monotonic() - began < 30
    assert site.operator.get(task_id).status is TaskStatus.IN_PROGRESS
    site.proxy.away = ""
    following = site.home.worker("--set", "task_types=travel_stitch", until_idle=False)
    wait_for(lambda: site.told(task_id)[-1] == "released", "release", 60)
    task = site.operator.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)
    assert following.end() == 0


def test_a_worker_whose_token_is_revoked_ends(site: Site) -> None:
    """It says so, stops the task that it may no longer settle, and must not be started again."""
    task_id = site.insert(1000)
    worker = site.busy_worker(task_id)
    began = time.monotonic()
    site.operator.tokens.revoke(site.token_name)
    assert worker.process.wait(timeout=60) == 78
    assert time.monotonic() - began < 30
    assert len(notes(worker, "the task is given up: ")) == 1
    last = worker.lines()[-1]["event"]
    assert last.startswith("loop26: queue ")
    assert "was revoked at" in last
    assert "loop26 worker-token create" in last
    assert b"Traceback" not in worker.output()
    # The task falls to its lease.
    site.outlast_the_lease(task_id)
    assert [task.id for task in site.operator.sweep(max_deaths=3)] == [task_id]


@pytest.mark.parametrize("away", [REFUSED, SILENT])
def test_a_worker_that_never_reaches_its_queue_says_so(site: Site, away: str) -> None:
    """Exit 69, for whoever starts it again; one line."""
    site.proxy.away = away
    began = time.monotonic()
    done = site.home.run("run")
    assert time.monotonic() - began < 30
    assert done.returncode == 69, done
    assert done.stderr.startswith(f"loop26: queue {site.proxy.url} cannot be reached")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def unknown_token(site: Site) -> str:
    """Give the worker a token that nobody made."""
    site.home.environment["LOOP26_WORKER_TOKEN"] = "l26w_unknown"  # noqa: S105 - nobody's
    return "the worker token is unknown to this queue"


@pytest.fixture
def wrong_key(site: Site) -> str:
    """Give the worker a key of another project."""
    key = site.home.environment["SUPABASE_PUBLISHABLE_KEY"]
    site.home.environment["SUPABASE_PUBLISHABLE_KEY"] = f"{key[:-8]}AAAAAAAA"
    return "PGRST301"


@pytest.fixture
def no_schema(site: Site, tmp_path: Path) -> Iterator[str]:
    """Lead the worker to an empty database."""
    from tests.servers.supabase.postgrest import PostgREST

    site.server.create_database("empty")
    address = site.server.postgresql.url("empty", role="authenticator")
    with PostgREST(address, site.server.secret, tmp_path / "rest.log") as rest:
        site.proxy.upstream = rest.url
        yield "run `loop26 migrate`"


@pytest.fixture
def newer_schema(site: Site) -> Iterator[str]:
    """Let the database be of a later loop26."""
    with site.server.connect() as connection:
        connection.execute("update loop26.migrations set version = version + 1")
        yield "install a newer loop26 here"
        connection.execute("update loop26.migrations set version = version - 1")


@pytest.mark.parametrize("why", ["unknown_token", "wrong_key", "no_schema", "newer_schema"])
def test_a_worker_that_its_queue_refuses_says_why(
    site: Site, why: str, request: pytest.FixtureRequest
) -> None:
    """At once, in one line, with the way out; exit 78."""
    said = request.getfixturevalue(why)
    done = site.home.run("run")
    assert done.returncode == 78, done
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_an_idle_worker_stops_while_its_queue_hangs(site: Site) -> None:
    """SIGTERM: it has nothing in hand, so that is a drain."""
    worker = site.home.worker("--set", "poll_s=0.1", until_idle=False)
    worker.wait_for("ready")
    site.proxy.away = SILENT
    wait_for(lambda: site.proxy.met[SILENT], "call that hangs", 30)
    began = time.monotonic()
    assert worker.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 20
