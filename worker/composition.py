"""Composition: builds a supervisor out of the settings, and runs it."""

import os
import queue
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

from telemetry.recorder import Recorder
from telemetry.shipper import Counters, OtlpTarget, Quota, Retention, SentryTarget, Shipper
from worker.blackboxes import BlackBoxes
from worker.console import Console
from worker.messages import Configure, telemetry_trouble
from worker.output.storage import Storage
from worker.queue import open_as_worker
from worker.settings import Settings
from worker.settings.limits import MEGA, input_policy
from worker.settings.linking import links_to
from worker.settings.storing import open_storage
from worker.store.base import TaskStore
from worker.supervisor.claiming import Claimer
from worker.supervisor.hand import Hand
from worker.supervisor.hands import Hands
from worker.supervisor.health import HealthFile
from worker.supervisor.journals import recording, recording_aside
from worker.supervisor.keeper import Keeper
from worker.supervisor.lease import LeaseKeeper, renew_all
from worker.supervisor.lifeline import Lifeline
from worker.supervisor.metering import Metering
from worker.supervisor.parts import Habits, LeaseLost, Parts, SupervisorEvent
from worker.supervisor.postmortem import Postmortems
from worker.supervisor.presence import Presence
from worker.supervisor.recovery import recover
from worker.supervisor.retries import RetryPolicy
from worker.supervisor.settling import Settler
from worker.supervisor.signals import stop_signals
from worker.supervisor.stall import Stall
from worker.supervisor.supervisor import Supervisor
from worker.supervisor.upload import Uploaded
from worker.task_program import engine_options, ffmpeg_for, own_code, task_program

SHIP_AT_EXIT_S = 2.0  # what is left is shipped at the next start; the whole end takes under 5 s


def run(
    settings: Settings,
    *,
    until_idle: bool,
    console: Console,
    engine: str = "",
    shipper: Shipper | None = None,
) -> int:
    """Run a worker until it is drained, or idle if so asked; return the exit code.

    The home must be there: see `worker.settings.home`. Must be called from the main thread.

    Args:
        settings: All of them.
        until_idle: Whether to end when nothing is left to do.
        console: Is told what happens.
        engine: What the task process gets in place of the settings' engine, where it is not "".
        shipper: Of `make_shipper`, for a caller who wants to know what it has done; it is stopped.
    """
    inbox: queue.SimpleQueue[SupervisorEvent] = queue.SimpleQueue()
    worker_id = new_worker_id(settings.worker_name)
    shipper = shipper or make_shipper(settings)
    metering = Metering(shipper, _otlp_target(settings), every_s=settings.metrics_every_s)
    configured = configure(settings, worker_id, engine)
    program = task_program(
        settings, configured.engine, tell=lambda said: console.note("info", said)
    )
    with (
        stop_signals(inbox.put),
        closing(console),
        metering,
        _shipping(shipper),
        recording(settings, worker_id) as recorder,
        closing(open_as_worker(settings)) as store,
        closing(open_storage(settings)) as storage,
        recording_aside(settings, worker_id, needed=storage.is_remote) as aside,
        BlackBoxes(settings, lambda: open_as_worker(settings), storage=storage) as boxes,
    ):
        recorders = [recorder, *aside]
        settlers = [_settler(settings, store, storage, one) for one in recorders]
        keeper = Keeper(
            configured,
            inbox,  # type: ignore[arg-type]  # a queue of more than the keeper puts in
            start_timeout_s=settings.child_start_timeout_s,
            program=program,
        )
        worker = _Worker(settings, keeper, settlers, console, inbox, shipper, boxes, metering)
        worker.prepare()
        code = worker.run(until_idle=until_idle)
        for one in recorders:
            one.close(exit_code=code)
    return code


def new_worker_id(name: str) -> str:
    """Make the id of one run of a worker: a restarted worker is a new worker."""
    return f"{name}-{datetime.now(UTC):%Y%m%d_%H%M%S}-{uuid4().hex[:8]}"


def release_of(settings: Settings) -> str:
    """Name the release that runs here, as failures and Sentry are told it."""
    return settings.sentry_release or f"loop26@{version('loop26')}"


def make_shipper(settings: Settings) -> Shipper:
    """Make the shipper of a home's journals."""
    otlp, sentry = _otlp_target(settings), None
    if settings.sentry_dsn:
        sentry = SentryTarget(
            dsn=settings.sentry_dsn.get_secret_value(),
            environment=settings.sentry_environment,
            release=release_of(settings),
            quota=Quota(
                of_one=settings.sentry_events_of_one_failure,
                in_all=settings.sentry_events_per_minute,
            ),
            links=links_to(settings),
        )
    retention = Retention(
        keep_bytes=int(settings.spool_keep_mb * MEGA),
        keep_age_s=settings.spool_keep_days * 86_400,
    )
    return Shipper(settings.spool_dir, otlp=otlp, sentry=sentry, retention=retention)


def _otlp_target(settings: Settings) -> OtlpTarget | None:
    if not settings.otlp_endpoint:
        return None
    return OtlpTarget(endpoint=settings.otlp_endpoint, headers=settings.otlp_headers_map)


@contextmanager
def _shipping(shipper: Shipper) -> Iterator[None]:
    try:
        yield
    finally:
        shipper.stop(SHIP_AT_EXIT_S)


def _settler(settings: Settings, store: TaskStore, storage: Storage, recorder: Recorder) -> Settler:
    return Settler(
        store=store,
        storage=storage,
        recorder=recorder,
        lease_s=settings.lease_s,
        retries=RetryPolicy.of(settings),
        version=release_of(settings),
        links=links_to(settings),
    )


class _Worker:
    """The parts of one worker, put together; it has a hand for each settler."""

    def __init__(
        self,
        settings: Settings,
        keeper: Keeper,
        settlers: Sequence[Settler],
        console: Console,
        inbox: "queue.SimpleQueue[SupervisorEvent]",
        shipper: Shipper,
        boxes: BlackBoxes,
        metering: Metering,
    ) -> None:
        self._boxes = boxes
        self._metering = metering
        self._settings = settings
        self._settlers = settlers
        self._settler = settler = settlers[0]
        self._store = settler.store
        self._recorder = settler.recorder
        self._console = console
        self._inbox = inbox
        self._shipper = shipper
        self._keeper = keeper
        self._worker_id = keeper.configure.worker_id
        self._postmortems = Postmortems()

    def prepare(self) -> None:
        """Settle what a dead supervisor left, then let its journals be shipped."""
        for warning in (*self._store.check(), *self._settler.storage.check()):
            self._console.note("warning", warning)
        recovered = recover(
            self._settings.spool_dir,
            self._settler,
            self._postmortems,
            on_failed=self._boxes.keep,
        )
        if recovered:
            self._console.note(
                "warning", "tasks of a worker that died are settled", tasks=recovered
            )
        self._settler.storage.sweep_stale()
        self._metering.begin(self._recorder.writer.facts)
        self._shipper.start()
        self._shipper.adopt()

    def run(self, *, until_idle: bool) -> int:
        """Run the supervisor with its threads; return its exit code."""
        settings = self._settings
        leases = [self._lease() for _ in self._settlers]
        recorders = [settler.recorder for settler in self._settlers]
        presence = Presence(
            self._store,
            HealthFile(self._recorder.writer.directory),
            self._worker_id,
            own=lambda: telemetry_trouble(*recorders),
            shipped=self._shipped,
        )
        lifeline = Lifeline(
            self._store,
            self._recorder,
            every_s=settings.lease_s / 4,
            retries=self._settler.retries,
            before=lambda: renew_all(leases),
            chores=(presence.record,),
        )
        habits = Habits(
            poll_s=settings.poll_s,
            grace_s=settings.grace_s,
            recycle_after_tasks=settings.recycle_after_tasks,
            until_idle=until_idle,
        )
        hands = [
            self._hand(settler, lease, presence)
            for settler, lease in zip(self._settlers, leases, strict=True)
        ]
        supervisor = Supervisor(self._parts(Hands(*hands), presence), habits)
        showing = self._metering.show(presence, self._store, settings.task_types, self._unclosed)
        with ExitStack() as threads:
            for duty in (*leases, lifeline):
                threads.enter_context(duty)
            threads.enter_context(showing)
            return supervisor.run()

    def _lease(self) -> LeaseKeeper:
        settings = self._settings
        return LeaseKeeper(
            self._store,
            lease_s=settings.lease_s,
            heartbeat_s=settings.heartbeat_s,
            check_s=settings.cancel_check_s,
            on_lost=lambda token, reason: self._inbox.put(LeaseLost(token=token, reason=reason)),
        )

    def _hand(self, settler: Settler, lease: LeaseKeeper, presence: Presence) -> Hand:
        return Hand(
            settler,
            lease,
            self._console,
            presence,
            on_failed=self._boxes.keep,
            on_uploaded=lambda: self._inbox.put(Uploaded()),
        )

    def _unclosed(self) -> int:
        return len(self._postmortems.unclosed)

    def _shipped(self) -> Counters:
        counters = self._shipper.counters
        return replace(counters, unclosed=counters.unclosed + self._unclosed())

    def _parts(self, hands: Hands, presence: Presence) -> Parts:
        settings = self._settings
        return Parts(
            claimer=Claimer(
                self._store,
                worker_id=self._worker_id,
                task_types=settings.task_types,
                lease_s=settings.lease_s,
            ),
            hands=hands,
            keeper=self._keeper,
            presence=presence,
            stall=Stall(settings.hang_after_s),
            postmortems=self._postmortems,
            console=self._console,
            inbox=self._inbox,
        )


def configure(settings: Settings, worker_id: str, engine: str = "") -> Configure:
    """Say to a task process what it needs to know of the settings; `engine` as in `run`."""
    engine = engine or settings.engine
    return Configure(
        supervisor_pid=os.getpid(),
        worker_id=worker_id,
        spool=str(settings.spool_dir),
        outputs=str(settings.outputs_dir),
        models=str(settings.models_dir),
        definition_dirs=[str(folder) for folder in settings.models_dirs],
        engine=engine,
        engine_options=engine_options(settings, engine),
        own_code=own_code(settings, engine),
        ffmpeg=ffmpeg_for(engine),
        inputs=input_policy(settings),
        rotate_bytes=int(settings.journal_rotate_mb * MEGA),
        record_prompts=settings.record_prompts,
        video_crf=settings.video_crf,
        video_preset=settings.video_preset,
        unknown_params=settings.unknown_params,
        refuse_blank_output=settings.refuse_blank_output,
        blocking_rerun=settings.blocking_rerun,
    )
