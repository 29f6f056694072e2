"""The share of a real segment's generation that its recorder takes."""

import json
from pathlib import Path

import pytest

from tests.acceptance.home import Home
from tests.benchmarks.conftest import Bench
from tests.benchmarks.segment import DESCRIBED, GPU_SEGMENT_S, GPU_STEPS, STEPS, a_segment

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.benchmark("P2")
def test_the_recorders_share_of_a_segment(bench: Bench, home: Home, tmp_path: Path) -> None:
    """Its processor time against the segment's time, from the task's begin to its end."""
    assert STEPS == GPU_STEPS  # as many spans as there would be on a GPU
    segments = bench.pick(12, 3)
    said = tmp_path / "share.jsonl"
    home.environment |= {
        "PYTHONPATH": str(Path(__file__).with_name("watched")),
        "RECORDER_SHARE": str(said),
    }
    home.enqueue(*[a_segment(home.pictures(1)[0])] * (segments + 1))
    home.work_until_idle()
    lines = [json.loads(line) for line in said.read_text().splitlines()][1:]  # the first one loads
    assert len(lines) == segments
    recorder_ms = [line["recorder_ns"] / 1e6 for line in lines]
    what = f"the recorder's processor time in a segment ({lines[0]['calls']} calls)"
    for beside, theirs in (
        ("the whole segment's time", [line["wall_ns"] / 1e6 for line in lines]),
        ("the whole segment's processor time", [line["cpu_ns"] / 1e6 for line in lines]),
        ("a GPU's segment of 20 s", [GPU_SEGMENT_S * 1e3] * segments),
    ):
        bench.add(what, "ms", recorder_ms, theirs, size=DESCRIBED, beside=beside)
