"""The share of a real segment's generation that its recorder takes."""

import json
from pathlib import Path
from statistics import median

import pytest

from tests.acceptance.home import Home
from tests.benchmarks.segment import DESCRIBED, a_segment

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

SEGMENTS = 8


def test_the_recorders_share_of_a_segment(home: Home, tmp_path: Path) -> None:
    """Print its processor time against the segment's, from the task's begin to its end."""
    said = tmp_path / "share.jsonl"
    home.environment |= {
        "PYTHONPATH": str(Path(__file__).with_name("watched")),
        "RECORDER_SHARE": str(said),
    }
    picture = home.pictures(1)[0]
    home.enqueue(*[a_segment(picture)] * (SEGMENTS + 1))
    home.work_until_idle()
    lines = [json.loads(line) for line in said.read_text().splitlines()][1:]  # the first one loads
    assert len(lines) == SEGMENTS
    shares = sorted(line["recorder_ns"] / line["wall_ns"] for line in lines)
    of_cpu = sorted(line["recorder_ns"] / line["cpu_ns"] for line in lines)
    milliseconds = median(line["recorder_ns"] for line in lines) / 1e6
    seconds = median(line["wall_ns"] for line in lines) / 1e9
    print(
        f"\n{DESCRIBED}: {seconds:.2f} s; the recorder "
        f"{milliseconds:.2f} ms of processor time in {lines[0]['calls']} calls: "
        f"{median(shares):.3%} of its time ({shares[0]:.3%} to {shares[-1]:.3%}), "
        f"{median(of_cpu):.3%} of its processor time"
    )
