"""Files that a task names to its engine in parameters of the engine's own."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from worker.errors import InputError
from worker.inputs.fetch import check_local
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import scheme_of
from worker.params.parameters import PARAMETERS
from worker.params.request import GenerationRequest

# The layers of a request that are the operator's.
_OURS: Final = ("system", "model")
MAX_BYTES: Final = 20_000_000_000  # as of an earlier task's video


def check_named_files(request: GenerationRequest, policy: InputPolicy) -> None:
    """Hold the files that a task names to its engine against the folders that are allowed.

    What a parameter of an engine is for, only the engine knows, and it opens what it is given. So
    each text of the task that leads out of the engine's own folder must lie where inputs may.

    Raises `InputError` with the parameter. Nothing is refused where every path is allowed.
    """
    if policy.local_roots is None:
        return
    for name, param in request.params.items():
        if param.source in _OURS or name in PARAMETERS:
            continue
        for text in _texts(param.value):
            if _leads_out(text):
                try:
                    check_local(text, policy, max_bytes=MAX_BYTES)
                except InputError as error:
                    error.field = name
                    raise


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)


def _leads_out(text: str) -> bool:
    """Whether a text, if it is a path, is none below the folder that it is read in."""
    if scheme := scheme_of(text):
        return scheme == "file"
    path = PurePosixPath(text)
    is_file = path.is_absolute() and path.name != ""
    return is_file or text.startswith("~") or ".." in path.parts
