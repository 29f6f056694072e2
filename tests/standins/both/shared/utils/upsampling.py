"""Makes frames larger after they are made. It never has to: only how it fails is of interest."""

from shared.utils.faults import asked

_FACTORS = {"": 1}


def upsample(frames, method):
    """Return the frames as they are, or fail with what wgp.py swallows in one way or another."""
    sizes = [frame.shape for frame in frames]
    if asked("printed"):
        return frames * _FACTORS["lanczos"]  # fault: printed
    if asked("logged"):
        return frames[sizes[len(sizes)]]  # fault: logged
    if asked("passed"):
        return frames[:: len(sizes) // _FACTORS.get(method, 1) // 0]  # fault: passed
    if asked("text-only"):
        raise ValueError(f"{len(sizes)} frames cannot be tiled")  # fault: text-only
    if asked("reraised-as-text"):
        raise OSError(f"no kernel for {sizes[0]}")  # fault: reraised-as-text
    if asked("reraised-from-none"):
        return frames + method  # fault: reraised-from-none
    return frames
