"""What an earlier task of its process had left changed in the engine, and whether it tells."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.evidence import CONFIRMED, OPEN, RULED_OUT, Evidence, Said
from telemetry.reports.sentences import counted
from telemetry.reports.wording import one_line
from telemetry.spans import Span

PUT_BACK: Final = " (put back)"  # how an engine ends what it has found, and made good
_CHANCE: Final = "a chance of the machine is not excluded"
_CLEAN: Final = "nothing that its engine looks after had been changed by an earlier task"
_MOST: Final = 12
_LONGEST: Final = 120


def pollution(evidence: Evidence) -> Said:
    """Tell what an earlier task left changed, and what a replay without one says of it."""
    attempt, replayed = evidence.attempt, evidence.replayed
    before, changed = _tasks_before(evidence), _changed(attempt)
    if replayed is None:
        return OPEN, _before_a_replay(evidence, changed, before)
    if replayed.same:
        return RULED_OUT, f"a fresh process failed in the same way at {replayed.at}"
    said = f"replayed in a fresh process at {replayed.at}: {replayed.says}"
    if changed and not _was_first(evidence):
        return CONFIRMED, f"{said}; {changed}; {before}; {_CHANCE}"
    clean = f"{_CLEAN}; " if _found(attempt) == [] else ""
    if attempt and attempt.tasks_before:
        return CONFIRMED, f"{said}; {before}; {clean}{_CHANCE}"
    return OPEN, f"{said}; but {before}: chance, the machine or a race may explain it"


def _before_a_replay(evidence: Evidence, changed: str, before: str) -> str:
    attempt = evidence.attempt
    if changed and attempt and _was_first(evidence):
        return f"{changed}; decided by a replay in a fresh process; but {before}"
    if changed and attempt:
        return f"{changed}; loop26 replay {attempt.task_id} decides whether that is why; {before}"
    clean = f"{_CLEAN}; " if _found(attempt) == [] else ""
    return f"{clean}decided by a replay in a fresh process; {before}"


def _tasks_before(evidence: Evidence) -> str:
    before = evidence.attempt.tasks_before if evidence.attempt else None
    if before is None:
        return "what its process had run before is not recorded"
    if not before and not evidence.completeness.complete:
        return "no task that its process had run before is in the record, which is incomplete"
    if not before:
        return "it was the first task of its process"
    return f"its process had run {counted(before, 'task')} before it"


def _was_first(evidence: Evidence) -> bool:
    attempt = evidence.attempt
    return attempt is not None and attempt.tasks_before == 0 and evidence.completeness.complete


def _changed(attempt: Attempt | None) -> str:
    """Say what was changed when the attempt began, and who is known to have left it so."""
    found = _found(attempt)
    if attempt is None:
        return ""
    left = dict(_left_before(attempt))
    if found:
        by = {task for item in found if (task := left.get(item.removesuffix(PUT_BACK)))}
        who = f", as task {' and '.join(sorted(by))} did" if by else ""
        if attempt.tasks_before == 0:
            return f"its engine found changed when it began: {_listed(found)}"
        return f"an earlier task of this process had left changed: {_listed(found)}{who}"
    if not left:
        return ""
    then = "this one found none of it" if found == [] else "what this one found is not recorded"
    tasks = " and ".join(sorted(set(left.values())))
    return f"task {tasks} before it in this process had left changed: {_listed([*left])}; {then}"


def _found(attempt: Attempt | None) -> list[str] | None:
    """Return what the engine found changed; None where it does not look, or nothing is recorded."""
    spans = attempt.named(names.engine("model_def")) if attempt else []
    said = [told for span in spans if (told := _items(span, names.ENGINE_STATE_FOUND)) is not None]
    return list(dict.fromkeys(item for told in said for item in told)) if said else None


def _left_before(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """Yield what earlier tasks of its process left changed, with the task's id, in their order.

    Of those alone that are in the record: the ones of its own journey.
    """
    begin = attempt.begin
    for part in attempt.parts if begin else ():
        earlier = [one for one, _ in part.tasks if begin and one.at_ns < begin.at_ns]
        if not any(one is begin for one, _ in part.tasks):
            continue
        for span in part.spans:
            tasks = [one.task_id for one in earlier if one.at_ns <= span.start_ns]
            if span.name == names.engine("generate") and begin and span.start_ns < begin.at_ns:
                yield from ((item, tasks[-1]) for item in _left_by(span) if tasks)


def _left_by(span: Span) -> list[str]:
    return _items(span, names.ENGINE_STATE_LEFT) or []


def _items(span: Span, name: str) -> list[str] | None:
    """Return a list of texts among a span's attributes; some backends make JSON of it."""
    value = span.attributes.get(name)
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value, type=list[str])
        except (msgspec.MsgspecError, ValueError):
            value = [value]
    return [str(item) for item in value] if isinstance(value, list) else None


def _listed(items: Sequence[str]) -> str:
    said = ", ".join(one_line(item, _LONGEST) for item in items[:_MOST])
    return f"{said} and {len(items) - _MOST} more" if len(items) > _MOST else said
