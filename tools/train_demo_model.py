"""Trains the demo's model and its LoRAs again, into the package, and writes the figures.

Run by hand, from the root of the checkout; two cores and half an hour:
.venv/bin/python -m tools.train_demo_model
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file

from tools.demo_training.clips import Clips
from tools.demo_training.codec import fit_codec
from tools.demo_training.evaluation import evaluate
from tools.demo_training.loras import EFFECTS, LoraCourse, train_lora
from tools.demo_training.network import (
    Texts,
    load_text_encoder,
    new_text_encoder,
    new_transformer,
    shorten_texts,
)
from tools.demo_training.training import HIGH, LOW, Course, Objective, train
from tools.demo_training.writing import write_lora, write_pipeline
from worker.engines.patch_codec import PatchCodec
from worker.engines.weights import SHIPPED

SEED = 26
EXPERTS = {"high": HIGH, "low": LOW}
# The low-noise expert follows what it sees: it learns so from clips with untold effects.
_MIXED = {"high": 0.0, "low": 0.35}
_AT_ONCE = 2
_TOLD_EVERY = 10
_FIGURES = "figures.json"


def main() -> None:
    """Train the experts, each in a process of its own, then the LoRAs, and write all of it."""
    options = _options()
    if options.part:
        _train_part(options)
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        options.made = Path(made)
        torch.manual_seed(SEED)
        fit_codec(SEED).save_pretrained(options.made / "codec")
        new_text_encoder().save_pretrained(options.made / "text_encoder")
        with Progress(
            "{task.description:>5}",
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
        ) as progress:
            _train_parts(EXPERTS, options.steps, options, progress)
            _train_parts(EFFECTS, options.lora_steps, options, progress)
        _write(options)
    figures = {"minutes": round((time.monotonic() - began) / 60, 1), "steps": options.steps}
    figures |= evaluate(options.out)
    text = json.dumps(figures, indent=2)
    (options.out / _FIGURES).write_text(f"{text}\n", encoding="utf-8")
    print(text)  # noqa: T201 - a script tells what it found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--lora-steps", type=int, default=300)
    parser.add_argument("--part", default="", help="used by the script itself")
    parser.add_argument("--made", type=Path, help="used by the script itself")
    return parser.parse_args()


def _train_parts(
    parts: Iterable[str], steps: int, options: argparse.Namespace, progress: Progress
) -> None:
    """Train each part in a process of its own, two at a time, and show how far they are."""
    bars = {part: progress.add_task(part, total=steps, loss=0.0) for part in parts}

    def run(part: str) -> None:
        command = [sys.executable, "-m", "tools.train_demo_model", "--part", part]
        command += ["--made", str(options.made), "--steps", str(options.steps)]
        command += ["--lora-steps", str(options.lora_steps)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                step, loss = line.split()
                progress.update(bars[part], completed=int(step), loss=float(loss))
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(run, bars))


def _train_part(options: argparse.Namespace) -> None:
    """Train one expert or one LoRA on one core, and keep it beside the codec."""
    torch.set_num_threads(1)
    trained = _train_expert if options.part in EXPERTS else _train_lora
    tensors = trained(options.part, options)
    save_file(tensors, options.made / f"{options.part}.safetensors")


def _train_expert(name: str, options: argparse.Namespace) -> dict[str, torch.Tensor]:
    second = name == "low"
    codec = _codec(options)
    torch.manual_seed(SEED)
    expert = new_transformer(codec.config.z_dim)
    shorten_texts(expert)
    clips = Clips(codec, seed=SEED + 100 + second, stock=512, renewed=2, mixed=_MIXED[name])
    objective = _objective(codec, options, SEED + 200 + second)
    course = Course(steps=options.steps, batch=6, rate=4e-3)
    train(expert, clips, objective, EXPERTS[name], course, _tell)
    return dict(expert.state_dict())


def _train_lora(effect: str, options: argparse.Namespace) -> dict[str, torch.Tensor]:
    seed = SEED + 300 + 10 * EFFECTS.index(effect)
    torch.manual_seed(seed)
    codec = _codec(options)
    high, low = _experts(codec, options)
    for expert in (high, low):
        shorten_texts(expert)
    course = LoraCourse(steps=options.lora_steps, batch=6, stock=96, rate=4e-3)
    objective = _objective(codec, options, seed)
    return train_lora(effect, (high, low), codec, objective, course, seed, _tell)


def _tell(step: int, loss: float) -> None:
    if step % _TOLD_EVERY == 0:
        print(step, loss, flush=True)  # noqa: T201 - the process that shows it reads this


def _codec(options: argparse.Namespace) -> Any:
    return PatchCodec.from_pretrained(options.made / "codec")


def _objective(codec: Any, options: argparse.Namespace, seed: int) -> Objective:
    return Objective(codec, Texts(load_text_encoder(options.made / "text_encoder")), seed)


def _experts(codec: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    high, low = (new_transformer(codec.config.z_dim) for _ in EXPERTS)
    for name, expert in (("high", high), ("low", low)):
        expert.load_state_dict(load_file(options.made / f"{name}.safetensors"))
    return high, low


def _write(options: argparse.Namespace) -> None:
    codec = _codec(options)
    high, low = _experts(codec, options)
    text_encoder = load_text_encoder(options.made / "text_encoder")
    folder = options.out / "shapes_i2v"
    write_pipeline(folder, high=high, low=low, text_encoder=text_encoder, codec=codec)
    for effect in EFFECTS:
        tensors = load_file(options.made / f"{effect}.safetensors")
        write_lora(options.out / "shapes_loras" / f"{effect}.safetensors", tensors)


if __name__ == "__main__":
    main()
