"""Videos of earlier tasks, as files on this machine."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from worker.inputs.fetch import Wanted, fetch, go_on
from worker.inputs.policy import InputPolicy

MAX_VIDEO_BYTES = 20_000_000_000


def fetch_video(location: str, policy: InputPolicy, *, check: Callable[[], None] = go_on) -> Path:
    """Return the output of an earlier task, a local path or a URL, as a file.

    Raises:
        InputError: It is not there or cannot be downloaded.
    """
    # A location comes from the queue's own rows, not from a payload: it lies among the outputs,
    # wherever the operator lets payloads take their inputs from.
    trusted = dataclasses.replace(policy, allowed_roots=())
    return fetch(Wanted(source=location, max_bytes=MAX_VIDEO_BYTES, check=check), trusted)
