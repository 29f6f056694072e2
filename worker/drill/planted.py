"""What is planted: for each fault the line it is at, what it is called, and what must be seen."""

import ast
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

from worker.engines.drill import cuda, faults, incident, models, steps
from worker.errors import WorkerError

RAISED: Final = "raised at"
STOPPED: Final = "stopped at"
OPENED: Final = "opened at"
# Seconds without progress that make a hang of a drill's step.
HANG_AFTER_S: Final = 3.0
_MARK: Final = "# drill: "


class UnknownFault(WorkerError):
    """Raised for a fault that no drill knows; names the nearest."""

    exit_code = 2

    def __init__(self, fault: str) -> None:
        nearest = difflib.get_close_matches(fault, models.FAULTS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else ""
        super().__init__(
            f"no drill makes the fault {fault!r}; {hint or 'known: ' + ', '.join(models.FAULTS)}"
        )
        self.fault = fault
        self.nearest = tuple(nearest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of the engine's source, and the function that it is in."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        where = f"{Path(self.file).name}:{self.line} in {self.function}"
        return where if self.file else "no place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What one fault is expected to leave.

    Attributes:
        fault: Its name.
        model: The model of the drill's engine that meets it.
        type: The exception's type, or the kind of death; the last part of a dotted name.
        known_as: How exactly the line can be known: "raised at", "stopped at", "opened at".
        place: The line.
        values: Locals of the innermost frame that must be seen; {} where no frame can be.
        expression: What was None there, or "".
        steps: Steps of denoising that went well before.
        swallowed: Whether the line is that of an exception which the engine kept to itself.
        hang_after_s: After how many seconds it is a hang; 0 for what is none.
        simulated: Whether it only looks like the fault: there is no CUDA here.
    """

    fault: str
    model: str
    type: str
    known_as: str
    place: Place
    values: Mapping[str, Any] = field(default_factory=dict)
    expression: str = ""
    steps: int = steps.FAULT_STEP - 1
    swallowed: bool = False
    hang_after_s: float = 0.0
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What is known of a fault, whichever line it is at."""

    summary: str
    type: str
    known_as: str = STOPPED
    mark: str = ""  # the fault's name where it is ""
    source: ModuleType = faults
    values: Mapping[str, Any] = field(default_factory=dict)
    expression: str = ""


_SEEN: Final = MappingProxyType({"planted": faults.PLANTED})
_KINDS: Final[Mapping[str, _Kind]] = {
    "exception": _Kind(
        summary="an exception that nobody catches",
        type="ArithmeticError",
        known_as=RAISED,
        values=_SEEN,
    ),
    "none-from-engine": _Kind(
        summary="the engine looks something up, gets None, and asks it for more",
        type="AttributeError",
        known_as=RAISED,
        values=MappingProxyType({**_SEEN, "sampler": None}),
        expression="sampler",
    ),
    "swallowed": _Kind(
        summary="the engine catches an exception and passes on something vague",
        type="IndexError",
        known_as=RAISED,
        values=MappingProxyType({**_SEEN, "latents": []}),
    ),
    "segfault": _Kind(summary="a segmentation fault in native code", type="segfault"),
    "abort": _Kind(summary="native code aborts", type="abort"),
    "sigkill": _Kind(
        summary="SIGKILL: no last word, no stack",
        type="sigkill",
        known_as=OPENED,
        mark="step",
        source=steps,
    ),
    "oom": _Kind(
        summary="the kernel's out-of-memory killer, in a group of its own",
        type="oom",
        known_as=OPENED,
        mark="step",
        source=steps,
    ),
    "exit": _Kind(summary="os._exit in the middle of a step", type="exit"),
    "hang": _Kind(summary="a call in Python that does not return", type="hang"),
    "gil-hang": _Kind(summary="native code hangs and holds the GIL", type="hang"),
    "cuda-oom": _Kind(
        summary="the GPU's memory is used up (simulated without CUDA)",
        type="OutOfMemoryError",
        known_as=RAISED,
        source=cuda,
        values=MappingProxyType({"planted": 2**50}),
    ),
    "cuda-assert": _Kind(
        summary="an assertion fails on the GPU (simulated without CUDA)",
        type="AcceleratorError",
        known_as=RAISED,
        source=cuda,
        values=MappingProxyType({"planted": 8}),
    ),
    "incident": _Kind(
        summary="the incident: one defect, 13 segments, a log cut at LOOP 26",
        type="AttributeError",
        known_as=RAISED,
        source=incident,
        values=MappingProxyType({"model_name": "", "model_def": None}),
        expression="model_def",
    ),
}


def summaries() -> dict[str, str]:
    """Return each fault with a line of what it is, in the order of a drill of all."""
    return {fault: _KINDS[fault].summary for fault in models.FAULTS}


def planted(fault: str, *, simulated: bool = False) -> Planted:
    """Return what a fault is expected to leave; its line is read from the engine's source.

    Args:
        fault: One of `summaries`.
        simulated: Whether a CUDA fault is one in appearance only.

    Raises:
        UnknownFault: There is no such fault.
    """
    kind = _KINDS.get(fault)
    if kind is None:
        raise UnknownFault(fault)
    name = f"{fault}{models.SIMULATED}" if simulated else fault
    return Planted(
        fault=fault,
        model=models.model_of(name),
        type=kind.type,
        known_as=kind.known_as,
        place=marked(kind.source, kind.mark or name),
        values=kind.values,
        expression=kind.expression,
        steps=0 if fault == models.INCIDENT else steps.FAULT_STEP - 1,
        swallowed=fault == "swallowed",
        hang_after_s=HANG_AFTER_S if kind.type == "hang" else 0.0,
        simulated=simulated,
    )


def marked(module: ModuleType, mark: str) -> Place:
    """Return the line of a module that ends with `# drill: <mark>`."""
    file = str(module.__file__)
    text = Path(file).read_text(encoding="utf-8")
    lines = enumerate(text.splitlines(), start=1)
    [number] = [number for number, line in lines if line.endswith(f"{_MARK}{mark}")]
    return Place(file=file, line=number, function=_function_at(text, number))


def _function_at(text: str, number: int) -> str:
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    [found] = [one.name for one in functions if one.lineno <= number <= (one.end_lineno or 0)]
    return found
