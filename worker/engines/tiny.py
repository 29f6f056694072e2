"""Small two-expert Wan pipelines with random weights, built from a seed; LoRAs that fit them."""

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from worker.engines.base import ModelDefinition

LORA_NAMES = ("tiny_lora_high", "tiny_lora_both", "tiny_lora_low")
LORA_SEED = 26
LORA_RANK = 4

_LATENT_CHANNELS = 16
# The mask of an image-to-video transformer has one channel per frame of a latent frame.
_MASK_CHANNELS = 4
_TEXT_WIDTH = 32
_HEADS = 2
_HEAD_WIDTH = 12
_LAYERS = 2
_FFN_WIDTH = 64
# Untrained decoders give grey; this much contrast lets people see that pictures differ.
_DECODER_GAIN = 3.0
_ABANDONED_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """All that decides the bytes of what is built; raise `version` when the code changes them."""

    what: str
    seed: int
    version: int = 1

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def build_tiny_pipeline(definition: ModelDefinition, models_dir: Path) -> Path:
    """Return the folder of the pipeline that the definition's seed makes; build it at first use.

    The same seed gives the same bytes. Processes that build at once do not disturb each other:
    each writes a folder of its own, and the first to rename it wins.
    """
    recipe = _Recipe(what=definition.kind, seed=definition.seed)
    target = models_dir / f"{definition.name}-{recipe.digest}"
    return _build_once(target, lambda folder: _write_pipeline(recipe, folder))


def build_tiny_loras(models_dir: Path, *, seed: int = LORA_SEED) -> tuple[Path, ...]:
    """Return three LoRA files (`LORA_NAMES`) that fit both experts of every tiny pipeline."""
    recipe = _Recipe(what="loras", seed=seed)
    folder = _build_once(
        models_dir / f"tiny_loras-{recipe.digest}", lambda built: _write_loras(recipe, built)
    )
    return tuple(folder / f"{name}.safetensors" for name in LORA_NAMES)


def _build_once(target: Path, write: Callable[[Path], None]) -> Path:
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with torch.random.fork_rng(devices=[]):
            write(folder)
        try:
            folder.rename(target)
        except OSError:
            # Another process was first: the same recipe made the same bytes.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


def _remove_abandoned(target: Path) -> None:
    """Remove what builders that were killed have left; a living one is done in seconds."""
    for folder in target.parent.glob(f".{target.name}-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)


def _write_pipeline(recipe: _Recipe, folder: Path) -> None:
    from worker.engines.byte_tokenizer import build_byte_tokenizer

    torch.manual_seed(recipe.seed)
    image_to_video = recipe.what == "i2v"
    pipeline_class = (
        _diffusers().WanImageToVideoPipeline if image_to_video else _diffusers().WanPipeline
    )
    extra = _LATENT_CHANNELS + _MASK_CHANNELS if image_to_video else 0
    pipeline = pipeline_class(
        tokenizer=build_byte_tokenizer(),
        text_encoder=_text_encoder(),
        vae=_vae(),
        scheduler=_diffusers().UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
        ),
        transformer=_transformer(_LATENT_CHANNELS + extra),
        transformer_2=_transformer(_LATENT_CHANNELS + extra),
        boundary_ratio=0.9 if image_to_video else 0.875,
    )
    pipeline.save_pretrained(folder)


def _diffusers() -> Any:
    """Load diffusers, which ships no types: not needed for LoRAs, and seconds to load."""
    import diffusers

    return diffusers


def _text_encoder() -> Any:
    import transformers

    from worker.engines.byte_tokenizer import VOCABULARY_SIZE

    return transformers.UMT5EncoderModel(
        transformers.UMT5Config(
            vocab_size=VOCABULARY_SIZE,
            d_model=_TEXT_WIDTH,
            d_kv=8,
            d_ff=64,
            num_layers=1,
            num_heads=4,
            relative_attention_num_buckets=8,
        )
    )


def _vae() -> Any:
    vae = _diffusers().AutoencoderKLWan(
        base_dim=4, z_dim=_LATENT_CHANNELS, dim_mult=[1, 1, 1, 1], num_res_blocks=1
    )
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(_DECODER_GAIN)
        vae.decoder.conv_out.bias.zero_()
    return vae


def _transformer(in_channels: int) -> Any:
    return _diffusers().WanTransformer3DModel(
        num_attention_heads=_HEADS,
        attention_head_dim=_HEAD_WIDTH,
        in_channels=in_channels,
        out_channels=_LATENT_CHANNELS,
        text_dim=_TEXT_WIDTH,
        freq_dim=64,
        ffn_dim=_FFN_WIDTH,
        num_layers=_LAYERS,
        rope_max_seq_len=256,
    )


def _write_loras(recipe: _Recipe, folder: Path) -> None:
    width = _HEADS * _HEAD_WIDTH
    for offset, name in enumerate(LORA_NAMES):
        generator = torch.Generator().manual_seed(recipe.seed + offset)
        tensors: dict[str, torch.Tensor] = {}
        for layer in _lora_layers():
            for part, shape in (("A", (LORA_RANK, width)), ("B", (width, LORA_RANK))):
                values = torch.randn(shape, generator=generator) / LORA_RANK
                tensors[f"transformer.{layer}.lora_{part}.weight"] = values
        save_file(tensors, folder / f"{name}.safetensors", metadata={"format": "pt"})


def _lora_layers() -> list[str]:
    return [
        f"blocks.{block}.{attention}.{projection}"
        for block in range(_LAYERS)
        for attention in ("attn1", "attn2")
        for projection in ("to_q", "to_k", "to_v", "to_out.0")
    ]
