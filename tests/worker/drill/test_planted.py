"""What is planted is read from the engine's source; a fault that there is none of is refused."""

from pathlib import Path

import pytest

from worker.drill.planted import UnknownFault, marked, planted, summaries
from worker.engines.drill import cuda, faults, models

FAULTS = list(models.FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_planted_at_a_line_that_is_marked(fault: str) -> None:
    """In a function of the engine, which is named."""
    what = planted(fault)
    line = Path(what.place.file).read_text().splitlines()[what.place.line - 1]
    assert "# drill: " in line
    assert what.place.function
    assert what.model == f"drill_{fault}"


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_listed_with_a_line(fault: str) -> None:
    """Which fits a terminal beside its name."""
    assert 0 < len(summaries()[fault]) <= 62


def test_a_simulated_fault_is_planted_elsewhere() -> None:
    """Its model is another, and it says so."""
    real, simulated = planted("cuda-oom"), planted("cuda-oom", simulated=True)
    assert simulated.simulated
    assert (real.place.file, simulated.place.file) == (cuda.__file__, cuda.__file__)
    assert real.place.line != simulated.place.line
    assert simulated.model == "drill_cuda-oom-simulated"


def test_an_unknown_fault_is_refused_with_the_nearest() -> None:
    """Or with all of them, where none is near."""
    with pytest.raises(UnknownFault, match="did you mean segfault") as caught:
        planted("segfalt")
    assert caught.value.nearest[0] == "segfault"
    with pytest.raises(UnknownFault, match="known: exception, none-from-engine"):
        planted("zzz")


def test_a_mark_stands_at_one_line_alone() -> None:
    """One of a longer name is another."""
    assert marked(faults, "swallowed").function == "_decode"
    assert marked(faults, "swallowed, reported").function == "swallowed"
    with pytest.raises(ValueError, match="not enough"):
        marked(faults, "swallow")
