"""LoRA files in the two transformers of a pipeline: loaded once, scaled for each step."""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from worker.engines.base import LoraFile
from worker.engines.device_faults import DeviceFault, device_fault
from worker.errors import EngineError, InputError
from worker.params.request import Step

_log = logging.getLogger(__name__)

# Component of the pipeline that runs for each expert of a step.
EXPERTS: Mapping[str, str] = {"high": "transformer", "low": "transformer_2"}


@dataclass(frozen=True, slots=True)
class _Adapter:
    """One LoRA of a task: its name inside peft, and its strength in each step."""

    name: str
    per_step: tuple[float, ...]


class LoraAdapters:
    """The LoRAs of one loaded pipeline.

    Adapters stay loaded between tasks that use the same files (same path, size and time of
    change), which is every segment of a journey; those that a task does not use are removed, so
    memory holds one task's LoRAs. A LoRA whose strength is 0 in all steps of an expert is not
    loaded into that expert.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._loaded: dict[str, set[str]] = {component: set() for component in EXPERTS.values()}
        self._applied: dict[str, dict[str, float]] = {}
        self._adapters: tuple[_Adapter, ...] = ()

    def prepare(self, loras: Sequence[LoraFile], steps: Sequence[Step]) -> None:
        """Load what the steps use, remove what they do not. Raises `InputError` naming a file."""
        self._applied.clear()
        adapters = [_Adapter(_adapter_name(lora.path), _per_step(lora, steps)) for lora in loras]
        wanted = {
            component: {
                adapter.name
                for adapter in adapters
                if any(adapter.per_step[step.index] for step in steps if step.expert == expert)
            }
            for expert, component in self._experts().items()
        }
        for component, names in wanted.items():
            self._remove(component, self._loaded[component] - names)
        for lora, adapter in zip(loras, adapters, strict=True):
            self._load(lora.path, adapter.name, wanted)
        self._adapters = tuple(adapters)

    def apply(self, step: Step) -> tuple[float, ...]:
        """Set every LoRA's strength for this step; return the strengths in the task's order.

        The same file used twice counts with the sum of its strengths.
        """
        component = self._experts()[step.expert]
        scales: dict[str, float] = {}
        for adapter in self._adapters:
            if adapter.per_step[step.index]:
                scales[adapter.name] = scales.get(adapter.name, 0.0) + adapter.per_step[step.index]
        if self._applied.get(component) != scales:
            self._set(component, scales)
            self._applied[component] = scales
        return tuple(float(adapter.per_step[step.index]) for adapter in self._adapters)

    def _experts(self) -> Mapping[str, str]:
        return EXPERTS if self._pipeline.transformer_2 is not None else {"high": "transformer"}

    def _set(self, component: str, scales: Mapping[str, float]) -> None:
        if not self._loaded[component]:
            return
        transformer = getattr(self._pipeline, component)
        if not scales:
            transformer.disable_lora()
            return
        transformer.enable_lora()
        transformer.set_adapters(list(scales), list(scales.values()))

    def _remove(self, component: str, names: set[str]) -> None:
        if not names:
            return
        transformer, kept = getattr(self._pipeline, component), self._loaded[component] - names
        if kept:
            # peft warns when what it deletes is active.
            transformer.set_adapters(sorted(kept))
            transformer.delete_adapters(sorted(names))
        else:
            # The last one takes peft's layers with it: the transformer is as it was loaded.
            transformer.unload_lora()
        self._loaded[component] = kept

    def _load(self, path: Path, name: str, wanted: Mapping[str, set[str]]) -> None:
        missing = [
            component
            for component, names in wanted.items()
            if name in names and name not in self._loaded[component]
        ]
        if not missing:
            return
        tensors = _read(path)
        for component in missing:
            self._load_into(component, path, name, tensors)
            self._loaded[component].add(name)

    def _load_into(
        self, component: str, path: Path, name: str, tensors: Mapping[str, torch.Tensor]
    ) -> None:
        transformer = getattr(self._pipeline, component)
        try:
            with _expected_warnings():
                self._pipeline.load_lora_weights(
                    dict(tensors),
                    adapter_name=name,
                    load_into_transformer_2=component == "transformer_2",
                )
        except (ValueError, RuntimeError, KeyError, IndexError, AttributeError) as error:
            fault = device_fault(error)
            if fault in (DeviceFault.POISONED, DeviceFault.GONE):
                raise  # nothing that uses the device can be put right any more
            self._remove(component, self._loaded[component])
            # Half of the file may be in, without any trace in the books.
            transformer.unload_lora()
            if fault is DeviceFault.OUT_OF_MEMORY:
                raise
            raise InputError(
                str(path), f"this LoRA does not fit the model's {component}: {_cause(error)}"
            ) from error
        layers = _adapted_layers(transformer, name)
        if not layers:
            raise InputError(
                str(path),
                f"this LoRA has no weights for the model's {component}; "
                f"its tensors begin with {next(iter(tensors), '')!r}",
            )
        _log.info("LoRA %s: %d layers of %s", path, layers, component)


@contextmanager
def _expected_warnings() -> Iterator[None]:
    """Keep back what peft says about several adapters in one transformer, which are meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        warnings.filterwarnings("ignore", message="Adapter .* was active which is now deleted")
        yield


def _cause(error: Exception) -> str:
    """Say in one line what is wrong: torch lists every tensor, and the first tells enough.

    diffusers' own cleaning up can fail too, and hide what it cleans up after.
    """
    lines = str(error.__context__ or error).split("\n")
    return " ".join(line.strip() for line in lines[:2])


def _per_step(lora: LoraFile, steps: Sequence[Step]) -> tuple[float, ...]:
    if len(lora.use.per_step) != len(steps):
        raise EngineError(
            f"LoRA {lora.use.url!r} has strengths for {len(lora.use.per_step)} steps "
            f"and the schedule has {len(steps)}"
        )
    return lora.use.per_step


def _adapter_name(path: Path) -> str:
    """Name the file's present content; peft allows no dots in a name."""
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(str(path), f"this LoRA file cannot be read: {error.strerror}") from error
    key = f"{path.resolve()}\0{stat.st_mtime_ns}\0{stat.st_size}"
    return f"lora_{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            str(path), f"this LoRA is no readable .safetensors file: {error}"
        ) from error


def _adapted_layers(transformer: Any, name: str) -> int:
    return sum(name in getattr(module, "lora_A", ()) for module in transformer.modules())
