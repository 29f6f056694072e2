"""What the worker costs: a segment through it against the same without it; start and memory."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from tests.acceptance.home import Home, Worker, wait_for
from tests.benchmarks.segment import DESCRIBED, FRAMES, RESOLUTION, STEPS, a_segment

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROUNDS = 12


def through_the_worker(home: Home, worker: Worker, picture: str) -> float:
    """Enqueue one task and return its seconds from claim to settle."""
    (task_id,) = home.enqueue(a_segment(picture))
    settled = worker.wait_for("settled", task_id=str(task_id))
    assert settled["outcome"] == "Complete", settled
    return float(settled["seconds"])


def test_a_segment_through_the_worker_against_the_same_without_it(home: Home) -> None:
    """Print both medians and the median of the ratios, pair by pair, start-up apart."""
    picture = home.pictures(1)[0]
    worker = home.worker("--set", "threads=1", until_idle=False)
    through_the_worker(home, worker, picture)
    bare = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("bare_segment.py")),
            *(str(home.path / "models"), RESOLUTION, str(FRAMES), str(STEPS)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert bare.stdin is not None
    assert bare.stdout is not None
    assert bare.stdout.readline() == "ready\n"

    def without_it(number: int) -> float:
        bare.stdin.write(f"{picture} {home.path / f'bare{number}.mp4'}\n")
        bare.stdin.flush()
        return float(bare.stdout.readline())

    without_it(-1)
    pairs = [(through_the_worker(home, worker, picture), without_it(n)) for n in range(ROUNDS)]
    bare.stdin.close()
    bare.stdout.close()
    bare.wait(timeout=60)
    ratios = sorted(with_it / without for with_it, without in pairs)
    print(
        f"\n{DESCRIBED}, {ROUNDS} pairs: "
        f"through the worker {median(p[0] for p in pairs):.3f} s, "
        f"without {median(p[1] for p in pairs):.3f} s, "
        f"ratio {median(ratios):.4f} ({ratios[0]:.4f} to {ratios[-1]:.4f})"
    )


def test_start_and_memory_of_the_supervisor(home: Home) -> None:
    """Print the time to the first status file, to the device's readiness, and the memory."""
    starts, readies = [], []
    for _ in range(5):
        began = time.perf_counter()
        worker = home.worker(until_idle=False)
        wait_for(worker.status_files, "status file")
        starts.append(time.perf_counter() - began)
        worker.wait_for("ready")
        readies.append(time.perf_counter() - began)
        rss = psutil.Process(worker.process.pid).memory_info().rss
        assert worker.end() == 0
    print(
        f"\nsupervisor: start to its loop {median(starts):.2f} s, "
        f"to a ready device {median(readies):.2f} s, resident {rss / 1e6:.0f} MB"
    )
    print(json.dumps({"start_s": starts, "ready_s": readies, "resident_bytes": rss}))
