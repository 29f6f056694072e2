"""Where inputs may come from, and how large they may be."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPolicy:
    """Limits on inputs, set by the operator.

    Attributes:
        cache_dir: Downloads are kept here, by URL.
        allowed_roots: Local paths must lie under one of these; empty allows every local path.
        private_addresses: Whether URLs may lead to loopback, private or link-local addresses.
        max_picture_bytes: Size limit of a picture file.
        max_picture_pixels: Limit of width times height of a picture.
        max_lora_bytes: Size limit of a LoRA file.
        timeout_s: Limit of one whole download, in seconds.
    """

    cache_dir: Path
    allowed_roots: tuple[Path, ...] = ()
    private_addresses: bool = False
    max_picture_bytes: int = 50_000_000
    max_picture_pixels: int = 100_000_000
    max_lora_bytes: int = 4_000_000_000
    timeout_s: float = 600.0
