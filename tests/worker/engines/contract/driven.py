"""An engine under test, and short words for what its tests do again and again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tests.worker.engines.contract.process_state import ProcessState
from tests.worker.engines.contract.subjects import PICTURES, Subject
from worker.engines.base import Engine, Generated, Inputs, LoraFile, ModelDefinition
from worker.errors import TaskCancelled
from worker.params.layers import Layer
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

WIDTH, HEIGHT, FRAMES = 64, 48, 9
COUNT: Final = 4  # of the steps of a request of which nothing is said
_ASKED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "prompt": "a walk by the lake",
        "negative_prompt": "blurry",
        "resolution": f"{WIDTH}x{HEIGHT}",
        "video_length": FRAMES,
        "seed": 5,
    }
)


class Watching:
    """Keeps what an engine tells its observer, and cancels once so many steps are done.

    Attributes:
        steps: Those that it was told of.
        pictures: Those that it was told of while others were still decoded.
        checks: How often it was asked whether to go on, after each number of steps.
    """

    def __init__(self, *, cancel_after: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self.checks: dict[int, int] = {}
        self.pictures: list[Any] = []
        self._cancel_after = cancel_after

    def check_cancelled(self) -> None:
        """Raise once enough steps are done."""
        done = len(self.steps)
        self.checks[done] = self.checks.get(done, 0) + 1
        if self._cancel_after is not None and done >= self._cancel_after:
            raise TaskCancelled("cancelled by the test")

    def step(self, index: int, count: int) -> None:
        """Keep the step."""
        self.steps.append((index, count))

    def decoded(self, frames: Any) -> None:
        """Keep the pictures."""
        self.pictures.extend(frames)


def phases(
    *steps: int,
    guidance: Sequence[float] = (3.0, 1.0, 1.0),
    loras: Mapping[Path, str] | None = None,
) -> dict[str, Any]:
    """Return a phase config of so many steps a phase; of a LoRA, '1.2;0' says one value a phase."""
    texts = {path: text.split(";") for path, text in (loras or {}).items()}
    return {
        "num_phases": len(steps),
        "steps_per_phase": list(steps),
        "flow_shift": 5.0,
        "sample_solver": "euler",
        "model_switch_phase": 1,
        "phases": [
            {
                "phase": phase + 1,
                "guidance_scale": guidance[phase],
                "loras": [
                    {"url": str(path), "multiplier": parts[phase]} for path, parts in texts.items()
                ],
            }
            for phase in range(len(steps))
        ],
    }


class Driven:
    """One engine, which all tests of a process share: what one leaves behind, another meets.

    Args:
        subject: Which it is.
        folder: Of its own.

    Attributes:
        engine: The engine.
        first: The frames of the first video that it made, of a request of which nothing is said.
        first_changed: What of the process was another when that was made.
    """

    def __init__(self, subject: Subject, folder: Path) -> None:
        before = ProcessState()
        self.subject = subject
        self.engine: Engine = subject.make(folder)
        self.loras = subject.loras(folder)
        self._definitions: dict[str, ModelDefinition] = {}
        self.first = self.frames()
        self.first_changed = before.changed()

    @property
    def model(self) -> str:
        """The model that generates."""
        return self.subject.model

    @property
    def models(self) -> tuple[str, ...]:
        """All that tests speak of."""
        return (self.subject.model, *self.subject.others)

    def definition(self, model: str = "") -> ModelDefinition:
        """Return a model's definition, asked for once."""
        name = model or self.model
        if name not in self._definitions:
            self._definitions[name] = self.engine.model_def(name)
        return self._definitions[name]

    def request(self, *, model: str = "", **values: Any) -> GenerationRequest:
        """Resolve a task of these values, as a handler does."""
        asked = {"phase_config": phases(2, 2), **_ASKED, **values}
        return resolve(
            self.definition(model),
            [Layer(source="task", values=asked)],
            draw_seed=lambda: 1,
            recorded=False,
        )

    def inputs(self, request: GenerationRequest, **pictures: "Image | None") -> Inputs:
        """Return what a request starts from: its LoRAs, and pictures where its model takes them."""
        given: dict[str, Any] = {}
        if PICTURES in self.subject.promises and request.model == self.model:
            given = {"start_image": picture()}
        files = tuple(LoraFile(path=Path(use.url), use=use) for use in request.loras)
        return Inputs(**{**given, **pictures}, loras=files)

    def generate(
        self, request: GenerationRequest | None = None, observer: Watching | None = None
    ) -> Generated:
        """Generate a request; without one, of that of which nothing is said."""
        asked = request or self.request()
        return self.engine.generate(asked, self.inputs(asked), observer or Watching())

    def frames(self, **values: Any) -> "np.ndarray[Any, Any]":
        """Return the frames of a request of these values."""
        return self.generate(self.request(**values)).frames


def picture(*, turned: int = 0) -> "Image":
    """Return a picture of the frame's size, turned by so many degrees."""
    from PIL import Image

    drawn = Image.linear_gradient("L").rotate(turned).resize((WIDTH, HEIGHT))
    return drawn.convert("RGB")
