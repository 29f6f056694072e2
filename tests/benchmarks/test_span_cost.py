"""What a span costs, begin to end: in the journal, in OpenTelemetry's SDK, and by logfire."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Bench
from tests.benchmarks.logfire_python import logfire_python
from tests.servers.cache import ROOT, Unavailable
from tests.servers.environment import server_environment

PROGRAM = Path(__file__).with_name("span_costs.py")
OTHERS = {
    "sdk": "opentelemetry-sdk",
    "logfire": "logfire",
}


@pytest.mark.benchmark("P1")
@pytest.mark.timeout(900)
def test_span_cost(bench: Bench, tmp_path: Path) -> None:
    """µs a span, in turns in one process: with no attributes, with 5, with 30."""
    try:
        python = logfire_python()
    except Unavailable as reason:
        pytest.skip(str(reason))
    counts = (0, 5, 30)
    asked = {
        "spans": bench.pick(1_000, 100),
        "turns": bench.pick(30, 6),
        "attributes": counts,
    }
    done = subprocess.run(
        [str(python), str(PROGRAM), str(tmp_path / "spool"), json.dumps(asked)],
        cwd=tmp_path,
        env=server_environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for other, package in OTHERS.items():
        for count in counts:
            found = told["took"][str(count)]
            bench.add(
                "a span, begin and end",
                "µs",
                found["ours"],
                found[other],
                size=f"{count} attributes",
                beside=f"{package} {told['versions'][package]}, batched, idle exporter",
                goal="0.5 with 5" if (other, count) == ("sdk", 5) else "",
            )
