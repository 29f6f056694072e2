"""Writes what was trained as a folder that `from_pretrained` loads."""

from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save_file

from tools.demo_training.clips import REDUCED
from tools.demo_training.training import BOUNDARY, SHIFT
from worker.engines.byte_tokenizer import build_byte_tokenizer
from worker.engines.patch_codec import PatchCodec

_READABLE = 0o644


def write_pipeline(folder: Path, *, high: Any, low: Any, text_encoder: Any, codec: Any) -> None:
    """Write a pipeline, its experts in bfloat16 and its codec in float16."""
    pipeline = diffusers.WanImageToVideoPipeline(
        tokenizer=build_byte_tokenizer(),
        text_encoder=text_encoder.to(torch.bfloat16),
        vae=_enlarged(codec),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=SHIFT),
        transformer=high.to(torch.bfloat16),
        transformer_2=low.to(torch.bfloat16),
        boundary_ratio=BOUNDARY,
    )
    pipeline.save_pretrained(folder)
    for file in folder.rglob("*.safetensors"):
        file.chmod(_READABLE)  # safetensors keeps what it writes to its owner


def write_lora(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write a LoRA that fits both experts: `load_lora_weights` puts the same into either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {f"transformer.{key}": value.to(torch.bfloat16) for key, value in tensors.items()}
    save_file(named, path, metadata={"format": "pt"})
    path.chmod(_READABLE)


def _enlarged(codec: PatchCodec) -> PatchCodec:
    """Return a codec of videos as large as they are seen, for one of reduced ones."""
    side = codec.config.scale_factor_spatial * REDUCED
    enlarged = PatchCodec.from_config(codec.config, scale_factor_spatial=side, reduced=REDUCED)
    enlarged.load_state_dict(codec.state_dict())
    return enlarged.to(torch.float16)
