"""What the resolver needs to know of a model; `worker.engines.base.ModelDefinition` fits."""

from collections.abc import Mapping
from typing import Any, Protocol


class ModelFacts(Protocol):
    """A model, as far as parameters depend on it. Nothing here is written to."""

    @property
    def name(self) -> str:
        """As tasks name it."""
        ...

    @property
    def engine(self) -> str:
        """Name of the engine that runs it."""
        ...

    @property
    def kind(self) -> str:
        """One of "i2v", "t2v" and "ti2v"."""
        ...

    @property
    def fps(self) -> float:
        """Frames per second it was trained at, used where the task says none."""
        ...

    @property
    def frame_stride(self) -> int:
        """Frames are this times N, and 1."""
        ...

    @property
    def min_frames(self) -> int:
        """The least number of frames."""
        ...

    @property
    def max_frames(self) -> int:
        """The greatest number of frames."""
        ...

    @property
    def max_side(self) -> int:
        """The greatest width and height, in pixels."""
        ...

    @property
    def size_multiple(self) -> int:
        """Both sides are multiples of this."""
        ...

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The default of every parameter, in the order of the loop."""
        ...
