"""Writes the figures of a run of the benchmarks into docs/benchmarks.md, with their machine.

    python tools/write_benchmarks.py FILE

FILE is the JSON that `make bench` has written.
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
SCHEMA = "loop26-benchmarks/1"


def written(page: str, run: dict[str, Any]) -> str:
    """Return the page with a run's figures between its two comments, and nothing else changed."""
    if run.get("schema") != SCHEMA:
        raise SystemExit(f"schema = {run.get('schema')!r}: must be {SCHEMA!r}")
    if run["quick"]:
        raise SystemExit("these are of quick sizes, which are no figures; run `make bench`")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE.name} has no {BEGIN} followed by {END}")
    return f"{before}{BEGIN}\n{machine(run['machine'])}\n\n{table(run)}\n{END}{after}"


def machine(facts: dict[str, Any]) -> str:
    """Say in a sentence where the figures come from."""
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return (
        f"Of {facts['date'][:10]}, commit `{facts['commit'] or 'unknown'}`: {facts['cpu']}, "
        f"{facts['cores']} cores, {facts['memory_bytes'] / 2**30:.0f} GiB, "
        f"Linux {facts['kernel']}, Python {facts['python']}, {packages}; load average at the end "
        f"{facts['load_average'][0]:.1f}."
    )


def table(run: dict[str, Any]) -> str:
    """Write the table in Markdown."""
    headings = run["headings"]
    rows = [headings, ["---"] * len(headings), *(figure["cells"] for figure in run["figures"])]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Write the page."""
    run = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), run), encoding="utf-8")


if __name__ == "__main__":
    main()
