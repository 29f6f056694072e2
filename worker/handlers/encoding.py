"""The stage encode. An engine that decodes piece by piece has it begun while it decodes."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from telemetry import RecordedSpan, names
from worker.engines.base import Generated, Observer, StepObserver
from worker.errors import OutputError
from worker.handlers.base import Context
from worker.handlers.stages import each, stage
from worker.params.request import GenerationRequest
from worker.video.growing import GrowingVideo

if TYPE_CHECKING:
    from pathlib import Path

    from worker.video.files import Frame
    from worker.video.probing import VideoFacts

VIDEO, THUMBNAIL = "video.mp4", "thumbnail.jpg"

_log = logging.getLogger(__name__)


class Encoding:
    """Makes a task's video file, as far as it can while the engine still decodes.

    Args:
        context: The task's.
        request: What was asked of the engine.
        metadata: What the file keeps of it.
    """

    def __init__(
        self, context: Context, request: GenerationRequest, metadata: Mapping[str, str]
    ) -> None:
        self._context, self._request, self._metadata = context, request, metadata
        self._video = context.work_dir / VIDEO
        self._growing = self._new()

    def observer(self) -> Observer:
        """Return an observer for one call of the engine; what an earlier call made is dropped."""
        self.abandon()
        self._growing = self._new()
        return _Watching(self._context.observer, self._growing)

    def abandon(self) -> None:
        """Stop what still encodes; tell what had gone wrong with it, which else nobody would."""
        self._growing.abandon()
        if trouble := self._growing.trouble():
            _log.warning("the video could not be encoded while it was decoded: %s", trouble)

    def finish(self, generated: Generated) -> None:
        """Go through the stage: keep the engine's own file, or end what was begun, or begin."""
        with stage(self._context, "encode") as span:
            kept = False
            if generated.video is not None:
                self.abandon()
                kept = self._keep(generated.video)
                span.set_attribute(names.OUTPUT_KEPT, kept)
            if not kept:
                span.set_attribute(names.OUTPUT_CRF, self._context.video_crf)
                self._encode(generated, span)
            self._write_thumbnail(generated)
            span.set_attribute(names.OUTPUT_BYTES, self._video.stat().st_size)

    def _encode(self, generated: Generated, span: RecordedSpan) -> None:
        begun = self._growing.holds(generated.frames.shape)
        span.set_attribute(names.OUTPUT_ENCODED_EARLY, self._growing.taken if begun else 0)
        if begun:
            span.set_attribute(names.WORKING_THREAD, f"{self._growing.thread_id:#018x}")
            self._growing.finish(self._context.observer.check_cancelled)
        else:
            self.abandon()
            self._write(each(self._context, generated.frames))

    def _new(self) -> GrowingVideo:
        return GrowingVideo(partial(self._write, as_they_come=True))

    def _write(self, frames: "Iterator[Frame]", *, as_they_come: bool = False) -> "VideoFacts":
        from worker.video.files import write_video

        return write_video(
            frames,
            self._video,
            fps=self._request.fps,
            metadata=self._metadata,
            crf=self._context.video_crf,
            preset=self._context.video_preset,
            as_they_come=as_they_come,
        )

    def _write_thumbnail(self, generated: Generated) -> None:
        from worker.video.files import write_thumbnail

        write_thumbnail(generated.frames[0], self._context.work_dir / THUMBNAIL)

    def _keep(self, source: "Path") -> bool:
        """Take over the engine's own encoding, if it is what was asked; False when it is not."""
        from worker.video.copying import copy_video
        from worker.video.probing import VideoFacts

        request = self._request
        asked = VideoFacts(
            frames=request.frames, fps=request.fps, width=request.width, height=request.height
        )
        try:
            copy_video(source, self._video, asked=asked, metadata=self._metadata)
        except OutputError as trouble:
            _log.warning(
                "the engine's own %s is not kept, so the frames are encoded, without sound: %s",
                source.name, trouble,
            )  # fmt: skip
            return False
        return True


@contextmanager
def encoding(
    context: Context, request: GenerationRequest, metadata: Mapping[str, str]
) -> Iterator[Encoding]:
    """Give the encoding of a task; however the block ends, nothing is encoded afterwards."""
    made = Encoding(context, request, metadata)
    try:
        yield made
    finally:
        made.abandon()


class _Watching:
    """Passes on what an engine tells, and has its pictures encoded; see `engines.base.Observer`."""

    def __init__(self, observer: StepObserver, growing: GrowingVideo) -> None:
        self._observer, self._growing = observer, growing

    def check_cancelled(self) -> None:
        """Ask the task's observer."""
        self._observer.check_cancelled()

    def step(self, index: int, count: int) -> None:
        """Tell the task's observer."""
        self._observer.step(index, count)

    def decoded(self, frames: "Frame") -> None:
        """Encode them while the engine goes on."""
        self._growing.feed(frames)
