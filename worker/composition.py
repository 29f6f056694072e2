"""Composition: builds a supervisor out of the settings, and runs it."""

import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

from telemetry.recorder import Recorder
from telemetry.shipper import OtlpTarget, Retention, SentryTarget, Shipper
from worker.console import Console
from worker.messages import Configure
from worker.output.storage import LocalStorage
from worker.settings import Settings
from worker.settings.limits import MEGA, input_policy
from worker.store.base import TaskStore
from worker.store.local import LocalStore
from worker.store.mounts import network_file_system_warning
from worker.supervisor.claiming import Claimer
from worker.supervisor.hand import Hand
from worker.supervisor.health import HealthFile
from worker.supervisor.keeper import Keeper
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.lifeline import Lifeline
from worker.supervisor.presence import Presence
from worker.supervisor.recovery import recover
from worker.supervisor.settling import Settler
from worker.supervisor.supervisor import Habits, LeaseLost, Parts, Supervisor, SupervisorEvent

SHIP_AT_EXIT_S = 3.0


def run(settings: Settings, *, until_idle: bool, console: Console) -> int:
    """Run a worker until it is drained, or idle if so asked; return the exit code.

    The home must be there: see `worker.settings.home`. Must be called from the main thread.
    """
    worker_id = new_worker_id(settings.worker_name)
    with _recorder(settings, worker_id) as recorder:
        store = LocalStore(settings.queue_path)
        storage = LocalStorage(settings.outputs_dir)
        shipper = make_shipper(settings)
        if warning := network_file_system_warning(settings.queue_path):
            console.note("warning", warning)
        recovered = recover(settings.spool_dir, store, storage, max_deaths=settings.max_deaths)
        if recovered:
            console.note("warning", "tasks of a worker that died are settled", tasks=recovered)
        shipper.adopt()
        storage.sweep_stale()
        parts, lease = _parts(settings, worker_id, store, storage, recorder, console)
        lifeline = Lifeline(
            store,
            recorder,
            every_s=settings.lease_s / 4,
            max_deaths=settings.max_deaths,
            chores=(shipper.retain, parts.presence.record),
        )
        habits = Habits(
            poll_s=settings.poll_s,
            grace_s=settings.grace_s,
            recycle_after_tasks=settings.recycle_after_tasks,
            until_idle=until_idle,
        )
        threads = (lifeline, lease, shipper)
        for thread in threads:
            thread.start()
        try:
            return Supervisor(parts, habits).run()
        finally:
            for thread in threads[:2]:
                thread.stop()
            store.close()
            console.close()
            recorder.close()
            shipper.drain(SHIP_AT_EXIT_S)
            shipper.stop(SHIP_AT_EXIT_S)


def new_worker_id(name: str) -> str:
    """Make the id of one run of a worker: a restarted worker is a new worker."""
    return f"{name}-{datetime.now(UTC):%Y%m%d_%H%M%S}-{uuid4().hex[:8]}"


def make_shipper(settings: Settings) -> Shipper:
    """Make the shipper of a home's journals."""
    otlp = sentry = None
    if settings.otlp_endpoint:
        headers = settings.otlp_headers
        otlp = OtlpTarget(
            endpoint=settings.otlp_endpoint,
            headers=_headers(headers.get_secret_value()) if headers else {},
        )
    if settings.sentry_dsn:
        sentry = SentryTarget(
            dsn=settings.sentry_dsn.get_secret_value(),
            environment=settings.sentry_environment,
            release=settings.sentry_release or f"loop26@{version('loop26')}",
        )
    retention = Retention(
        keep_bytes=int(settings.spool_keep_mb * MEGA),
        keep_age_s=settings.spool_keep_days * 86_400,
    )
    return Shipper(settings.spool_dir, otlp=otlp, sentry=sentry, retention=retention)


@contextmanager
def _recorder(settings: Settings, worker_id: str) -> Iterator[Recorder]:
    recorder = Recorder.open(
        settings.spool_dir,
        role="supervisor",
        facts={"worker_id": worker_id},
        record_prompts=settings.record_prompts,
    )
    recorder.install()
    try:
        yield recorder
    finally:
        recorder.close()


def _parts(
    settings: Settings,
    worker_id: str,
    store: TaskStore,
    storage: LocalStorage,
    recorder: Recorder,
    console: Console,
) -> tuple[Parts, LeaseKeeper]:
    inbox: queue.SimpleQueue[SupervisorEvent] = queue.SimpleQueue()
    presence = Presence(store, HealthFile(recorder.writer.directory), worker_id)
    settler = Settler(
        store=store,
        storage=storage,
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
        max_deaths=settings.max_deaths,
    )
    lease = LeaseKeeper(
        store,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        check_s=settings.cancel_check_s,
        on_lost=lambda token, reason: inbox.put(LeaseLost(token=token, reason=reason)),
    )
    keeper = Keeper(
        configure(settings, worker_id),
        inbox,  # type: ignore[arg-type]  # a queue of more than the keeper puts in
        start_timeout_s=settings.child_start_timeout_s,
    )
    parts = Parts(
        claimer=Claimer(
            store=store,
            worker_id=worker_id,
            task_types=settings.task_types,
            lease_s=settings.lease_s,
        ),
        hand=Hand(settler, lease, console, presence),
        keeper=keeper,
        presence=presence,
        recorder=recorder,
        console=console,
        inbox=inbox,
    )
    return parts, lease


def configure(settings: Settings, worker_id: str) -> Configure:
    """Say to a task process what it needs to know of the settings."""
    return Configure(
        supervisor_pid=os.getpid(),
        worker_id=worker_id,
        spool=str(settings.spool_dir),
        outputs=str(settings.outputs_dir),
        models=str(settings.models_dir),
        definition_dirs=[str(folder) for folder in settings.models_dirs],
        engine=settings.engine,
        engine_options={
            "device": settings.device,
            "dtype": settings.dtype,
            "offload": settings.offload,
            "threads": settings.threads,
            "compile": settings.compile,
            "local_files_only": settings.models_offline,
        },
        inputs=input_policy(settings),
        rotate_bytes=int(settings.journal_rotate_mb * MEGA),
        record_prompts=settings.record_prompts,
        video_crf=settings.video_crf,
    )


def _headers(text: str) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, value in pairs}
