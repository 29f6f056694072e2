"""Where inputs may come from, and how large they may be."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPolicy:
    """Limits on inputs, set by the operator.

    Attributes:
        cache_dir: Downloads are kept here, by URL.
        local_roots: Local paths must lie under one of these: () refuses every local path, None
            allows every one, for a queue whose tasks come from this machine alone.
        outputs_dir: The outputs of this worker's own tasks, which later tasks may go on from,
            whatever `local_roots` says.
        private_addresses: Whether URLs may lead to loopback, private or link-local addresses.
        own_storage: What the addresses of this worker's own storage begin with; what lies below
            one may be read wherever that server is.
        max_picture_bytes: Size limit of a picture file.
        max_picture_pixels: Limit of width times height of a picture.
        max_lora_bytes: Size limit of a LoRA file.
        timeout_s: Limit of one whole download, in seconds.
        offline: Whether nothing is downloaded: a URL is had from the cache, or not at all.
    """

    cache_dir: Path
    local_roots: tuple[Path, ...] | None = None
    outputs_dir: Path | None = None
    private_addresses: bool = False
    own_storage: tuple[str, ...] = ()
    max_picture_bytes: int = 50_000_000
    max_picture_pixels: int = 100_000_000
    max_lora_bytes: int = 4_000_000_000
    timeout_s: float = 600.0
    offline: bool = False
