"""How an engine tells how far it is, and stops when it must."""

import pytest

from tests.worker.engines.contract.driven import COUNT, Driven, Watching, phases
from worker.errors import TaskCancelled


def test_every_step_is_told_in_order(driven: Driven) -> None:
    """Once each, from 1 to the count."""
    observer = Watching()
    driven.generate(observer=observer)
    assert observer.steps == [(step, COUNT) for step in range(1, COUNT + 1)]


def test_the_steps_of_all_phases_are_counted_through(driven: Driven) -> None:
    """They do not begin again with a phase."""
    observer = Watching()
    driven.generate(driven.request(phase_config=phases(1, 2, 3)), observer)
    assert observer.steps == [(step, 6) for step in range(1, 7)]


def test_it_asks_at_every_step_whether_to_go_on(driven: Driven) -> None:
    """So a task that was cancelled ends within one, and one that hangs is known to."""
    observer = Watching()
    driven.generate(observer=observer)
    assert [done for done in range(COUNT) if not observer.checks.get(done)] == []


@pytest.mark.parametrize("after", [0, 2, COUNT - 1])
def test_cancelling_stops_within_a_step(driven: Driven, after: int) -> None:
    """No more than the step that was under way is told, and the next video is whole."""
    observer = Watching(cancel_after=after)
    with pytest.raises(TaskCancelled, match="cancelled by the test"):
        driven.generate(driven.request(seed=9), observer)
    assert after <= len(observer.steps) <= after + 1
    after_it = Watching()
    assert (driven.generate(observer=after_it).frames == driven.first).all()
    assert len(after_it.steps) == COUNT


def test_the_model_stays_loaded_when_a_task_is_cancelled(driven: Driven) -> None:
    """The next task need not wait for it."""
    driven.engine.load(driven.model)
    before = driven.engine.load_count
    with pytest.raises(TaskCancelled):
        driven.generate(observer=Watching(cancel_after=2))
    driven.generate()
    assert driven.engine.load_count == before
