"""The parameter loop: from a model's defaults and a task's layers to a frozen request."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from opentelemetry import trace

import telemetry
from telemetry import names
from worker.errors import DefaultsChanged, InvalidParameter
from worker.params import checks, loras, schedules
from worker.params.choosing import PROMPT, THRESHOLDS, Chooser
from worker.params.defaults import SYSTEM_DEFAULTS
from worker.params.frozen import canonical_json, digest, freeze, thaw
from worker.params.layers import ALIASES, Layer, pick_first
from worker.params.model import ModelFacts
from worker.params.parameters import PARAMETERS
from worker.params.payload import UnknownKeys, unknown_keys
from worker.params.phases import GUIDANCE_KEYS, PhaseConfig, parse_phase_config
from worker.params.prompts import pick_prompt
from worker.params.request import GenerationRequest, LoraUse, ParamValue, Schedule
from worker.params.resolution import parse_resolution

_log = logging.getLogger(__name__)
_SHOWN = 80  # characters of a value in a log line
_TEXTS = (PROMPT, "negative_prompt")


def resolve(
    model: ModelFacts,
    layers: Sequence[Layer],
    *,
    draw_seed: Callable[[], int],
    unknown: UnknownKeys = "pass",
    recorded: bool = True,
) -> GenerationRequest:
    """Resolve a task's parameters: once round the loop for each of the model's defaults.

    Layers, low to high: system defaults, model defaults (every key except prompt), phase config,
    then `layers`. The phase config is the `phase_config` of the highest layer that has one. Pure:
    the same arguments give the same request, and nothing that was given is kept or changed.

    Args:
        model: The model; its defaults are only read, and digested before and after.
        layers: The task's own, low to high: orchestrator, segment, individual_segment_params; or
            the single task's params.
        draw_seed: Draws a seed of 0 to 2**32 - 1 where -1 is asked.
        unknown: Whether keys that nobody knows are passed on among the params, or refused.
        recorded: Whether each iteration is a span with a log record; not where a task is only
            looked at.

    Raises `InvalidParameter` with the dotted path of what is refused, and `DefaultsChanged`.
    """
    before = digest(model.defaults)
    defaults = freeze(model.defaults)
    for layer in layers:
        checks.mapping(layer.field or "params", layer.values)
    passed = unknown_keys(layers, defaults, unknown)
    chooser = Chooser(
        model,
        defaults,
        layers,
        phase_config=_phase_config(layers),
        prompt=pick_prompt(layers),
        draw_seed=draw_seed,
    )
    for index, key in enumerate(defaults, start=1):
        if recorded:
            _iterate(chooser, index, len(defaults), key, defaults[key])
        else:
            chooser.decide(key)
    for key in _outside_the_loop(layers, defaults, passed, chooser):
        param = chooser.decide(key)
        if recorded:
            trace.get_current_span().add_event(names.PARAM_EVENT, _decision(param))
    after = digest(model.defaults)
    if after != before:
        raise DefaultsChanged(model.name, before, after)
    return _request(model, chooser, before)


def _phase_config(layers: Sequence[Layer]) -> PhaseConfig | None:
    choice = pick_first(layers, "phase_config")
    return None if choice is None else parse_phase_config(choice.value, field=choice.field)


def _iterate(chooser: Chooser, index: int, count: int, key: str, default: Any) -> None:
    begin = {names.PARAM_KEY: key, names.PARAM_OLD: thaw(default)}
    with telemetry.iteration(index, count, begin) as span:
        param = chooser.decide(key)
        skipped = default is None or key == PROMPT
        if _log.isEnabledFor(logging.INFO):
            line = _line(param, default, skipped=skipped)
            telemetry.info(_log, f"LOOP [{index}/{count}] {key}: {line}")
        span.end(attributes={**_decision(param), names.PARAM_SKIPPED: skipped})


def _decision(param: ParamValue) -> dict[str, Any]:
    return {
        names.PARAM_KEY: param.name,  # always with the values: by it it is known what to hide
        names.PARAM_NEW: thaw(param.value),
        names.PARAM_ASKED: thaw(param.asked),
        names.PARAM_SOURCE: param.source,
    }


def _line(param: ParamValue, default: Any, *, skipped: bool) -> str:
    old, new = _shown(param.name, default), _shown(param.name, param.value)
    note = param.source
    if param.change:
        note = f"{param.change} from {_shown(param.name, param.asked)}, {param.source}"
    return f"{old} → {new} ({note}{', default skipped' if skipped else ''})"


def _shown(key: str, value: Any) -> str:
    kind = type(value)
    if kind is str:
        text = f"text of {len(value)}" if key in _TEXTS else value or '""'
    else:
        text = str(value) if kind is int or kind is float else canonical_json(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _outside_the_loop(
    layers: Sequence[Layer], defaults: Mapping[str, Any], passed: Sequence[str], chooser: Chooser
) -> list[str]:
    """Name the parameters that the model has no default of and that are said or needed."""
    said = [
        key
        for key in PARAMETERS
        if key not in defaults and pick_first(layers, *ALIASES.get(key, (key,))) is not None
    ]
    needed = [*SYSTEM_DEFAULTS, "fps", PROMPT, *chooser.of_phase_config]
    return [key for key in dict.fromkeys([*said, *needed, *passed]) if key not in defaults]


def _request(model: ModelFacts, chooser: Chooser, defaults_digest: str) -> GenerationRequest:
    schedule = _schedule(chooser)
    width, height = parse_resolution(chooser.value("resolution"))
    if model.kind == "t2v" and not chooser.value(PROMPT):
        raise InvalidParameter(
            chooser.field(PROMPT), "", "is empty, and text is all that a t2v model is given"
        )
    return GenerationRequest(
        engine=model.engine,
        model=model.name,
        prompt=chooser.value(PROMPT),
        negative_prompt=chooser.value("negative_prompt"),
        width=width,
        height=height,
        frames=chooser.value("video_length"),
        fps=float(chooser.value("fps")),
        seed=chooser.value("seed"),
        schedule=schedule,
        loras=tuple(_loras(chooser, schedule)),
        params=MappingProxyType(dict(chooser.decided)),
        defaults_digest=defaults_digest,
    )


def _loras(chooser: Chooser, schedule: Schedule) -> Iterator[LoraUse]:
    counts = [
        sum(step.phase == phase for step in schedule.steps)
        for phase in range(1, (chooser.value("guidance_phases") or 1) + 1)
    ]
    for text in chooser.loras.texts:
        if not schedule.exact and len(counts) > 1 and "," in text.multipliers:
            problem = (
                f"has a value a step, and how many steps a phase has with {schedule.solver} only "
                "the engine knows; give one value a phase"
            )
            raise InvalidParameter(text.field, text.multipliers, problem)
        yield loras.expand(text, counts)


def _schedule(chooser: Chooser) -> Schedule:
    phases = chooser.value("guidance_phases") or 1
    return schedules.plan(
        chooser.timesteps,
        solver=chooser.solver,
        shift=chooser.value("flow_shift"),
        thresholds=_thresholds(chooser, phases),
        guidance=[_needed(chooser, key, phases) for key in GUIDANCE_KEYS[:phases]],
        switch_phase=_switch_phase(chooser, phases),
    )


def _switch_phase(chooser: Chooser, phases: int) -> int:
    """Return the last phase of the high-noise expert, refusing one that a config has no use for."""
    switch: int = chooser.value("model_switch_phase") or 1
    if chooser.of_phase_config and switch >= phases:
        problem = (
            f"leaves none of the {phases} phases of the phase config to the low-noise expert; "
            f"it must be under {phases}"
        )
        raise InvalidParameter(chooser.field("model_switch_phase"), switch, problem)
    return switch


def _thresholds(chooser: Chooser, phases: int) -> list[float]:
    thresholds = [_needed(chooser, key, phases) for key in THRESHOLDS[: phases - 1]]
    if thresholds != sorted(thresholds, reverse=True):
        problem = f"is above {chooser.field(THRESHOLDS[0])} = {thresholds[0]}: phase 2 has no room"
        raise InvalidParameter(chooser.field(THRESHOLDS[1]), thresholds[1], problem)
    return thresholds


def _needed(chooser: Chooser, key: str, phases: int) -> float:
    value = chooser.value(key)
    if value is None:
        field = chooser.field("guidance_phases")
        problem = f"is missing, and {field} = {phases} needs it"
        raise InvalidParameter(key, value, problem)
    return float(value)
