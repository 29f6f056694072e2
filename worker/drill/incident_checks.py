"""What the reports on the incident must say, claim by claim."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from telemetry.reports.findings import Investigation
from telemetry.reports.hypotheses import POLLUTION, TIMEOUT
from telemetry.reports.wording import one_line, value_text
from worker.casework import gather
from worker.drill.checks import NOTHING, Check, of_failure, spans
from worker.drill.incident import Incident
from worker.drill.journey import LORAS, MULTIPLIERS, SECOND, SEGMENTS
from worker.engines.drill.models import defaults
from worker.settings import Settings
from worker.store.local import LocalStore

MESSAGE: Final = "'NoneType' object has no attribute 'get'"
_RULED_OUT: Final = "ruled out"
_CONFIRMED: Final = "confirmed"
_HYPOTHESES: Final = 8
_SUSPECTED: Final = "guidance_phases"  # the 26th key, which was blamed
_LOOPS_FILE: Final = "resolve.py"
_ID_SHOWN: Final = 8


def of_incident(settings: Settings, happened: Incident) -> list[Check]:
    """Hold what both reports say against what is true."""
    first = [
        *of_failure(happened.planted, happened.first),
        *_of_first(happened),
        _from_orchestrator(settings, happened),
    ]
    return [
        *_of("segment 0", first),
        *_of(f"segment {SECOND}, its log cut", _of_second(happened)),
    ]


def _of(part: str, checks: Sequence[Check]) -> list[Check]:
    return [replace(check, part=part) for check in checks]


def _of_first(happened: Incident) -> list[Check]:
    found = happened.first.found
    failure = found.failure
    felled = [one for one in found.relatives if one.felled]
    message = failure.message if failure else ""
    emptied = [one for one in (failure.values if failure else []) if one.value == ""]
    origin = f"{value_text(emptied[0].value)}, {emptied[0].origin}" if emptied else "not told"
    told = {one.name for one in found.params if one.source} & set(defaults())
    return [
        Check(
            name="message",
            planted=MESSAGE,
            found=one_line(message, 80),
            ok=message == MESSAGE,
        ),
        Check(
            name="the value",
            planted="'', and where it came from",
            found=one_line(_without_folders(origin), 110),
            ok=bool(emptied) and bool(emptied[0].origin),
        ),
        Check(
            name="parameters",
            planted=f"{len(defaults())} with value and layer",
            found=f"{len(told)} with value and layer",
            ok=len(told) == len(defaults()),
        ),
        loras(found),
        Check(
            name="relatives",
            planted=f"{SEGMENTS} failed because of it",
            found=f"{len(felled)} failed because of it",
            ok=len(felled) == SEGMENTS,
        ),
        _same(found, str(happened.second.task.id)),
        _verdicts(found),
    ]


def _of_second(happened: Incident) -> list[Check]:
    found = happened.second.found
    record = found.completeness
    confirmed = [one.name for one in found.hypotheses if one.verdict == _CONFIRMED]
    return [
        replace(spans(happened.whole.found), name="before the cut"),
        Check(
            name="record",
            planted="incomplete, and called so",
            found=one_line(record.says, 110),
            ok=not record.complete and "incomplete" in record.says,
        ),
        _not_the_place(happened),
        Check(
            name="loop",
            planted="no claim that it stopped there",
            found=f"{found.loop.completed} of {found.loop.total} in the record",
            ok=found.loop.completed < found.loop.total and _SUSPECTED not in found.says,
        ),
        _same(found, str(happened.first.task.id)),
        Check(
            name="verdicts",
            planted="none confirmed",
            found=f"confirmed: {', '.join(confirmed)}" if confirmed else "none confirmed",
            ok=bool(found.hypotheses) and not confirmed,
        ),
    ]


def loras(found: Investigation) -> Check:
    """See that the report has each LoRA with its strength in both phases."""
    there = [(PurePath(one.name).name, one.multiplier) for one in found.model.loras]
    return Check(
        name="LoRAs",
        planted=_with_multipliers(zip(LORAS, MULTIPLIERS, strict=True)),
        found=one_line(_with_multipliers(there), 110) or NOTHING,
        ok=there == list(zip(LORAS, MULTIPLIERS, strict=True)),
    )


def _with_multipliers(loras: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{PurePath(name).stem} {multiplier}" for name, multiplier in loras)


def _not_the_place(happened: Incident) -> Check:
    """See that the place is the engine's line, or none, and never where the record ends."""
    failure, true = happened.second.found.failure, happened.planted.place
    file = failure.location.file if failure else ""
    here = f"{PurePath(file).name}:{failure.location.line}" if failure and file else "no place"
    right = failure is not None and (file, failure.location.line) == (true.file, true.line)
    return Check(
        name="line",
        planted=f"{true}, or none; not LOOP 26",
        found=one_line(here, 100),
        ok=(right or not file) and PurePath(file).name != _LOOPS_FILE,
    )


def _same(found: Investigation, other: str) -> Check:
    named = other in {one.task for one in found.same_failure}
    return Check(
        name="one failure",
        planted=f"the same as {other[:_ID_SHOWN]}",
        found=f"the same as {other[:_ID_SHOWN]}" if named else "not known as the same",
        ok=named,
    )


def _verdicts(found: Investigation) -> Check:
    """See that all that was suspected then is ruled out, but for what a replay must decide."""
    verdicts = {one.name: one for one in found.hypotheses}
    wrong = [
        f"{one.name}: {one.verdict}"
        for one in found.hypotheses
        if not one.evidence or one.verdict != (_RULED_OUT if one.name != POLLUTION else one.verdict)
    ]
    polluted = verdicts.get(POLLUTION)
    wrong += [f"{POLLUTION}: confirmed"] if polluted and polluted.verdict == _CONFIRMED else []
    slowest = TIMEOUT in verdicts and "slowest" in verdicts[TIMEOUT].evidence
    count = sum(one.verdict == _RULED_OUT for one in found.hypotheses)
    return Check(
        name="verdicts",
        planted=f"{_HYPOTHESES - 1} ruled out by facts, 1 for a replay",
        found=one_line("; ".join(wrong), 110) or f"{count} ruled out by facts",
        ok=not wrong and len(verdicts) == _HYPOTHESES and slowest,
    )


def _from_orchestrator(settings: Settings, happened: Incident) -> Check:
    """See that whoever asks for the journey is told of the segment that it failed of."""
    with closing(LocalStore(settings.queue_path)) as store:
        case = gather(settings, store, store.get(happened.orchestrator))
    first = str(happened.first.task.id)
    return Check(
        name="asked by journey",
        planted=f"segment {first[:_ID_SHOWN]}",
        found=f"segment {one_line(case.task.id, _ID_SHOWN + 1)[:_ID_SHOWN]}",
        ok=case.task.id == first,
    )


def _without_folders(text: str) -> str:
    return " ".join(
        PurePath(word).name if word.startswith("/") else word for word in text.split(" ")
    )
