"""Asks a Python's own torch for its GPU: a program, run by its path in that interpreter.

It imports nothing of ours, and prints one JSON object in a line of its own.
"""

import json
import sys
import warnings
from typing import Any, Final

MARK: Final = "loop26:"  # before the answer: torch, or what it imports, may print as well


def ask(device: str) -> dict[str, Any]:
    """Have the device compute. Each answer is as far as it came."""
    answer: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            _ask(device, answer)
        except Exception as trouble:  # noqa: BLE001 - what a driver or a broken install raises is the answer
            answer["problem"] = f"{type(trouble).__name__}: {trouble}"
    # That a driver is too old, torch says in a warning.
    answer["warnings"] = [str(each.message) for each in said if "CUDA" in str(each.message)]
    return answer


def _ask(device: str, answer: dict[str, Any]) -> None:
    import torch

    answer["torch"] = torch.__version__
    cuda, rocm = torch.version.cuda, getattr(torch.version, "hip", None)
    answer["built_for"] = f"CUDA {cuda}" if cuda else f"ROCm {rocm}" if rocm else ""
    if not answer["built_for"]:
        return
    torch.cuda.init()  # type: ignore[no-untyped-call]  # torch's own
    index = torch.device(device).index or 0
    answer["index"] = index
    answer["devices"] = torch.cuda.device_count()
    answer["name"] = torch.cuda.get_device_name(index)
    total = int(torch.arange(8, device=f"cuda:{index}").sum().item())
    if total != sum(range(8)):
        answer["problem"] = f"it adds 0 to 7 up to {total}"


if __name__ == "__main__":
    sys.stdout.write(f"\n{MARK}{json.dumps(ask(sys.argv[1]))}\n")
