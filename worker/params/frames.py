"""Numbers of frames: the Wan VAE packs four frames into one latent after the first frame."""

TEMPORAL_STRIDE = 4
MIN_FRAMES = 5
MAX_FRAMES = 10_000


def round_frames(frames: int, *, stride: int = TEMPORAL_STRIDE, minimum: int = MIN_FRAMES) -> int:
    """Return the greatest `stride` · N + 1 that is at most `frames`, and at least `minimum`.

    81 stays 81, 60 becomes 57, 80 becomes 77. Engines round differently among themselves, so
    this is done once, before the engine.
    """
    return max((frames - 1) // stride * stride + 1, minimum)
