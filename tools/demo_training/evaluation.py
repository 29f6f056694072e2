"""Has the engine itself generate from pictures that training never saw, and measures it."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools.demo_training.clips import video_tensor
from tools.demo_training.measures import Measures, measure
from worker.demo.scenes import FPS, FRAMES, HEIGHT, WIDTH, Scene, clip, describe, draw, random_pair
from worker.engines.base import Inputs, LoraFile
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.patch_codec import PatchCodec
from worker.params.request import GenerationRequest, LoraUse
from worker.params.schedules import phase_thresholds, plan, timesteps

MODEL, RANDOM_MODEL = "shapes_i2v", "tiny_i2v"
PHASES = (3, 3)
_HELD_OUT = 20261130
_PAIRS = 24


class _Unobserved:
    def check_cancelled(self) -> None:
        """Go on."""

    def step(self, index: int, count: int) -> None:
        """Tell nobody."""

    def decoded(self, frames: object) -> None:
        """Show nobody."""


def held_out(count: int) -> list[tuple[Scene, Scene]]:
    """Draw pairs of scenes by a lot of their own."""
    random = np.random.default_rng(_HELD_OUT)
    return [random_pair(random) for _ in range(count)]


def generate(
    engine: DiffusersWanEngine,
    first: Scene,
    last: Scene,
    *,
    model: str = MODEL,
    verb: str = "glides",
    seed: int = 0,
    loras: Mapping[Path, str] | None = None,
) -> Any:
    """Generate from two scenes' pictures, 3 + 3 steps: (frames, height, width, 3), 0 … 1.

    `loras` are files and their multipliers, one a phase: '1;0'.
    """
    files = tuple(_lora(path, text) for path, text in (loras or {}).items())
    times = timesteps("euler", 5.0, sum(PHASES))
    schedule = plan(
        times, solver="euler", shift=5.0, thresholds=phase_thresholds(times, PHASES),
        guidance=(1.0, 1.0), switch_phase=1,
    )  # fmt: skip
    request = GenerationRequest(
        engine="diffusers", model=model, prompt=describe(first, last, verb), negative_prompt="",
        width=WIDTH, height=HEIGHT, frames=FRAMES, fps=FPS, seed=seed, schedule=schedule,
        loras=tuple(file.use for file in files),
    )  # fmt: skip
    inputs = Inputs(start_image=draw(first), end_image=draw(last), loras=files)
    return engine.generate(request, inputs, _Unobserved()).frames.astype(np.float32) / 255


def engine_of(models_dir: Path) -> DiffusersWanEngine:
    """Make an engine that finds models there, and those that ship."""
    return DiffusersWanEngine(
        Catalog.load(), models_dir=models_dir, device="cpu", threads=1, local_files_only=True
    )


def cross_fade(first: Scene, last: Scene) -> Any:
    """Fade one picture into the other: what a model must be better than."""
    ends = [np.asarray(draw(scene), dtype=np.float32) / 255 for scene in (first, last)]
    share = np.linspace(0, 1, FRAMES, dtype=np.float32).reshape(-1, 1, 1, 1)
    return ends[0] + share * (ends[1] - ends[0])


def summary(measured: Sequence[Measures]) -> dict[str, float]:
    """Average over videos."""
    return {
        "ends": _mean([m.ends for m in measured]),
        "one_blob": _mean([m.blobs == 1 for m in measured]),
        "astray": _mean([m.astray for m in measured]),
        "jerk": _mean([m.jerk for m in measured]),
        "forth": _mean([m.forth for m in measured]),
        "area": _mean([m.area for m in measured]),
        "colour": _mean([m.colour for m in measured]),
    }


def evaluate(folder: Path) -> dict[str, Any]:
    """Measure the trained model, random weights and the cross-fade on the same pictures."""
    pairs = held_out(_PAIRS)
    truths = [clip(*pair) for pair in pairs]
    found = {}
    with tempfile.TemporaryDirectory() as elsewhere:
        engine, random = engine_of(folder), engine_of(Path(elsewhere))
        for name, videos in (
            ("trained", [generate(engine, *pair, seed=i) for i, pair in enumerate(pairs)]),
            ("cross_fade", [cross_fade(*pair) for pair in pairs]),
            ("random", [generate(random, *pair, model=RANDOM_MODEL) for pair in pairs]),
        ):
            rows = zip(videos, truths, pairs, strict=True)
            found[name] = summary([measure(video, truth, pair[0]) for video, truth, pair in rows])
            found[name]["psnr"] = _mean([_psnr(*one) for one in zip(videos, truths, strict=True)])
    found["codec"] = {"psnr": _mean([_psnr(_recoded(folder, truth), truth) for truth in truths])}
    return found


def _recoded(folder: Path, truth: Any) -> Any:
    """Return a video as the codec has it: no model of these latents can be nearer."""
    codec = PatchCodec.from_pretrained(folder / MODEL / "vae", torch_dtype=torch.float32)
    video = codec.decode(codec.encode(video_tensor(truth)).latents, return_dict=False)[0]
    return ((video[0].permute(1, 2, 3, 0) + 1) / 2).numpy()


def _psnr(video: Any, truth: Any) -> float:
    return float(-10 * np.log10(((video - truth) ** 2).mean()))


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def _lora(path: Path, multipliers: str) -> LoraFile:
    strengths = [float(part) for part in multipliers.split(";")]
    spread = [s for s, steps in zip(strengths, PHASES, strict=True) for _ in range(steps)]
    use = LoraUse(url=str(path), multipliers=multipliers, per_step=tuple(spread))
    return LoraFile(path=path, use=use)
