"""What a single generation, or a segment of a journey, asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from worker.errors import InvalidTask
from worker.handlers.payloads.journey import details_of, segment_layer
from worker.handlers.payloads.pictures import Picture
from worker.inputs.sources import shown
from worker.params import checks
from worker.params.frames import MAX_FRAMES
from worker.params.journey import MAX_SEGMENTS
from worker.params.layers import MODEL, Layer, named_model, pick_first
from worker.params.loras import parse_url
from worker.params.prompts import pick_prompt

# The names under which applications give a picture; the first that is there counts.
START_NAMES = ("start_image", "start_image_url", "image_start", "image", "image_url")
END_NAMES = ("end_image", "end_image_url", "image_end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One video to be generated.

    Attributes:
        model: As the task names it; "" where it names none, which no engine knows.
        layers: The task's layers for the parameter loop, low to high.
        start_image: Path or URL, or None.
        end_image: Path or URL, or None.
        model_field: Dotted path of the model's name, for refusals.
        start_field: Dotted path of the start image, for refusals.
        end_field: The same of the end image.
    """

    model: str
    layers: tuple[Layer, ...]
    start_image: str | None
    end_image: str | None
    model_field: str = MODEL
    start_field: str = START_NAMES[0]
    end_field: str = END_NAMES[0]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures that it names."""
        named = ((self.start_image, self.start_field), (self.end_image, self.end_field))
        return tuple(
            Picture(source=source, field=field) for source, field in named if source is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment of a journey.

    Attributes:
        generation: What is to be generated; its start image is the one that the segment itself
            names.
        planned_start: The journey's picture for this segment, used where it names none of its own
            and does not go on from the segment before.
        index: Its place in the journey, from 0.
        overlap_from_previous: Frames that it shares with the segment before.
    """

    generation: Generation
    planned_start: Picture | None
    index: int
    overlap_from_previous: int

    def started(self, *, chained: bool) -> Generation:
        """Let the journey's picture be the start where nothing else is."""
        if chained or self.planned_start is None or self.generation.start_image is not None:
            return self.generation
        start = self.planned_start
        return replace(self.generation, start_image=start.source, start_field=start.field)


def parse_generation(params: Mapping[str, Any]) -> Generation:
    """Read the params of t2v, i2v and generate_video. Raises `InvalidTask`."""
    layers = (Layer(source="task", values=checks.mapping("params", params)),)
    return _generation(layers)


def parse_segment(
    params: Mapping[str, Any], parent_params: Mapping[str, Any] | None = None
) -> Segment:
    """Read the params of a segment, with what its orchestrator says of it below them.

    The orchestrator's details are those that the segment carries a copy of, or else its parent's.

    Raises:
        InvalidTask: Names the field by its dotted path.
    """
    own = checks.mapping("params", params)
    index = _index(own)
    plan = _plan(own, parent_params, index)
    _check_index(index, plan)
    layers = (plan, *_own_layers(own))
    start, start_field = _picture([plan], START_NAMES)
    return Segment(
        generation=_generation(layers, pictures_of=layers[1:], end_of=layers),
        planned_start=None if start is None else Picture(source=start, field=start_field),
        index=index,
        overlap_from_previous=_overlap(own),
    )


def _own_layers(own: Mapping[str, Any]) -> tuple[Layer, ...]:
    carried = {"orchestrator_details", "individual_segment_params"}
    segment = Layer(source="segment", values={key: own[key] for key in own if key not in carried})
    individual = own.get("individual_segment_params")
    if individual is None:
        return (segment,)
    field = "individual_segment_params"
    values = checks.mapping(field, individual)
    return (segment, Layer(source=field, values=values, field=field))


def _plan(own: Mapping[str, Any], parent_params: Mapping[str, Any] | None, index: int) -> Layer:
    """Return what the orchestrator says of this segment, as the lowest layer."""
    if own.get("orchestrator_details") is not None:
        details, field = details_of(own)
    elif parent_params is not None:
        details, field = details_of(parent_params)
    else:
        details, field = {}, ""
    return segment_layer(details, index, field=field)


def _generation(
    layers: Sequence[Layer],
    *,
    pictures_of: Sequence[Layer] | None = None,
    end_of: Sequence[Layer] | None = None,
) -> Generation:
    start, start_field = _picture(layers if pictures_of is None else pictures_of, START_NAMES)
    end, end_field = _picture(layers if end_of is None else end_of, END_NAMES)
    model, model_field = named_model(layers)
    return Generation(
        model=model,
        layers=tuple(layers),
        start_image=start,
        end_image=end,
        model_field=model_field,
        start_field=start_field,
        end_field=end_field,
    )


def _picture(layers: Sequence[Layer], names: Sequence[str]) -> tuple[str | None, str]:
    choice = pick_first(layers, *names)
    if choice is None:
        return None, names[0]
    return parse_url(choice.field, choice.value), choice.field


def _index(own: Mapping[str, Any]) -> int:
    value = own.get("segment_index")
    if value is None:
        return 0
    return checks.integer("segment_index", value, low=0, high=MAX_SEGMENTS)


def _check_index(index: int, plan: Layer) -> None:
    count = plan.values.get("num_new_segments_to_generate")
    if type(count) is int and index >= count:
        problem = (
            f"is outside of the journey: {plan.path('num_new_segments_to_generate')} = {count}"
        )
        raise InvalidTask("segment_index", index, problem)


def _overlap(own: Mapping[str, Any]) -> int:
    value = own.get("frame_overlap_from_previous")
    if value is None:
        return 0
    return checks.integer("frame_overlap_from_previous", value, low=0, high=MAX_FRAMES)


def check_pictures(
    generation: Generation, task_type: str, kind: str, *, chained: bool = False
) -> None:
    """Refuse pictures that would not be used, and the lack of one that is needed.

    Args:
        generation: Of the task.
        task_type: The task's.
        kind: The model's.
        chained: Whether it goes on from the segment before, and needs no picture to start from.
    """
    check_unused(generation.pictures, task_type, kind, generation.model)
    if not chained:
        check_start(generation, task_type, kind)


def check_unused(pictures: Iterable[Picture], task_type: str, kind: str, model: str) -> None:
    """Refuse pictures that a task of this type, or a model of this kind, would not use."""
    if "t2v" not in {task_type, kind}:
        return
    who = "t2v" if task_type == "t2v" else f"model {model!r}"
    for picture in pictures:
        problem = f"is not used by {who}, which goes by the text alone; i2v starts from a picture"
        raise InvalidTask(picture.field, shown(picture.source), problem)


def check_start(generation: Generation, task_type: str, kind: str) -> None:
    """Refuse the lack of a start picture where the task's type or its model's kind needs one.

    An engine that is given none would start from black and say nothing. A model of the kind ti2v
    needs a text where it has no picture to start from.
    """
    if generation.start_image is not None:
        return
    if "i2v" in {task_type, kind}:
        who = "i2v" if task_type == "i2v" else f"model {generation.model!r}"
        raise InvalidTask(generation.start_field, None, f"is missing: {who} starts from a picture")
    if kind == "ti2v" and not (prompt := pick_prompt(generation.layers)).value:
        problem = (
            f"is empty, and there is no {generation.start_field}: model {generation.model!r} "
            "needs a prompt or a start image"
        )
        raise InvalidTask(prompt.field, "", problem)
