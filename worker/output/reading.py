"""Outputs of earlier tasks, as the task that goes on from them can read them."""

import logging
from dataclasses import replace

from worker.errors import OutputError
from worker.output.storage import Storage
from worker.task import Claim, Dependency

_log = logging.getLogger(__name__)


def with_readable_outputs(claim: Claim, storage: Storage) -> Claim:
    """Return the claim with addresses that are good for now: a signature may have run out.

    The task process has no key to sign with. Where none can be signed now, the row's stands.
    """
    read = tuple(_readable(each, storage) for each in claim.dependencies)
    return replace(claim, dependencies=read)


def _readable(dependency: Dependency, storage: Storage) -> Dependency:
    location = dependency.output_location
    if location is None:
        return dependency
    try:
        return replace(dependency, output_location=storage.readable(dependency.id, location))
    except OutputError as trouble:
        _log.warning("the output of task %s is read as it was named: %s", dependency.id, trouble)
        return dependency
