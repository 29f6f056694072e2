"""What the spans of a checkout's calls and steps cost, as a share of a call."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Bench
from tests.benchmarks.segment import GPU_SEGMENT_S, GPU_STEPS
from tests.standins.checkouts import KINDS, Kind, make_checkout
from tests.standins.fixtures import standin_python  # noqa: F401 - a fixture is found by its name
from worker.engines.wan2gp import start
from worker.engines.wan2gp.brought import order
from worker.video import ffmpeg

FEW, MANY = 2, 42


@pytest.mark.benchmark("A5")
@pytest.mark.parametrize("kind", KINDS)
def test_what_spans_cost(
    bench: Bench,
    kind: Kind,
    standin_python: Path,  # noqa: F811 - as above
    tmp_path: Path,
) -> None:
    """Recorded and not, in turns, in one process; with few steps and with many."""
    asked = {
        "checkout": str(make_checkout(kind, tmp_path / "checkout").root),
        "outputs": str(tmp_path / "outputs"),
        "spool": str(tmp_path / "spool"),
        "ffmpeg": ffmpeg.binary(),
        "rounds": bench.pick(15, 3),
        "steps": [FEW, MANY],
    }
    done = subprocess.run(
        [
            *(str(standin_python), start.__file__, json.dumps(order(None))),
            *("tests.benchmarks.wan2gp_calls", json.dumps(asked)),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    took = json.loads(done.stdout)
    few, many = (
        [recorded - alone for recorded, alone in zip(*pair, strict=True)]
        for pair in ((took[f"{n} recorded"], took[f"{n} alone"]) for n in (FEW, MANY))
    )
    steps = [(most - least) / (MANY - FEW) for least, most in zip(few, many, strict=True)]
    calls = [least + (GPU_STEPS - FEW) * a_step for least, a_step in zip(few, steps, strict=True)]
    bench.add(
        f"spans of a call of a checkout, {GPU_STEPS} steps (processor time)",
        "ms",
        [call * 1e3 for call in calls],
        [GPU_SEGMENT_S * 1e3] * len(calls),
        size=f"API: {kind}",
        beside="a GPU's segment of 20 s",
    )
