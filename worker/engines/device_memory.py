"""Who holds a device's memory: the parts of the model, other tensors, other processes.

Asked when memory has run out, so nothing is allocated on the device, and no tensor's values are
read.
"""

import gc
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import torch

from worker.engines import nvml
from worker.engines.base import MemoryFacts
from worker.engines.sizes import gigabytes

MOST_TENSORS: Final = 12
_LONGEST_NAME: Final = 80
_LORAS: Final = "loras"
_LORA_MARK: Final = ".lora_"  # of peft's parameters: blocks.0.attn1.to_q.lora_A.<adapter>.weight
_KINDS: Final = (torch.Tensor, torch.nn.Parameter)


def memory_facts(
    components: Mapping[str, Any], device: torch.device, exc: BaseException | None = None
) -> MemoryFacts:
    """Say who holds a device's memory.

    Args:
        components: The parts of the loaded model by name; what is no module is passed over.
        device: Tensors elsewhere are not told of.
        exc: Tensors are told by the names that they have in its frames.
    """
    parts = _parts(components, device)
    counted = {storage for found in parts.values() for storage in found}
    sizes = {name: sum(found.values()) for name, found in parts.items()}
    return MemoryFacts(
        device=_device(device),
        components=tuple(
            f"{gigabytes(size)} {name}"
            for name, size in sorted(sizes.items(), key=lambda one: -one[1])
            if size
        ),
        tensors=tuple(_tensors(device, counted, _names(exc))),
        processes=tuple(_processes(device)),
    )


def _parts(components: Mapping[str, Any], device: torch.device) -> dict[str, dict[int, int]]:
    """Return for each part, and for the LoRAs in all of them, its storages and their bytes."""
    found: dict[str, dict[int, int]] = {}
    seen: set[int] = set()
    for component, module in components.items():
        if not isinstance(module, torch.nn.Module):
            continue
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.device != device or (storage := _storage(tensor)) is None:
                continue
            if storage[0] not in seen:
                seen.add(storage[0])
                part = _LORAS if _LORA_MARK in name else component
                found.setdefault(part, {})[storage[0]] = storage[1]
    return found


def _storage(tensor: torch.Tensor) -> tuple[int, int] | None:
    """Return where a tensor's storage lies and how large it is; None of one that has none."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except (RuntimeError, NotImplementedError):  # a sparse or a fake one
        return None


def _device(device: torch.device) -> dict[str, int]:
    if device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info(device)
    blocks = (
        block["size"]
        for segment in torch.cuda.memory_snapshot()  # type: ignore[no-untyped-call]  # torch's own
        for block in segment["blocks"]
        if block["state"] == "inactive"
    )
    return {
        "total": total,
        "free": free,
        "allocated": torch.cuda.memory_allocated(device),
        "reserved": torch.cuda.memory_reserved(device),
        "largest_free": max(blocks, default=0),
    }


def _tensors(device: torch.device, counted: set[int], names: Mapping[int, str]) -> Iterator[str]:
    """Tell of the largest tensors that are no part of the model; views of one are told once."""
    found: dict[int, tuple[int, torch.Tensor]] = {}
    for one in gc.get_objects():
        # By the exact type: what an instance says of its class may be code of its own.
        if type(one) in _KINDS and one.device == device and (storage := _storage(one)):
            place, size = storage
            known = found.get(place)
            if size and place not in counted and (known is None or one.numel() > known[1].numel()):
                found[place] = size, one
    largest = sorted(found.items(), key=lambda one: -one[1][0])[:MOST_TENSORS]
    for place, (size, tensor) in largest:
        shape = "x".join(map(str, tensor.shape)) or "scalar"
        dtype = str(tensor.dtype).removeprefix("torch.")
        named = names.get(place)
        yield f"{gigabytes(size)} {shape} {dtype}{f': {named}' if named else ''}"


def _names(exc: BaseException | None) -> dict[int, str]:
    """Return what the innermost of an exception's frames that knows a tensor calls it."""
    found: dict[int, str] = {}
    frames = [frame for frame, _ in traceback.walk_tb(exc.__traceback__)] if exc else []
    for frame in reversed(frames):
        function = frame.f_code.co_qualname
        for name, tensor in _held(frame.f_locals.items()):
            if storage := _storage(tensor):
                found.setdefault(storage[0], f"{name} in {function}"[:_LONGEST_NAME])
    return found


def _held(variables: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors among variables, and those in the fields of our own dataclasses."""
    for name, value in variables:
        if type(value) in _KINDS:
            yield name, value
        elif is_dataclass(value) and type(value).__module__.startswith("worker."):
            for field in fields(value):
                inner: Any = getattr(value, field.name, None)
                if type(inner) in _KINDS:
                    yield f"{name}.{field.name}", inner


def _processes(device: torch.device) -> Iterator[str]:
    if device.type != "cuda":
        return
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    for pid, size in sorted(nvml.processes(uuid).items(), key=lambda one: -one[1]):
        yield f"{gigabytes(size) if size else 'an unknown amount'} of process {pid}"
