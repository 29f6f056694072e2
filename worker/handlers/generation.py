"""From a parsed task to a video file: the stages that every generation goes through."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from telemetry import RecordedSpan, names
from worker.engines.base import Generated, Inputs, LoraFile, ModelDefinition
from worker.errors import BlankOutput, OutputError
from worker.handlers.base import Context
from worker.handlers.encoding import THUMBNAIL, VIDEO, Encoding, encoding
from worker.handlers.named_files import check_named_files
from worker.handlers.payloads.generation import Generation
from worker.handlers.payloads.journey import seed_from
from worker.handlers.second_try import with_second_try
from worker.handlers.stages import stage
from worker.inputs.lora_files import fetch_lora
from worker.params.frozen import digest
from worker.params.payload import warn_of_unknown
from worker.params.request import GenerationRequest, LoraUse
from worker.params.resolve import resolve
from worker.task import Done

if TYPE_CHECKING:
    from PIL.Image import Image

_log = logging.getLogger(__name__)

REQUEST = "request.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What the stage inputs leaves: decoded pictures, RGB."""

    start: "Image | None" = None
    end: "Image | None" = None

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(picture is not None for picture in (self.start, self.end))


def generate_video(
    context: Context, generation: Generation, model: ModelDefinition, pictures: Pictures
) -> Done:
    """Go from the stage parameters to the stage output; return what lies in the work folder."""
    request = _parameters(context, generation, model)
    loras = _loras(context, request)
    _load(context, request)
    inputs = Inputs(start_image=pictures.start, end_image=pictures.end, loras=loras)
    metadata = {"request": as_json(request).decode(), "seed": str(request.seed)}
    with encoding(context, request, metadata) as video:
        generated = _generate(context, request, inputs, video)
        video.finish(generated)
    return _output(context, request, generated)


def _parameters(
    context: Context, generation: Generation, model: ModelDefinition
) -> GenerationRequest:
    task_id = context.claim.task.id
    with stage(context, "parameters") as span:
        defaults = context.engine.default_settings(model.name)
        model = dataclasses.replace(model, defaults=defaults)
        with _digested(defaults, span):
            # Drawn from the task's id, so that another attempt, or a replay, draws the same.
            request = resolve(
                model,
                generation.layers,
                draw_seed=lambda: seed_from(task_id),
                unknown=context.unknown_params,
            )
        own = [layer for layer in generation.layers if layer.source != "orchestrator"]
        for warning in warn_of_unknown(own, model.defaults):
            _log.warning("passed on: %s", warning)
        check_named_files(request, context.inputs)
        return request


@contextmanager
def _digested(defaults: Mapping[str, Any], span: RecordedSpan) -> Iterator[None]:
    """Record what the defaults are, and their digest before the loop and, whatever ends it, after.

    Whether something changed them is then known of a loop that failed, too.
    """
    span.set_attribute(names.DEFAULTS_TYPE, type(defaults).__name__)
    span.set_attribute(names.DEFAULTS_COUNT, len(defaults))
    span.set_attribute(names.DEFAULTS_BEFORE, digest(defaults))
    try:
        yield
    finally:
        span.set_attribute(names.DEFAULTS_AFTER, digest(defaults))


def _loras(context: Context, request: GenerationRequest) -> tuple[LoraFile, ...]:
    with stage(context, "loras") as span:
        files = tuple(_lora(context, use) for use in request.loras)
        span.set_attribute(names.LORA_COUNT, len(files))
        span.set_attribute(names.LORA_BYTES, sum(file.path.stat().st_size for file in files))
    return files


def _lora(context: Context, use: LoraUse) -> LoraFile:
    path = fetch_lora(
        use.url, context.inputs, sha256=use.sha256, check=context.observer.check_cancelled
    )
    return LoraFile(path=path, use=use)


def _load(context: Context, request: GenerationRequest) -> None:
    with stage(context, "model"):
        with_second_try(context, lambda: context.engine.load(request.model))
        context.observer.started()


def _generate(
    context: Context, request: GenerationRequest, inputs: Inputs, video: Encoding
) -> Generated:
    with stage(context, "generate") as span:
        generated = with_second_try(
            context, lambda: context.engine.generate(request, inputs, video.observer())
        )
        span.set_attribute(names.OUTPUT_FRAMES, len(generated.frames))
        if context.refuse_blank_output:
            _refuse_blank(generated)
    return generated


def _refuse_blank(generated: Generated) -> None:
    """Refuse a video that shows nothing. A dark one, or one of noise, is none of that kind."""
    frames = generated.frames
    first = frames[0, 0, 0]
    # The first frame that is a picture ends this: nearly always the first.
    if all((frame == first).all() for frame in frames):
        red, green, blue = (int(part) for part in first)
        raise BlankOutput(len(frames), (red, green, blue))


def _output(context: Context, request: GenerationRequest, generated: Generated) -> Done:
    with stage(context, "output"):
        _write_request(request, context.work_dir / REQUEST)
        files = files_of(context.work_dir, VIDEO, THUMBNAIL, REQUEST)
    return Done(
        files=files,
        result={
            "frames": request.frames,
            "fps": request.fps,
            "width": request.width,
            "height": request.height,
            "seed": request.seed,
            "duration_s": request.frames / request.fps,
            "seconds_per_step": generated.seconds_per_step,
            "model": request.model,
            "switch_threshold": request.schedule.switch_threshold,
            "files": [file.name for file in files],
        },
    )


def _write_request(request: GenerationRequest, path: Path) -> None:
    try:
        path.write_bytes(msgspec.json.format(as_json(request)))
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written: {error.strerror or error}; "
            "free space, or choose another folder"
        ) from error


def files_of(folder: Path, *file_names: str) -> tuple[Path, ...]:
    """Return the files of these names in a folder, in order."""
    return tuple(folder / name for name in file_names)


def as_json(request: GenerationRequest) -> bytes:
    """Write a request as JSON, every value with where it came from."""
    return msgspec.json.encode(request, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written as JSON")
