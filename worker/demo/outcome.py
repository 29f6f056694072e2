"""What became of the journey: the video, its contact sheet, and what was measured on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from worker.demo.journey import EFFECTS, Laid, frames_of_video
from worker.store.base import Event, TaskStore
from worker.task import SEGMENT, Task
from worker.wording import clock, name_of

if TYPE_CHECKING:
    from worker.video.probing import VideoFacts

ENDS = ("completed", "spawned")
# What the supervisor counted in the record of each task before it settled it.
MEASURES = ("iterations", "steps", "spans", "records", "lost")
_MOST_CHILDREN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A journey that is Complete.

    Attributes:
        task: The orchestrator's.
        children: Its segments' in their order, then the stitch's.
    """

    task: Task
    children: tuple[Task, ...]

    @classmethod
    def of(cls, store: TaskStore, task: Task) -> "Outcome":
        """Read what became of a journey."""
        children = store.list_tasks(parent_id=task.id, limit=_MOST_CHILDREN)
        return cls(task=task, children=tuple(sorted(children, key=_place)))

    @property
    def video(self) -> Path:
        """The joined video."""
        return Path(self.task.output_location or "")

    @property
    def segments(self) -> list[Task]:
        """The segments' tasks in their order."""
        return [child for child in self.children if child.task_type == SEGMENT]


def in_words(outcome: Outcome, store: TaskStore, seconds: float) -> Group:
    """Say what was made and what was measured, for a terminal."""
    # Only an install that could make the video has what it takes to look at it.
    from worker.video.probing import probe_video

    facts = probe_video(outcome.video)
    results = [child.result_data or {} for child in outcome.children]
    loads = max(int(result.get("model_loads", 0)) for result in results)
    expected = frames_of_video()
    wrong = "" if facts.frames == expected else f" (expected {expected})"
    return Group(
        Text("\nFour pictures became a video:", style="bold green"),
        Text(f"  {outcome.video}", style="bold"),
        Text(f"  {_facts_in_words(facts)}{wrong}"),
        Text("\nMeasured:", style="bold"),
        _measures(store, [outcome.task, *outcome.children]),
        Text(f"  model loads {loads}; from the queue to the video {clock(seconds)}"),
    )


def write_sheet(outcome: Outcome, laid: Laid, path: Path) -> None:
    """Write the contact sheet of a journey's segments."""
    from worker.demo.sheet import Row, draw_sheet, open_picture
    from worker.demo.story import PROMPTS
    from worker.video.files import read_frames
    from worker.video.probing import probe_video

    pictures = [
        (f"picture {number}", open_picture(picture))
        for number, picture in enumerate(laid.pictures, start=1)
    ]
    rows = [
        Row(
            title=f"{index + 1}  {PROMPTS[index]}",
            detail=EFFECTS[index].in_words(),
            first=pictures[index],
            last=pictures[index + 1],
            frames=read_frames(Path(segment.output_location or "")),
        )
        for index, segment in enumerate(outcome.segments)
    ]
    title = f"loop26 demo: {_facts_in_words(probe_video(outcome.video))}"
    draw_sheet(title, rows).save(path, optimize=True)


def _place(child: Task) -> int:
    """Return a segment's index; what has none comes last."""
    index = child.params.get("segment_index")
    return index if isinstance(index, int) else _MOST_CHILDREN


def _facts_in_words(facts: "VideoFacts") -> str:
    return (
        f"{facts.frames} frames, {facts.width}x{facts.height}, {facts.fps:g} frames a second, "
        f"{facts.frames / facts.fps:.2f} s"
    )


def _measures(store: TaskStore, tasks: Sequence[Task]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("  task")
    table.add_column("id")
    for heading in ("took", *MEASURES):
        table.add_column(heading, justify="right")
    for task in tasks:
        record = (task.result_data or {}).get("record", {})
        measured = [str(record.get(name, "")) for name in MEASURES]
        took = clock(_attempt_s(store.events(task.id)))
        table.add_row(f"  {name_of(task)}", str(task.id)[:8], took, *measured)
    return table


def _attempt_s(events: Sequence[Event]) -> float:
    """Return the seconds from the last claim to its end; an orchestrator's end is its plan's."""
    claimed = next(event for event in reversed(events) if event.name == "claimed")
    ended = next(event for event in events if event.seq > claimed.seq and event.name in ENDS)
    return (ended.at - claimed.at).total_seconds()
