"""Writes frames as a video."""

import errno
import os
import threading
from pathlib import Path

import imageio_ffmpeg

from shared.utils.faults import asked


def save_video(frames, path, fps):
    """Write an H.264 file; returns when it is there."""
    if asked("few-frames"):
        frames = frames[:-4]  # fault: few-frames
    if asked("wrong-size"):
        frames = frames[:, : frames.shape[1] // 2]  # fault: wrong-size
    if asked("changes-directory"):
        os.chdir(Path(path).parent)  # fault: changes-directory
    if asked("in-thread"):
        saving = threading.Thread(target=_write, args=(None, path, fps), name="save-video")
        saving.start()
        saving.join()
        return
    _write(frames, path, fps)


def _write(frames, path, fps):
    height, width = frames.shape[1:3]  # fault: in-thread
    if asked("save-video"):
        raise OSError(errno.ENOSPC, "No space left on device", path)  # fault: save-video
    writer = imageio_ffmpeg.write_frames(
        path, (width, height), fps=fps, quality=9, macro_block_size=1
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(frame.tobytes())
    finally:
        writer.close()
