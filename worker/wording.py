"""How times and tasks are written for people, everywhere alike."""

from worker.task import Task, TaskStatus

QUIET_FROM_S = 30  # a step of a large model may take as long


def name_of(task: Task) -> str:
    """Name a task for people: its type, and which segment of its journey it is."""
    index = task.params.get("segment_index")
    return task.task_type if index is None else f"{task.task_type} {index}"


def quiet_for(seconds: float) -> str:
    """Say for how long a task has made no progress; "" where that is nothing to speak of."""
    return f"quiet for {whole_clock(seconds)}" if seconds >= QUIET_FROM_S else ""


def whole_clock(seconds: float) -> str:
    """Write whole seconds for people: nobody reads tenths that change all the time."""
    return "<1 s" if seconds < 1 else clock(round(seconds)).replace(".0", "")


def clock(seconds: float) -> str:
    """Write a span of time for people: 850 ms, 12.3 s, 4:05, 1:02:03."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def status_style(status: TaskStatus) -> str:
    """Return the colour of a status, the same everywhere."""
    return {
        TaskStatus.QUEUED: "blue",
        TaskStatus.IN_PROGRESS: "cyan",
        TaskStatus.COMPLETE: "green",
        TaskStatus.FAILED: "red",
        TaskStatus.CANCELLED: "yellow",
    }[status]
