"""The outputs of the tasks that a task depends on."""

from dataclasses import dataclass
from pathlib import Path

from worker.errors import InputError
from worker.handlers.base import Context
from worker.inputs.videos import fetch_video
from worker.task import Dependency


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A video of another task: where that task has put it, and where it lies on this machine."""

    location: str
    path: Path


def fetch_output(context: Context, dependency: Dependency) -> Output:
    """Bring a dependency's video here. Raises `InputError` where it has none."""
    location = dependency.output_location
    if location is None:
        raise InputError(str(dependency.id), "the segment has no output to go on from")
    path = fetch_video(location, context.inputs, check=context.observer.check_cancelled)
    return Output(location=location, path=path)
