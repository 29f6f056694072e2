"""Turns a latent, and the pictures between which it moves, into frames."""

import sys

import numpy as np
from shared.utils.faults import asked

_AMPLITUDE = 40
_BYTES = 20 * 2**30


def decode(latent, start, end, frames):
    """Return frames (uint8, frames x height x width x 3) that go from one picture to the other.

    Where memory runs out, it is tried again in tiles.
    """
    if asked("vae-decode"):
        latent = latent[:, :, :2]
        start = np.broadcast_to(start, (2, *latent.shape))  # fault: vae-decode
    if asked("system-exit"):
        sys.exit(0)  # fault: system-exit
    try:
        return _decoded(latent, start, end, frames, tiles=1)
    except RuntimeError:
        return _decoded(latent, start, end, frames, tiles=4)


def _decoded(latent, start, end, frames, tiles):
    if asked("out-of-memory"):
        gib = _BYTES / tiles / 2**30
        raise RuntimeError(  # fault: out-of-memory
            f"CUDA out of memory. Tried to allocate {gib:.2f} GiB. GPU 0 has a total capacity of "
            "23.65 GiB of which 1.21 GiB is free."
        )
    height, width = start.shape[:2]
    rows = np.linspace(0, latent.shape[0] - 1, height).round().astype(int)
    columns = np.linspace(0, latent.shape[1] - 1, width).round().astype(int)
    tint = np.tanh(latent)[rows][:, columns] * _AMPLITUDE
    parts = np.linspace(0, 1, frames, dtype=np.float32)[:, None, None, None]
    return np.clip(start * (1 - parts) + end * parts + tint, 0, 255).astype(np.uint8)
