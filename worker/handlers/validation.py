"""Checks of a task before it enters the queue: everything but downloading, and without torch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worker.errors import InvalidTask, UnknownModel, UnknownTaskType
from worker.handlers.generate import check_type
from worker.handlers.payloads.generation import (
    Generation,
    parse_generation,
    parse_segment,
)
from worker.handlers.payloads.journey import Journey, parse_journey, segment_values
from worker.handlers.payloads.stitch import parse_stitch
from worker.inputs.fetch import check_local, check_source
from worker.inputs.lora_files import check_lora
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import scheme_of
from worker.params.defaults import TYPES, check
from worker.params.layers import Layer, pick, pick_first
from worker.params.lora_choice import LoraChoice
from worker.params.phases import parse_phase_config
from worker.task import ORCHESTRATOR, SINGLE_TYPES, STITCH, TASK_TYPES


def validate(
    task_type: str, params: Mapping[str, Any], *, known_models: Sequence[str], inputs: InputPolicy
) -> None:
    """Refuse a task that would fail for what it says: type, payload, model, local paths.

    Nothing is downloaded and no engine is asked, so a URL that leads nowhere passes. A segment
    that refers to its orchestrator may leave to it what its own params do not say.

    Raises:
        UnknownTaskType: No handler does this type.
        InvalidTask: The payload is wrong; names the field by its dotted path.
        UnknownModel: None of `known_models` has this name; names the nearest.
        InputError: A local picture or LoRA is not there, or may not be used.
    """
    if task_type not in TASK_TYPES:
        raise UnknownTaskType(task_type, TASK_TYPES)
    if not isinstance(params, Mapping):
        raise InvalidTask("params", params, "must be an object")
    if task_type == STITCH:
        parse_stitch(params)
    elif task_type == ORCHESTRATOR:
        journey = parse_journey(params)
        _check_model(journey.model, known_models)
        check_journey(journey, inputs=inputs)
    else:
        _check_generation(task_type, params, known_models, inputs)


def check_journey(journey: Journey, *, inputs: InputPolicy) -> None:
    """Check what the segments of a journey would be refused for, and the local paths in it."""
    check_pictures_there(journey.images, inputs)
    for index in range(len(journey.frames)):
        values = segment_values(journey.details, index)
        _check_layers([Layer(source="orchestrator", values=values, field=journey.field)], inputs)


def check_pictures_there(sources: Iterable[str | None], inputs: InputPolicy) -> None:
    """Check that the local ones are there, and that the others are http(s) URLs."""
    for source in sources:
        if source is None:
            continue
        check_source(source)
        if not scheme_of(source):
            check_local(source, inputs, max_bytes=inputs.max_picture_bytes)


def _check_generation(
    task_type: str, params: Mapping[str, Any], known_models: Sequence[str], inputs: InputPolicy
) -> None:
    planned: str | None = None
    if task_type in SINGLE_TYPES:
        generation = parse_generation(params)
        check_type(task_type, generation)
    else:
        segment = parse_segment(params)
        generation, planned = segment.generation, segment.planned_start_image
    if generation.model or not _left_to_orchestrator(task_type, params):
        _check_model(generation.model, known_models)
    check_pictures_there(_pictures(generation, planned), inputs)
    _check_layers(generation.layers, inputs)


def _pictures(generation: Generation, planned: str | None) -> tuple[str | None, ...]:
    return generation.start_image, generation.end_image, planned


def _left_to_orchestrator(task_type: str, params: Mapping[str, Any]) -> bool:
    return task_type not in SINGLE_TYPES and bool(params.get("orchestrator_task_id_ref"))


def _check_model(model: str, known_models: Sequence[str]) -> None:
    if model not in known_models:
        raise UnknownModel(model, known_models)


def _check_layers(layers: Sequence[Layer], inputs: InputPolicy) -> None:
    """Check each parameter that is said, the phase config, and the LoRAs that follow."""
    for key in TYPES:
        choice = pick(layers, key)
        if choice is not None:
            check(key, choice.value, field=choice.field)
    said = pick_first(layers, "phase_config")
    config = None if said is None else parse_phase_config(said.value, field=said.field)
    for lora in LoraChoice.of(layers, config, {}).texts:
        check_lora(lora.url, inputs)
