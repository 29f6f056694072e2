"""The task done again: in a fresh process, in a folder of its own, offline."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from telemetry import death
from telemetry.errors import JournalBusy, JournalTooNew
from telemetry.records import Error
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.fault import failure
from telemetry.reports.findings import FailureFound
from telemetry.reports.trace import read_trace
from worker.messages import Configure, Progress
from worker.replay import order as orders
from worker.replay.claims import NothingToReplay
from worker.replay.fresh import FreshProcess
from worker.replay.order import Defaults, Order
from worker.replay.snapshot import Snapshot
from worker.replay.watch import Limits, Ran, follow
from worker.settings.environment import BLOCKING, calls_wait
from worker.store.contexts import span_id_of
from worker.supervisor.child import TaskProgram, is_refusal
from worker.task import Claim, Failed, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How tasks are replayed.

    Attributes:
        home: The home, under which the replay has its folder and keeps what it has shown.
        configure: As the task process of a worker of this home is configured.
        program: How the fresh process is started.
        limits: How long that may be silent.
        blocking: Whether CUDA's calls are made to wait, so that their errors show at their line.
        stop: Whether to stop in the debugger where the task fails.
        keep: Whether the replay's folder is kept.
    """

    home: Path
    configure: Configure
    program: TaskProgram
    limits: Limits
    blocking: bool = False
    stop: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What became of a task that was done again.

    Attributes:
        ran: The process.
        attempt: What was recorded of it; None where the task did not begin.
        failure: What it failed with; None where it did not.
        problem: Why it could not be done here, or "".
    """

    ran: Ran
    attempt: Attempt | None
    failure: FailureFound | None
    problem: str


def do_again(
    claim: Claim,
    setup: Setup,
    folder: Path,
    *,
    engine: str,
    snapshot: Snapshot | None,
    show: Callable[[Progress], None],
) -> Again:
    """Do a task again, and read what was recorded of it.

    Args:
        claim: The task.
        setup: How.
        folder: The replay's own, for everything that is written.
        engine: Of this name; "" leaves it to the settings.
        snapshot: The defaults that the engine is to answer with, where they could be restored.
        show: Is told how far it is.

    Raises `NothingToReplay` for a task that no process can be told of.
    """
    environment = {**setup.program.environment, **({BLOCKING: "1"} if setup.blocking else {})}
    configure = msgspec.structs.replace(
        _configured(setup.configure, folder, engine), calls_wait=calls_wait(environment)
    )
    order = Order(
        configure=configure,
        claim=claim,
        defaults=_defaults(snapshot),
        stop=setup.stop,
    )
    path = folder / "order.json"
    try:
        orders.write(order, path)
    except (ValueError, RecursionError) as error:  # text that is no Unicode; nested without end
        raise NothingToReplay(
            f"no process can be told what task {claim.task.id} is to do: {error}"
        ) from error
    program = replace(setup.program, environment=environment)
    with FreshProcess(path, folder, program=program, foreground=setup.stop) as process:
        ran = follow(process, claim.token, setup.limits, show)
    return _read(ran, claim, Path(order.configure.spool))


def _configured(configure: Configure, folder: Path, engine: str) -> Configure:
    """Have everything that is written lie in a folder, and nothing come from a network."""
    return msgspec.structs.replace(
        configure,
        spool=str(folder / "spool"),
        outputs=str(folder / "outputs"),
        engine=engine or configure.engine,
        engine_options=_offline(configure.engine_options, folder),
        inputs=replace(configure.inputs, offline=True),
    )


def _offline(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Have an engine fetch nothing, write where all is written, and be watched, where it can."""
    ours = {"local_files_only": True, "outputs": str(folder / "engine"), "watch": True}
    return {**options, **{name: value for name, value in ours.items() if name in options}}


def _defaults(snapshot: Snapshot | None) -> Defaults | None:
    if snapshot is None or snapshot.values is None:
        return None
    return Defaults(model=snapshot.model, values=list(snapshot.values.items()))


def _read(ran: Ran, claim: Claim, spool: Path) -> Again:
    """Close the journal where its process could not, then read it."""
    died, outcome, task = _bury(ran), ran.outcome, claim.task
    row = TaskRow(
        id=str(task.id),
        type=task.task_type,
        status="",
        attempt=task.attempts,
        span_id=span_id_of(task.process_context) or "",
        error=asdict(outcome.failure) if isinstance(outcome, Failed | Retry) else {},
    )
    model = read_trace(spool, row.id)
    attempt = None if model is None else Attempt(model, row)
    told = attempt.error if attempt and row.error else None
    return Again(
        ran=ran,
        attempt=attempt,
        failure=failure(died or told, row),
        problem=ran.problem or _stillborn(ran),
    )


def _bury(ran: Ran) -> Error | None:
    """Write down the end of a process that died at its task; return its error."""
    if ran.end is None or ran.journal is None or ran.device is None:
        return None
    closing = death.Closing(ran.journal, ran.end, last_words=ran.last_words)
    # Where it cannot be written the error is known all the same, and nobody keeps this journal.
    with suppress(JournalBusy, JournalTooNew, OSError):
        closing.write()
    return closing.error


def _stillborn(ran: Ran) -> str:
    """Say of a process that ended before it was ready how it did."""
    if ran.end is None or ran.device is not None:
        return ""
    if is_refusal(ran.end.exit_code, ran.journal) and ran.last_words:
        return f"the fresh process cannot start: {ran.last_words[-1]}"
    words = f"; its last words: {ran.last_words[-1]}" if ran.last_words else ""
    return f"the fresh process did not get ready: {ran.end.message}{words}"
