"""Where a pipeline computes: device, number format, offloading; and the proof that it computes."""

from dataclasses import dataclass
from typing import Any

import torch

from worker.engines.base import DeviceFacts
from worker.errors import SettingsError

OFFLOADS = ("none", "model", "sequential")
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
DTYPES = ("auto", *_DTYPES)
_PROBE_SIDE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A device that is there, the number format of the transformers, and the offloading."""

    device: torch.device
    dtype: torch.dtype
    offload: str

    @classmethod
    def choose(cls, *, device: str, dtype: str, offload: str) -> "Placement":
        """Turn the settings into what this machine has. Raises `SettingsError`.

        "auto" is CUDA where there is one, then bfloat16; otherwise the CPU in float32.
        """
        chosen = _device(device)
        if dtype not in DTYPES:
            raise SettingsError(f"dtype {dtype!r} is not one of {', '.join(DTYPES)}")
        if offload not in OFFLOADS:
            raise SettingsError(f"offload {offload!r} is not one of {', '.join(OFFLOADS)}")
        if offload != "none" and chosen.type != "cuda":
            raise SettingsError(
                f"offload {offload!r} needs a CUDA device and this one is {str(chosen)!r}; "
                "set offload to none"
            )
        automatic = torch.bfloat16 if chosen.type == "cuda" else torch.float32
        return cls(device=chosen, dtype=_DTYPES.get(dtype, automatic), offload=offload)

    def place(self, pipeline: Any) -> None:
        """Put a loaded pipeline on the device, or leave it to accelerate's hooks."""
        if self.offload == "model":
            pipeline.enable_model_cpu_offload(device=self.device)
        elif self.offload == "sequential":
            pipeline.enable_sequential_cpu_offload(device=self.device)
        else:
            pipeline.to(self.device)

    @property
    def indexed(self) -> torch.device:
        """The device as tensors on it name it: of CUDA, with its number."""
        if str(self.device) == "cuda":
            return torch.device("cuda", torch.cuda.current_device())
        return self.device

    def synchronize(self) -> None:
        """Wait until the device has done what was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @property
    def device_name(self) -> str:
        """What the device calls itself, as "NVIDIA H200"; "CPU" of one that has no name here."""
        is_cuda = self.device.type == "cuda"
        return torch.cuda.get_device_name(self.device) if is_cuda else "CPU"

    def allocated_bytes(self) -> int | None:
        """Return the memory that tensors hold on a CUDA device, None elsewhere."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else None

    def free_unused(self) -> None:
        """Give cached device memory back to the driver."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def probe(placement: Placement) -> DeviceFacts:
    """Multiply two small matrices on the device and check every number of the product."""
    device = placement.device
    try:
        _make_current(device)
        wrong = _wrong_products(device)
    # The last two are how torch tells of a driver that fails late, and of a build without CUDA.
    except (RuntimeError, torch.cuda.DeferredCudaCallError, AssertionError) as error:
        return _facts(placement, problem=f"{device} does not compute: {error}")
    if wrong:
        return _facts(placement, problem=f"{device} computed {wrong} products of a matrix wrong")
    return _facts(placement)


def _make_current(device: torch.device) -> None:
    """Have what names no device mean this one.

    Else asking whether "the" device is well would ask cuda:0, and take memory there.
    """
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def _wrong_products(device: torch.device) -> int:
    """Count wrong elements; integers below 2**24 are exact in float32, in any order of adding."""
    left = torch.arange(_PROBE_SIDE**2, dtype=torch.float32).reshape(_PROBE_SIDE, -1) % 13
    right = left.T.contiguous() % 7
    expected = left.long() @ right.long()
    product = (left.to(device) @ right.to(device)).cpu()
    return int((product.long() != expected).sum())


def _facts(placement: Placement, *, problem: str = "") -> DeviceFacts:
    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "dtype": str(placement.dtype).removeprefix("torch."),
        "offload": placement.offload,
        "threads": torch.get_num_threads(),
    }
    name, memory_bytes = "CPU", 0
    if placement.device.type == "cuda" and not problem:
        properties = torch.cuda.get_device_properties(placement.device)
        name, memory_bytes = properties.name, properties.total_memory
        facts |= {
            "cuda": torch.version.cuda,
            "capability": f"{properties.major}.{properties.minor}",
        }
    return DeviceFacts(
        kind=placement.device.type,
        name=name,
        ready=not problem,
        problem=problem,
        memory_bytes=memory_bytes,
        facts=facts,
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(f"device {name!r} is none: say auto, cpu, cuda or cuda:N") from error
    if device.type not in {"cpu", "cuda"}:
        raise SettingsError(f"device {name!r} is not supported: say auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"device {name!r} is not there (torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} CUDA devices); say auto or cpu, or install a CUDA "
            "build of torch and its driver"
        )
    return device
