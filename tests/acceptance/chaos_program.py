"""The workers of the chaos test, as processes: `chaos_program.py ACCESS`.

It forks workers and ends them as the lines of its input say; when that ends, so do all of them.
What it answers is in `obey`. Forked: an interpreter that loads the client anew takes a second.

A worker does to the queue what `loop26 run` does, without a task process: claims, extends, settles
in every way there is, sweeps. It works until SIGTERM, or dies in the midst of anything by SIGKILL.
What it holds when the queue cannot be told, it tells later, for as long as it takes.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[2]))

from worker.errors import Fenced, QueueUnavailable
from worker.store.base import TaskStore
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access
from worker.supervisor.claiming import Claimer
from worker.task import TASK_TYPES, Claim, Failure, NewTask

LEASE_S = 2.0
SWEEP_S = 0.5
NEVER = 100  # deaths: no task fails of them
MAY_PASS = Failure(kind="exception", type="Busy", message="busy", sentence="It may pass.")
DEATH = Failure(kind="death", type="SIGSEGV", message="signal 11", sentence="It crashed.")


class Worker:
    """Works on the queue; the seed decides how each attempt ends."""

    def __init__(self, store: TaskStore, name: str, seed: int) -> None:
        self._store = store
        self._name = name
        self._dice = random.Random(seed)
        self._claimer = Claimer(store, worker_id=name, task_types=TASK_TYPES, lease_s=LEASE_S)
        self._parent = os.getppid()
        self.stopping = threading.Event()

    def work(self) -> None:
        """Take one task after the other."""
        while not self.stopping.is_set() and os.getppid() == self._parent:
            try:
                claimed = self._claimer.claim(None)
            except QueueUnavailable:
                continue
            if claimed is None:
                self.stopping.wait(0.05)
            else:
                self._run(claimed.claim)

    def sweep(self) -> None:
        """Give back what other workers have lost."""
        while not self.stopping.wait(SWEEP_S * self._dice.uniform(0.5, 1.0)):
            try:
                self._store.sweep(max_deaths=NEVER)
                self._store.record_worker(
                    self._name, status="busy", current_model=None, metadata={}
                )
            except QueueUnavailable:
                continue

    def _run(self, claim: Claim) -> None:
        try:
            self._until_told(lambda: self._store.mark_started(claim.token))
            for step in range(self._dice.randrange(3)):
                time.sleep(self._dice.random() * 0.03)
                progress = {"step": step}
                self._until_told(
                    lambda told=progress: self._store.extend(
                        claim.token, lease_s=LEASE_S, progress=told
                    )
                )
            self._until_told(lambda: self._settle(claim))
        except Fenced:
            return  # it is another's by now

    def _settle(self, claim: Claim) -> None:
        # By the claim, not by the dice: what is told again is told as it was.
        ending = random.Random(claim.token.int).random()
        store, token = self._store, claim.token
        if ending < 0.05:
            store.record_death(token, DEATH, max_deaths=NEVER)
        elif ending < 0.1:
            store.release(token, reason="drained", give_back=True)
        elif ending < 0.15:
            store.release(token, reason="busy", give_back=False, delay_s=0.1, failure=MAY_PASS)
        elif claim.task.task_type == "travel_orchestrator":
            store.spawn(token, _children(), result={"planned": True})
        else:
            store.complete(token, output_location=f"/{token}.mp4", result={"by": self._name})

    def _until_told(self, tell: Callable[[], object]) -> None:
        while True:
            try:
                tell()
            except QueueUnavailable:
                continue
            return


def _children() -> list[NewTask]:
    """Plan two segments and their stitch: new ids with every attempt, as a careless one does."""
    segments = [
        NewTask(id=uuid4(), task_type="travel_segment", params={"segment_index": index})
        for index in range(2)
    ]
    needed = tuple(segment.id for segment in segments)
    stitch = NewTask(id=uuid4(), task_type="travel_stitch", params={}, dependant_on=needed)
    return [*segments, stitch]


def live(access: Access, name: str, seed: int) -> None:
    """Be a worker until told to stop, or until whoever forked it is gone."""
    store = SupabaseStore(access, patience_s=1.0)
    worker = Worker(store, name, seed)
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    sweeping = threading.Thread(target=worker.sweep, daemon=True)
    sweeping.start()
    worker.work()
    worker.stopping.set()
    sweeping.join()
    store.close()


def fork(access: Access, name: str, seed: int) -> int:
    """Fork a worker; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        live(access, name, seed)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, no worker goes on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def end(pid: int, number: int) -> int:
    """Send a worker a signal, wait for its end, and return how it ended, as subprocess has it."""
    os.kill(pid, number)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def obey(access: Access, asked: dict[str, Any], living: set[int]) -> int:
    """Start a worker and answer its process id, or end one and answer how it ended."""
    if "start" in asked:
        pid = fork(access, asked["start"], asked["seed"])
        living.add(pid)
        return pid
    living.remove(asked["end"])
    return end(asked["end"], asked["signal"])


def main() -> None:
    """Do what the input says, line by line."""
    access = Access(**json.loads(sys.argv[1]))
    living: set[int] = set()
    for line in sys.stdin:
        print(obey(access, json.loads(line), living), flush=True)
    for pid in living:
        end(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
