"""How far an attempt got, with which model and parameters, and its record, as Markdown."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from telemetry.reports.company import AttemptFound
from telemetry.reports.findings import (
    CompletenessFound,
    DefaultsFound,
    Investigation,
    ModelFound,
)
from telemetry.reports.headway import IterationFound, StageFound
from telemetry.reports.markdown import blocks as md
from telemetry.reports.markdown.blocks import Block
from telemetry.reports.sentences import (
    asked_text,
    counts_text,
    ended_text,
    has_run,
    loop_text,
    steps_text,
    used_text,
)
from telemetry.reports.wording import duration, value_text


def how_far(found: Investigation) -> Iterator[Block]:
    """Show the stages, the loop and the steps; where nothing failed, the longest stage first."""
    yield md.heading("How far it got" if found.failure else "Where the time went")
    stages = found.stages
    if not found.failure:
        stages = sorted(stages, key=lambda one: -(one.ms or 0.0))
    if stages:
        yield md.table(("stage", "began", "took", "ended"), (_stage(one, found) for one in stages))
    if has_run(found):
        yield md.bullets(_loop_and_steps(found))
    else:
        yield md.paragraph("It has not run.")


def model(found: ModelFound, longest: int) -> Iterator[Block]:
    """Tell what was generated with: size, frames, steps, phases, key parameters, LoRAs."""
    yield md.heading("Model and key parameters")
    facts = [
        ("model", md.code(found.name)),
        ("engine", md.code(found.engine)),
        ("resolution", md.code(found.resolution)),
        ("frames", _count(found.frames)),
        ("steps", _count(found.steps)),
        ("phases", _count(found.phases)),
    ]
    facts += [(md.code(name), md.value(one, longest)) for name, one in found.key_params.items()]
    yield md.table(("", "used"), [fact for fact in facts if fact[1]])
    yield md.heading("LoRAs", 3)
    rows = [(md.code(one.name, longest), md.code(one.multiplier)) for one in found.loras]
    yield md.table(("LoRA", "multiplier"), rows, "LoRAs") if rows else md.paragraph("None.")
    yield md.heading("Phase configuration", 3)
    if found.phase_config:
        yield md.fence(_json(found.phase_config), "json")
    else:
        yield md.paragraph("None was asked for.")


def params(found: Investigation, longest: int) -> Iterator[Block]:
    """Show every parameter, folded: what was used and asked, the default, and who said so."""
    yield md.heading("Every parameter")
    rows = [
        (
            md.code(one.name, longest),
            md.code(used_text(one, found, longest), longest),
            md.code(asked_text(one, longest), longest),
            md.value(one.default, longest),
            md.code(one.source),
        )
        for one in found.params
    ]
    shown = md.table(("name", "used", "asked", "default", "layer"), rows, "parameters")
    summary = f"{len(rows)} of {max(found.loop.total, len(rows))} in the record"
    yield md.folded(summary, shown) if rows else md.paragraph("None is in the record.")


def defaults(found: DefaultsFound, longest: int) -> Iterator[Block]:
    """Tell how the engine gave the model's defaults, and whether they changed in the loop."""
    yield md.heading("Model defaults")
    yield md.bullets(_defaults(found))
    if found.values:
        rows = [
            (md.code(name, longest), md.value(one, longest)) for name, one in found.values.items()
        ]
        yield md.folded(f"{len(rows)} values", md.table(("name", "default"), rows, "defaults"))


def attempts(found: Sequence[AttemptFound]) -> Iterator[Block]:
    """Show how each attempt ended, the newest first, where there was more than one."""
    if len(found) > 1:
        yield md.heading("Attempts")
        rows = [
            (str(one.attempt), md.prose(one.says, 400), md.code(one.worker), md.code(one.when))
            for one in found
        ]
        yield md.table(("attempt", "what became of it", "worker", "when"), rows, "attempts")


def record(found: CompletenessFound) -> Iterator[Block]:
    """Tell what the record holds and lacks, in numbers."""
    yield md.heading("The record")
    lines = [md.prose(found.says), md.prose(counts_text(found)), f"from: {md.prose(found.source)}"]
    lines += [
        f"missing: records {one.first:,} to {one.last:,} of {md.code(one.process)}"
        for one in found.gaps
    ]
    yield md.bullets(lines + [f"not known from there: {md.prose(one)}" for one in found.unknown])


def _stage(one: StageFound, found: Investigation) -> tuple[str, ...]:
    took = "" if one.ms is None else duration(one.ms)
    return md.code(one.name), md.code(one.began), took, md.code(ended_text(one, found))


def _loop_and_steps(found: Investigation) -> Iterator[str]:
    yield md.prose(loop_text(found))
    last, slowest = found.loop.last, found.loop.slowest
    word = "last iteration" if found.completeness.complete else "last iteration that arrived"
    if last:
        yield f"{word}: {_iteration(last)}, ended {md.code(last.ended)}"
    if slowest:
        yield f"slowest iteration: {_iteration(slowest)}, {duration(slowest.ms)}"
    yield md.prose(steps_text(found))
    if times := found.steps.ms:
        yield f"a step took {duration(sum(times) / len(times))}, the slowest {duration(max(times))}"


def _iteration(one: IterationFound) -> str:
    return f"{one.index}, {md.code(one.key)}"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _json(one: dict[str, Any]) -> list[str]:
    try:
        return json.dumps(one, indent=2, default=str, ensure_ascii=False).split("\n")
    except (TypeError, ValueError, RecursionError):
        return [value_text(one, 0)]


def _defaults(found: DefaultsFound) -> Iterator[str]:
    yield f"call: {md.code(found.call) or 'not in the record'}"
    if found.type:
        yield f"type: {md.code(found.type)}"
    yield f"keys: {found.count:,}"
    yield f"digest before the loop: {md.code(found.digest_before) or 'not in the record'}"
    yield f"digest after the loop: {md.code(found.digest_after) or 'not in the record'}"
    if found.digest_before and found.digest_after:
        same = found.digest_before == found.digest_after
        yield "the loop did not change them" if same else "**they changed in the loop**"
