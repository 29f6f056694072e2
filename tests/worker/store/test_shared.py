"""What is particular to the queue in a PostgreSQL: tokens, other applications, what SQL says."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from telemetry import cascade
from worker.errors import InvalidTask, QueueError, QueueForbidden, TaskNotFound
from worker.store.base import TaskStore
from worker.store.supabase import SupabaseStore, migrations
from worker.store.supabase.connection import Access
from worker.task import Failure, NewTask, TaskStatus

from .shared_queue import SharedQueue

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase
    from tests.worker.store.conftest import Queue

STORES = ("supabase",)
TEXTS = ("'; drop table tasks; --", "$$ $1 %s {}", "\u202e\u0007", "💥" * 50, "\\")
OTHERS_TRACE = "00-" + "5c" * 16 + "-" + "6d" * 8 + "-01"


@pytest.fixture
def database(shared_queue: SharedQueue) -> psycopg.Connection[Any]:
    """The database as its owner has it."""
    return shared_queue.connection


def _insert(database: psycopg.Connection[Any], **columns: Any) -> UUID:
    """Insert a row as an application does."""
    columns = {"id": uuid4(), "task_type": "travel_segment", "params": Jsonb({}), **columns}
    names, marks = ", ".join(columns), ", ".join(f"%({name})s" for name in columns)
    database.execute(f"insert into public.tasks ({names}) values ({marks})", columns)  # noqa: S608 - names of the tests
    found: UUID = columns["id"]
    return found


def _open(server: "Supabase", role: str, token: str = "") -> SupabaseStore:
    url = server.rest_url
    return SupabaseStore(Access(url=url, rest_url=url, key=server.key(role), worker_token=token))


def test_it_keeps_the_stores_promise(queue: "Queue") -> None:
    """A SupabaseStore is a TaskStore, to the type checker and here."""
    store: TaskStore = queue.store
    assert (store.queue, store.system) == ("tasks", "postgresql")


@pytest.mark.parametrize("reason", ["changed my mind", ""])
def test_a_cascades_sentence_is_the_one_that_others_follow(queue: "Queue", reason: str) -> None:
    """The database writes what `telemetry.cascade` writes and reads."""
    orchestrator, [child] = queue.journey(1, stitch=False)
    queue.store.cancel(child, reason=reason)
    task = queue.store.get(orchestrator)
    assert task.error_message == cascade.sentence("Cancelled", str(child), reason)
    assert cascade.root_of({}, task.error_message) == str(child)


def test_a_failures_sentence_is_too(queue: "Queue", failure: Failure) -> None:
    """Likewise."""
    orchestrator, [child] = queue.journey(1, stitch=False)
    queue.store.fail(queue.claim().token, failure)
    assert queue.store.get(orchestrator).error_message == cascade.sentence(
        "Failed", str(child), failure.sentence
    )


def test_the_queue_tells_its_version_and_who_calls(queue: "Queue") -> None:
    """To an operator."""
    assert isinstance(queue.store, SupabaseStore)
    facts = queue.store.facts()
    assert (facts["schema_version"], facts["operator"]) == (migrations.newest(), True)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("token", ["", "unknown", "x" * 4000, "' or true --"], ids=repr)
def test_a_worker_without_a_good_token_is_refused(supabase_server: "Supabase", token: str) -> None:
    """And told the way out."""
    store = _open(supabase_server, "anon", token)
    with pytest.raises(QueueForbidden, match="worker-token create"):
        store.sweep(max_deaths=3)
    store.close()


def test_a_workers_token_reads_what_it_has_claimed(
    queue: "Queue", supabase_server: "Supabase"
) -> None:
    """And no other task."""
    store = _open(supabase_server, "anon", "of-the-tests")
    task_id = queue.insert()
    queue.run()
    with pytest.raises(TaskNotFound):
        store.get(task_id)
    assert store.events(task_id) == []
    store.close()


def test_a_workers_token_inserts_nothing(queue: "Queue", supabase_server: "Supabase") -> None:
    """Nor cancels; the answer is no, whatever is asked."""
    store = _open(supabase_server, "anon", "of-the-tests")
    with pytest.raises(QueueForbidden):
        store.insert([NewTask(task_type="t2v", params={})])
    with pytest.raises(QueueForbidden):
        store.cancel(queue.insert())
    store.close()


@pytest.mark.parametrize("change", ["update {} set name = 'x'", "delete from {}"])
def test_history_cannot_be_rewritten(
    queue: "Queue", database: psycopg.Connection[Any], change: str
) -> None:
    """Events are append-only, whoever tries."""
    queue.insert()
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        database.execute(change.format("public.task_events"))


@pytest.mark.parametrize("status", ["Queued", "In Progress", "Failed", "Cancelled"])
def test_an_illegal_transition_is_refused_to_anybody(queue: "Queue", status: str) -> None:
    """Nothing follows Complete, whatever another application writes."""
    task_id = queue.insert()
    queue.run()
    with pytest.raises(psycopg.Error, match="cannot become"):
        queue.write(task_id, status=status)


def test_a_waiting_task_cannot_be_complete_at_once(queue: "Queue") -> None:
    """Queued → Complete is no transition."""
    with pytest.raises(psycopg.Error, match="cannot become"):
        queue.write(queue.insert(), status="Complete")


def test_another_applications_segment_is_a_child(
    queue: "Queue", database: psycopg.Connection[Any]
) -> None:
    """A row inserted by SQL alone has its parent, its model, its dependants and its history."""
    orchestrator, [first] = queue.journey(1, stitch=False)
    child = _insert(
        database,
        params=Jsonb({"orchestrator_task_id_ref": str(orchestrator), "model_name": "wan-a"}),
        dependant_on=[first],
    )
    assert queue.store.get(child).parent_id == orchestrator
    assert queue.names(child) == ["inserted"]
    queue.store.cancel(first)
    assert queue.status(child) is TaskStatus.CANCELLED


def test_another_applications_late_child_is_refused(
    queue: "Queue", database: psycopg.Connection[Any]
) -> None:
    """A journey that has ended takes no children by SQL either."""
    orchestrator = queue.insert("travel_orchestrator")
    queue.store.cancel(orchestrator)
    with pytest.raises(psycopg.Error, match="journey is over"):
        _insert(database, params=Jsonb({"orchestrator_task_id_ref": str(orchestrator)}))


def test_a_row_inserted_through_the_api_keeps_the_trace_of_its_request(queue: "Queue") -> None:
    """An application that sends a `traceparent` need not know of the column."""
    store = queue.store
    assert isinstance(store, SupabaseStore)
    table = store._connection.client.table("tasks")
    row = {"id": str(uuid4()), "task_type": "t2v", "params": {}}
    table.headers["traceparent"] = OTHERS_TRACE
    table.insert(row).execute()
    assert queue.claim().task.process_context == OTHERS_TRACE[:36] + "b2" * 8 + "-01"


def test_a_deleted_task_fences_its_worker(
    queue: "Queue", database: psycopg.Connection[Any]
) -> None:
    """Another application has deleted the row under it."""
    queue.insert()
    claim = queue.claim()
    database.execute("delete from public.tasks")
    with pytest.raises(Exception, match="deleted by another application"):
        queue.complete(claim)


@pytest.fixture(params=TEXTS, ids=ascii)
def text(request: pytest.FixtureRequest) -> str:
    """Give a text that something may take for more than a text."""
    found: str = request.param
    return found


def test_text_is_text(queue: "Queue", text: str) -> None:
    """In what is told of a task until it ends."""
    task_id = queue.insert(params={text: text}, idempotency_key=text, trace_context=text)
    claim = queue.claim(worker_id=text, loaded_model=text)
    queue.store.extend(claim.token, lease_s=60, progress={"stage": text})
    queue.store.release(claim.token, reason=text, give_back=True)
    queue.store.cancel(task_id, reason=text)
    task = queue.store.get(task_id)
    assert (task.params, task.idempotency_key, task.error_message) == ({text: text}, text, text)


def test_text_is_text_in_what_a_task_ends_with(queue: "Queue", text: str) -> None:
    """In its output and in its failure, and in what its family is told of that."""
    task_id = queue.insert("i2v")
    claim = queue.claim(task_types=["i2v"])
    queue.store.complete(claim.token, output_location=text, result={text: text})
    done = queue.store.get(task_id)
    assert (done.output_location, done.result_data) == (text, {text: text})
    orchestrator, [child] = queue.journey(1, stitch=False)
    told = Failure(kind=text, type=text, message=text, sentence=text, file=text, fingerprint=text)
    queue.store.fail(queue.claim().token, told)
    assert queue.store.get(child).error_message == text
    assert queue.store.get(orchestrator).error_message == cascade.sentence(
        "Failed", str(child), text
    )
    assert [found.task_id for found in queue.store.failures(fingerprint=text)] == [child]


def test_text_is_text_in_what_is_asked_for(queue: "Queue", text: str) -> None:
    """It is found as it is, or not at all."""
    queue.insert(idempotency_key="of another")
    key_id = queue.insert(idempotency_key=text)
    found = queue.store.of_key(text)
    assert found is not None
    assert found.id == key_id
    assert queue.store.find(text) == []
    assert queue.store.last_complete(text, text) is None
    assert not queue.store.has_open([text])
    assert [depth.ready for depth in queue.store.depths([text])] == [0]


def test_text_is_text_in_what_a_worker_says(
    database: psycopg.Connection[Any], queue: "Queue", text: str
) -> None:
    """Of itself."""
    queue.store.record_worker(text, status=text, current_model=text, metadata={text: text})
    query = "select id, status, current_model, metadata from public.workers"
    assert database.execute(query).fetchone() == (text, text, text, {text: text})


def test_a_nul_character_is_refused_in_params_and_replaced_elsewhere(queue: "Queue") -> None:
    """PostgreSQL keeps none: what is to be exact is refused, what must not fail is mended."""
    with pytest.raises(InvalidTask, match="NUL"):
        queue.insert(params={"prompt": "a\x00b"})
    task_id = queue.insert()
    queue.store.cancel(task_id, reason="a\x00b")
    assert queue.store.get(task_id).error_message == "a\N{REPLACEMENT CHARACTER}b"


def test_what_python_cannot_read_stands_in_nobodys_way(queue: "Queue") -> None:
    """A row of another application's, nested beyond measure, is listed beside the others."""
    bad, good = queue.insert(), queue.insert()
    queue.write(bad, progress='{"a":' * 3000 + "1" + "}" * 3000, params='{"n": ' + "9" * 5000 + "}")
    found = {task.id: task for task in queue.store.list_tasks()}
    assert found.keys() == {bad, good}
    assert found[bad].params == {"n": None}


def test_text_that_cannot_be_sent_is_an_error_of_the_queues(queue: "Queue") -> None:
    """No Unicode; nothing was sent."""
    with pytest.raises(QueueError, match="cannot be asked that"):
        queue.insert(idempotency_key="\ud800")


def test_each_function_is_in_a_file_of_its_name() -> None:
    """One a file, named for it."""
    for name, text in migrations.known()[0].functions.items():
        assert re.findall(r"create or replace function (?:loop26|public)\.(\w+)", text) == [name]


def test_no_function_is_without_a_fixed_search_path(database: psycopg.Connection[Any]) -> None:
    """Nobody can put a function of their own before one of PostgreSQL's."""
    found = database.execute(
        "select proname from pg_proc where (pronamespace = 'loop26'::regnamespace or "
        "(pronamespace = 'public'::regnamespace and proname like 'loop26%')) and not coalesce("
        "'search_path=pg_catalog, pg_temp' = any (proconfig), false)"
    ).fetchall()
    assert found == []


def test_a_row_in_nobodys_hands_is_swept(database: psycopg.Connection[Any], queue: "Queue") -> None:
    """Another application has given it a lease, and no token: it is a death as any other."""
    task_id = _insert(database, status="In Progress", lease_expires_at="2020-01-01")
    queue.store.sweep(max_deaths=3)
    assert queue.status(task_id) is TaskStatus.QUEUED
    assert queue.names(task_id).count("worker_lost") == 1


def test_a_late_dependant_of_what_failed_is_refused_to_anybody(
    database: psycopg.Connection[Any], queue: "Queue"
) -> None:
    """It would wait without end."""
    failed = queue.insert()
    queue.store.cancel(failed)
    with pytest.raises(psycopg.Error, match="never be Complete"):
        _insert(database, dependant_on=[failed])


def test_one_that_arrives_complete_is_not_waited_for(
    supabase_server: "Supabase", database: psycopg.Connection[Any], queue: "Queue"
) -> None:
    """Whoever of the two is second sees the first, though neither was committed when it began."""
    needed = uuid4()
    with supabase_server.connect(autocommit=False) as other, ThreadPoolExecutor(1) as pool:
        other.execute(
            "insert into public.tasks (id, task_type, status) values (%s, 't2v', 'Complete')",
            (needed,),
        )
        waiting = pool.submit(_insert, database, task_type="i2v", dependant_on=[needed])
        other.execute("select pg_sleep(0.3)")
        assert not waiting.done()
        other.commit()
        task_id = waiting.result(20)
    assert queue.claim(task_types=["i2v"]).task.id == task_id


def test_an_insertion_that_is_repeated_while_it_is_at_work_waits_for_it(
    supabase_server: "Supabase", queue: "Queue"
) -> None:
    """Its answer was lost on the way, or came too late."""
    task, request = NewTask(task_type="t2v", params={}), uuid4()
    given = Jsonb([{"id": str(task.id), "task_type": "t2v", "params": {}, "dependant_on": []}])
    call = "select public.loop26_insert_tasks(%s, %s)"
    with (
        supabase_server.connect(autocommit=False) as first,
        supabase_server.connect() as second,
        ThreadPoolExecutor(1) as pool,
    ):
        first.execute(call, (given, request))
        again = pool.submit(lambda: second.execute(call, (given, request)).fetchone())
        first.execute("select pg_sleep(0.3)")
        assert not again.done()
        first.commit()
        assert again.result(20) == ([task.id],)
    assert queue.names(task.id) == ["inserted"]


def test_another_projects_journey_takes_no_child(
    database: psycopg.Connection[Any], queue: "Queue"
) -> None:
    """Its failure would take the journey with it; one that names no project is taken as before."""
    orchestrator = queue.insert("travel_orchestrator", project_id=uuid4())
    params = Jsonb({"orchestrator_task_id_ref": str(orchestrator)})
    with pytest.raises(psycopg.Error, match="of another project"):
        _insert(database, params=params, project_id=uuid4())
    assert queue.store.get(_insert(database, params=params)).parent_id == orchestrator


def test_a_sweep_finds_all_that_expired(queue: "Queue") -> None:
    """However many a transaction takes at once."""
    queue.store.insert([NewTask(task_type="t2v", params={}) for _ in range(60)])
    for _ in range(60):
        queue.claim()
    queue.advance(61)
    assert len(queue.store.sweep(max_deaths=3)) == 60
