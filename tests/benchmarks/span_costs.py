"""Begins and ends spans by each of three ways, in turns in one process; prints µs a span as JSON.

Between two turns what is queued is given to the exporters: no turn pays for another one's. Run in
the environment that has logfire: argv is the folder for the journal, then JSON of how many spans a
turn has, how many turns there are, and the numbers of attributes.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import logfire
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import telemetry
from telemetry.recorder import Recorder

NAME = "loop iteration"
VERSIONED = ("logfire", "opentelemetry-sdk")
ROOM = 100_000  # more than there are spans: whoever drops some is quicker
Spans = Callable[[Sequence[dict[str, Any] | None]], None]
Flush = Callable[[], object]


class IdleExporter(SpanExporter):
    """Takes everything and does nothing: the SDK at its cheapest."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - idle
        """Take them."""
        return SpanExportResult.SUCCESS


def batch() -> BatchSpanProcessor:
    """Make the processor that both others have."""
    return BatchSpanProcessor(IdleExporter(), max_queue_size=ROOM)


def attributes(index: int, count: int) -> dict[str, Any] | None:
    """Return the attributes of a loop iteration: numbers, texts, a truth, as many as are asked."""
    if not count:
        return None
    kinds = [index, 1.5, "guidance_scale", True, "model"]
    return {f"loop26.param.name_{n}": kinds[n % len(kinds)] for n in range(count)}


def ours(given: Sequence[dict[str, Any] | None]) -> None:
    """Record spans in the journal."""
    for each in given:
        with telemetry.span(NAME, each):
            pass


def of_sdk() -> tuple[Spans, Flush]:
    """Return how the SDK does it, and how its queue is emptied."""
    provider = TracerProvider()
    provider.add_span_processor(batch())
    tracer = provider.get_tracer("benchmark")

    def spans(given: Sequence[dict[str, Any] | None]) -> None:
        for each in given:
            with tracer.start_as_current_span(NAME, attributes=each):
                pass

    return spans, provider.force_flush


def of_logfire() -> tuple[Spans, Flush]:
    """Return how logfire does it, likewise: it sends nothing, and prints nothing."""
    configured = logfire.configure(
        local=True,
        send_to_logfire=False,
        console=False,
        metrics=False,
        inspect_arguments=False,
        additional_span_processors=[batch()],
    )

    def spans(given: Sequence[dict[str, Any] | None]) -> None:
        for each in given:
            with configured.span(NAME, **(each or {})):
                pass

    return spans, configured.force_flush


def micros(spans: Spans, given: Sequence[dict[str, Any] | None]) -> float:
    """Return µs a span."""
    began = time.perf_counter()
    spans(given)
    return (time.perf_counter() - began) * 1e6 / len(given)


def main(spool: str, asked: str) -> None:
    """Take turns; whoever comes first changes from turn to turn."""
    sizes = json.loads(asked)
    recorder = Recorder.open(Path(spool), role="task")
    recorder.install()
    sdk, flush_sdk = of_sdk()
    by_logfire, flush_logfire = of_logfire()
    ways = {"ours": ours, "sdk": sdk, "logfire": by_logfire}
    took: dict[str, dict[str, list[float]]] = {}
    for count in sizes["attributes"]:
        given = [attributes(index, count) for index in range(sizes["spans"])]
        found = took.setdefault(str(count), {name: [] for name in ways})
        orders = itertools.cycle(itertools.permutations(ways))
        for spans in ways.values():
            spans(given)  # what is made once is made now
        for names in itertools.islice(orders, sizes["turns"]):
            for name in names:
                flush_sdk()
                flush_logfire()
                found[name].append(micros(ways[name], given))
    assert recorder.faults == 0
    recorder.close()
    print(json.dumps({"versions": {name: version(name) for name in VERSIONED}, "took": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
