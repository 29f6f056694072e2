"""The ends of processes that died unseen are written, at once or when there is room."""

import resource
from pathlib import Path
from typing import Any

from telemetry.journal import JournalReader
from telemetry.records import ProcessEnd
from telemetry.shipper.adoption import Adoption


def test_what_found_no_room_is_closed_by_the_same_supervisor(script: Any, spool: Path) -> None:
    """It does not take a restart, and is counted until then."""
    script.writer.close()
    adoption = Adoption(spool)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        assert adoption.begin() == []
        adoption.go_on()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert adoption.unclosed == {script.directory}
    adoption.go_on()
    assert adoption.unclosed == set()
    (record,) = JournalReader(script.directory).read()
    assert isinstance(record.body, ProcessEnd)
