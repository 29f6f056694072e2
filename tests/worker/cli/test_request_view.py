"""How a request is shown to people before it is run."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from worker.cli.request_view import page_of
from worker.engines.catalog import Catalog
from worker.handlers.planning import Planned
from worker.params.layers import Layer
from worker.params.resolve import resolve

Show = Callable[..., str]


@pytest.fixture
def show() -> Show:
    """Return a function that shows the request of a task of Wan2GP with a solver."""

    def page(solver: str) -> str:
        model = replace(Catalog.load().get("tiny_t2v"), engine="wan2gp")
        values = {
            "prompt": "a walk",
            "sample_solver": solver,
            "guidance_phases": 1,
            "num_inference_steps": 2,
            "activated_loras": ["mine.safetensors"],
            "loras_multipliers": "0.7",
        }
        layers = [Layer(source="task", values=values)]
        request = resolve(model, layers, draw_seed=lambda: 4, recorded=False)
        console = Console(file=io.StringIO(), width=120)
        console.print(page_of(Planned(task_type="t2v", requests=(request,)), 120))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    return page


def test_the_steps_of_a_known_solver_are_shown(show: Show) -> None:
    """Each with its timestep, and what each LoRA does in it."""
    text = show("euler")
    assert "1000.0" in text
    assert "0.7  0.7" in text


def test_the_steps_that_only_the_engine_knows_are_not_made_up(show: Show) -> None:
    """How many there are is sure, and said."""
    text = show("lcm")
    assert "2 steps of lcm" in text
    assert "the timesteps of lcm, and so its phases, the engine decides" in text
    assert "1000.0" not in text
    assert "mine.safetensors  0.7" in text
    assert "0.7  0.7" not in text
