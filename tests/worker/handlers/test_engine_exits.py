"""An engine that would end the process fails its task, by the line that wanted to."""

import inspect
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry import Recorder
from telemetry.journal import JournalReader
from telemetry.records import Status
from telemetry.spans import Folder
from worker.messages import Channel, Configure, Finished, TroubleTeller, outcome_of
from worker.output.storage import LocalStorage
from worker.process import TaskProcess
from worker.task import Done, Failed, Outcome

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

Do = Callable[[Callable[..., object]], Outcome]


def leaves(*_: object) -> None:
    """End the process, as a command line does that dislikes its arguments."""
    sys.exit(0)


def leaves_with_a_word(*_: object) -> None:
    """End the process, and say why."""
    sys.exit("no such preset")


def is_interrupted(*_: object) -> None:
    """Raise what Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Give a recorder in force."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    yield recorder
    recorder.close()


@pytest.fixture
def configure(bench: "Bench", tmp_path: Path) -> Configure:
    """Say what a task process is told first."""
    return Configure(
        supervisor_pid=0,
        worker_id="w",
        spool=str(tmp_path / "spool"),
        outputs=str(tmp_path / "outputs"),
        models=str(tmp_path / "models"),
        definition_dirs=[],
        engine="fade",
        engine_options={},
        inputs=bench.policy,
        rotate_bytes=1 << 20,
        record_prompts=False,
        video_crf=18,
        unknown_params="pass",
        refuse_blank_output=False,
    )


@pytest.fixture
def do(
    bench: "Bench",
    recorder: Recorder,
    configure: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Do]:
    """Return a function that runs a task in a task process whose engine does what is given."""
    ours, theirs = socket.socketpair()
    told, channel = Channel.of_supervisor(ours), Channel.of_task_process(theirs)
    process = TaskProcess(
        configure=configure,
        channel=TroubleTeller(channel, recorder),
        engine=bench.engine,
        recorder=recorder,
        storage=LocalStorage(tmp_path / "outputs"),
        leaves_stacks=True,
    )

    def run(generates: Callable[..., object]) -> Outcome:
        monkeypatch.setattr(bench.engine, "generate", generates)
        params = {"model_name": "fade_t2v", "prompt": "a walk"}
        assert process.run(bench.context("t2v", params).claim) is None
        return outcome_of(next(said for said in told if isinstance(said, Finished)))

    yield run
    told.close()
    channel.close()


@pytest.mark.parametrize(
    ("generates", "type_", "message"),
    [
        (leaves, "SystemExit", "0"),
        (leaves_with_a_word, "SystemExit", "no such preset"),
        (is_interrupted, "KeyboardInterrupt", ""),
    ],
)
def test_its_task_fails_by_the_line_that_would_end_it(
    do: Do, generates: Callable[..., object], type_: str, message: str
) -> None:
    """And is not tried again."""
    outcome = do(generates)
    assert isinstance(outcome, Failed)
    failure = outcome.failure
    assert (failure.type, failure.message) == (type_, message)
    assert (failure.file, failure.function) == (__file__, generates.__name__)
    assert failure.line == inspect.getsourcelines(generates)[1] + 2
    assert failure.stage == "generate"
    assert failure.sentence.startswith(f"{type_}: {message}" if message else f"{type_} (")
    assert not failure.retryable


def test_the_process_goes_on_with_the_next_task(bench: "Bench", do: Do) -> None:
    """It was the engine that would end, and not the worker."""
    generates = bench.engine.generate
    do(leaves)
    assert isinstance(do(generates), Done)


def test_the_spans_that_it_left_are_ended_as_failed(do: Do, recorder: Recorder) -> None:
    """Nothing stays open in the trace."""
    do(leaves)
    folder = Folder()
    records = JournalReader(recorder.writer.directory).read()
    spans = {span.name: span for record in records for span in folder.feed(record)}
    assert spans["stage generate"].status == Status.ERROR
    assert spans["stage generate"].description == "SystemExit: 0"


FAILS = """
import sys
from pathlib import Path
from uuid import uuid4

import worker.handlers.generation, worker.video.copying
from telemetry import Recorder
from worker.handlers.registry import handler_for
from worker.process import told
from worker.task import TASK_TYPES

for task_type in TASK_TYPES:
    handler_for(task_type)
recorder = Recorder.open(Path(sys.argv[1]), role="task")
exc = RuntimeError("CUDA error: unspecified launch failure")
told(uuid4(), exc, recorder.error(exc), blocking_rerun=True, calls_wait=False)
recorder.close()
print([name for name in ("pydantic", "pydantic_settings", "torch") if name in sys.modules])
"""


def test_a_task_process_that_tells_of_a_failure_needs_no_pydantic(tmp_path: Path) -> None:
    """The interpreter of another engine may have none, or another than ours."""
    command = [sys.executable, "-c", FAILS, str(tmp_path / "spool")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
