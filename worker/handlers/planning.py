"""What a task comes to, worked out of its payload alone: nothing fetched, no engine, no torch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from worker.engines.base import ModelDefinition
from worker.errors import InputError, InvalidTask, UnknownModel, UnknownTaskType
from worker.handlers.journey_plan import Plan, plan_journey, requests_of
from worker.handlers.payloads.generation import (
    Generation,
    check_start,
    check_unused,
    parse_generation,
    parse_segment,
)
from worker.handlers.payloads.journey import (
    DETAILS,
    Journey,
    parse_journey,
    seed_from,
    segment_layer,
)
from worker.handlers.payloads.pictures import Picture
from worker.handlers.payloads.stitch import Stitch, parse_stitch
from worker.inputs.fetch import check_source
from worker.inputs.lora_files import check_lora_name
from worker.params import checks
from worker.params.layers import Layer
from worker.params.parameters import PARAMETERS
from worker.params.payload import UnknownKeys, unknown_keys, warn_of_unknown
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve
from worker.task import ORCHESTRATOR, SINGLE_TYPES, STITCH, TASK_TYPES, NewTask

_PARENT = "orchestrator_task_id_ref"
_SEGMENTS_OWN = (DETAILS, "individual_segment_params")


class Models(Protocol):
    """Where models are looked up; `worker.engines.catalog.Catalog` is one."""

    def get(self, name: object) -> ModelDefinition:
        """Return a model's definition. Raises `UnknownModel`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a task is planned against.

    Attributes:
        models: The models that there are.
        parent: Returns the params of the orchestrator of this id, or None where there is none.
        unknown: Whether keys that nobody knows are passed on or refused.
    """

    models: Models
    parent: Callable[[UUID], Mapping[str, Any] | None]
    unknown: UnknownKeys = "pass"

    def model(self, name: str, field: str) -> ModelDefinition:
        """Return a model's definition; a refusal says where the task names it."""
        try:
            return self.models.get(name)
        except UnknownModel as error:
            error.field = field
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a task would run.

    Attributes:
        task_type: The task's.
        requests: One for a generation or a segment, one a segment for a journey, else none.
        pictures: Every picture that it names.
        lacks: The refusal of a task that names no picture and needs one, or None.
        journey: What a journey is split into.
        stitch: What a stitch joins.
        warnings: What is passed on and nobody knows, a sentence each.
    """

    task_type: str
    requests: tuple[GenerationRequest, ...] = ()
    pictures: tuple[Picture, ...] = ()
    lacks: InvalidTask | None = None
    journey: Plan | None = None
    stitch: Stitch | None = None
    warnings: tuple[str, ...] = ()

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Everything that a person should look at before this is enqueued."""
        return self.warnings if self.lacks is None else (*self.warnings, str(self.lacks))


def plan_task(task: NewTask, known: Known) -> Planned:
    """Work out what a task would run; a seed that it leaves open is drawn from its id.

    Raises:
        UnknownTaskType: No handler does this type.
        InvalidTask: The payload is wrong; names the field by its dotted path.
        UnknownModel: There is no model of this name; names the nearest.
        InputError: A picture or a LoRA is named by what is neither a path nor an http(s) URL.
    """
    if task.task_type not in TASK_TYPES:
        raise UnknownTaskType(task.task_type, TASK_TYPES)
    params = checks.mapping("params", task.params)
    if task.task_type == STITCH:
        return _stitch(params, known)
    unread = _unread(task.task_type, params)
    if unread and known.unknown == "refuse":
        raise unread[0]
    if task.task_type == ORCHESTRATOR:
        planned = _journey(task, parse_journey(params), known)
    elif task.task_type in SINGLE_TYPES:
        planned = _generation(task, parse_generation(params), known)
    else:
        planned = _generation(task, _segment(task, params, known), known)
    _check_names(planned)
    return replace(planned, warnings=(*map(str, unread), *planned.warnings))


def _unread(task_type: str, params: Mapping[str, Any]) -> list[InvalidTask]:
    """Refuse what a task of this type does not read, and would seem to have heeded."""
    keys: Iterable[str] = ()
    if task_type in SINGLE_TYPES:
        problem, keys = f"is not read by {task_type}", _SEGMENTS_OWN
    elif task_type == ORCHESTRATOR and params.get(DETAILS) is not None:
        problem, keys = f"stands beside {DETAILS}, where nobody reads it; put it inside", PARAMETERS
    return [InvalidTask(key, params[key], problem) for key in keys if params.get(key) is not None]


@contextmanager
def named_at(field: str) -> Iterator[None]:
    """Have the refusal of an input say where the payload names it."""
    try:
        yield
    except InputError as error:
        error.field = field
        raise


def _check_names(planned: Planned) -> None:
    """Refuse what is neither a path nor an http(s) URL; whether it is there is not looked at."""
    for picture in planned.pictures:
        with named_at(picture.field):
            check_source(picture.source)
    for request in planned.requests:
        for lora in request.loras:
            with named_at(lora.field):
                check_lora_name(lora.url)


def _generation(task: NewTask, generation: Generation, known: Known) -> Planned:
    model = known.model(generation.model, generation.model_field)
    check_unused(generation.pictures, task.task_type, model.kind, model.name)
    request = resolve(
        model,
        generation.layers,
        draw_seed=lambda: seed_from(task.id),
        unknown=known.unknown,
        recorded=False,
    )
    return Planned(
        task_type=task.task_type,
        requests=(request,),
        pictures=generation.pictures,
        lacks=_lacking(task, generation, model),
        warnings=(
            *warn_of_unknown(generation.layers, model.defaults),
            *_warn_of_empty_phases(request),
        ),
    )


def _warn_of_empty_phases(request: GenerationRequest) -> Iterator[str]:
    """Say which phases have no step, which no phase config asks for and thresholds can bring."""
    given = {step.phase for step in request.schedule.steps}
    for phase in range(1, (request.params["guidance_phases"].value or 1) + 1):
        if phase not in given:
            limits = f"{request.schedule.switch_threshold}, {request.schedule.switch_threshold2}"
            yield f"phase {phase} has no step: the thresholds {limits} leave it none"


def _lacking(task: NewTask, generation: Generation, model: ModelDefinition) -> InvalidTask | None:
    if task.dependant_on:
        return None  # it goes on from the segment before
    try:
        check_start(generation, task.task_type, model.kind)
    except InvalidTask as lacking:
        return lacking
    return None


def _segment(task: NewTask, params: Mapping[str, Any], known: Known) -> Generation:
    parent = params.get(_PARENT)
    parent_params = None
    if parent is not None and params.get(DETAILS) is None:
        parent_params = known.parent(_as_id(parent))
    segment = parse_segment(params, parent_params)
    generation = segment.started(chained=bool(task.dependant_on))
    if not generation.model and parent is not None and parent_params is None:
        problem = "is no task here, and it is left to say the model; name it in model_name"
        raise InvalidTask(_PARENT, parent, problem)
    return generation


def _as_id(value: Any) -> UUID:
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidTask(_PARENT, value, "must be a task's id, a UUID") from error


def _journey(task: NewTask, journey: Journey, known: Known) -> Planned:
    model = known.model(journey.model, journey.model_field)
    plan = plan_journey(journey, task, model, unknown=known.unknown)
    requests = requests_of(plan, task, model)
    layers = [
        segment_layer(journey.details, index, field=journey.field) for index in range(len(requests))
    ]
    said = [
        *warn_of_unknown(layers, model.defaults),
        *(warning for request in requests for warning in _warn_of_empty_phases(request)),
    ]
    return Planned(
        task_type=task.task_type,
        requests=requests,
        pictures=journey.pictures,
        journey=plan,
        warnings=tuple(dict.fromkeys(said)),  # segments share most of what they are told
    )


def _stitch(params: Mapping[str, Any], known: Known) -> Planned:
    layers: Sequence[Layer] = [Layer(source="task", values=params)]
    unknown_keys(layers, (), known.unknown)
    return Planned(
        task_type=STITCH, stitch=parse_stitch(params), warnings=warn_of_unknown(layers, ())
    )
