"""LoRAs: where they lie, and what each is worth at a step."""

import hashlib
from pathlib import Path

import numpy as np

from shared.utils.faults import asked


class Lora:
    """One that is in use: its colour, and its multiplier: `;` between phases, `,` within one."""

    def __init__(self, path, multiplier, steps_of_phases):
        digest = hashlib.sha256(Path(path).name.encode()).digest()
        self.path = path
        self.colour = np.frombuffer(digest[:3], dtype=np.uint8).astype(np.float32) / 127.5 - 1
        self.parts = [[float(one) for one in part.split(",")] for part in multiplier.split(";")]
        self.steps_of_phases = steps_of_phases

    def strength(self, step):
        """Return what it is worth; fewer parts than phases repeat the last one."""
        part = self.parts[min(step.phase, len(self.parts)) - 1]
        count = self.steps_of_phases[step.phase - 1]
        return part[min(step.place * len(part) // max(count, 1), len(part) - 1)]


def activate(*, names, multipliers, folder, absolute, steps_of_phases):
    """Return the LoRAs of a call. Raises where one is missing."""
    given = multipliers.split()
    if asked("lora"):
        given = [*given, "1.0;strong"]
        names = [*names, "style.safetensors"]
        return [float(part) for text in given for part in text.split(";")]  # fault: lora
    paths = [_path(name, folder, absolute) for name in names]
    given += ["1"] * (len(paths) - len(given))
    return [Lora(path, text, steps_of_phases) for path, text in zip(paths, given, strict=False)]


def _path(name, folder, absolute):
    """Find a LoRA by its base name; where paths are taken too, by its path."""
    path = Path(name)
    if not (absolute and path.is_absolute()):
        path = Path(folder, path.name)
    if not path.is_file():
        raise FileNotFoundError(f"LoRA {path.name} is not in {folder}")
    return str(path)
