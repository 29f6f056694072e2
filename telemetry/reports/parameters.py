"""What an attempt was to generate with: its parameters by layer, the model and its defaults."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.findings import DefaultsFound, LoraFound, ModelFound, ParamFound

# What people look at first.
_KEY_PARAMS: Final = (
    "num_inference_steps",
    "guidance_phases",
    "guidance_scale",
    "guidance2_scale",
    "guidance3_scale",
    "flow_shift",
    "sample_solver",
    "switch_threshold",
    "model_switch_phase",
    "seed",
    "prompt",
)
# Objects in a task's params that may hold a phase config of their own; the later ones win.
_LAYERS: Final = ("orchestrator_details", "", "individual_segment_params")


def params(attempt: Attempt) -> list[ParamFound]:
    """Return every parameter in the order in which it was decided.

    One whose iteration never ended has no value yet: its `source` is "".
    """
    found: dict[str, ParamFound] = {}
    for attributes in _decisions(attempt):
        key = attributes.get(names.PARAM_KEY)
        if isinstance(key, str):
            found[key] = ParamFound(
                name=key,
                value=value_of(attributes, names.PARAM_NEW),
                asked=value_of(attributes, names.PARAM_ASKED),
                default=value_of(attributes, names.PARAM_OLD),
                source=str(attributes.get(names.PARAM_SOURCE, "")),
            )
    return list(found.values())


def defaults(attempt: Attempt) -> DefaultsFound:
    """Return the model's defaults as the engine gave them, and their digests around the loop."""
    iterations = attempt.named(names.LOOP_ITERATION)
    stages = attempt.named(names.stage("parameters"))
    said: Mapping[str, Any] = stages[-1].attributes if stages else {}
    call = attempt.named(names.engine("default_settings"))
    count = said.get(names.DEFAULTS_COUNT)
    counts = [span.attributes.get(names.LOOP_COUNT) for span in iterations]
    return DefaultsFound(
        call=f"{call[-1].name} of {_text(call[-1].attributes, names.ENGINE_MODEL)!r}"
        if call
        else "",
        type=_text(said, names.DEFAULTS_TYPE),
        # What has arrived of the loop may be less than there is.
        count=count
        if isinstance(count, int)
        else max(filter(None, map(_count, counts)), default=0),
        values={
            str(span.attributes.get(names.PARAM_KEY, "")): value_of(
                span.attributes, names.PARAM_OLD
            )
            for span in iterations
        },
        digest_before=_text(said, names.DEFAULTS_BEFORE),
        digest_after=_text(said, names.DEFAULTS_AFTER),
    )


def model(attempt: Attempt | None, row: TaskRow, decided: list[ParamFound]) -> ModelFound:
    """Return what was generated with, as far as it had been decided."""
    values = {param.name: param.value for param in decided if param.source}
    asked = asked_params(attempt, row)
    return ModelFound(
        name=_model_name(attempt, asked),
        engine=_engine_name(attempt),
        resolution=str(values.get("resolution") or ""),
        frames=_count(values.get("video_length")),
        steps=_count(values.get("num_inference_steps")),
        phases=_count(values.get("guidance_phases")),
        loras=_loras(values),
        phase_config=_phase_config(asked),
        key_params={name: values[name] for name in _KEY_PARAMS if name in values},
    )


def asked_params(attempt: Attempt | None, row: TaskRow) -> Mapping[str, Any]:
    """Return what the task asked for: as it was recorded, else as its row has it."""
    begin = attempt.begin if attempt else None
    return begin.params if begin is not None and begin.params else row.params


def value_of(attributes: Mapping[str, Any], name: str) -> Any:
    """Return an attribute's value; None where None was recorded, or nothing."""
    return None if attributes.get(name + names.IS_NULL) is True else attributes.get(name)


def _decisions(attempt: Attempt) -> Iterator[Mapping[str, Any]]:
    for span in attempt.named(names.LOOP_ITERATION):
        yield span.attributes
    for span in attempt.named(names.stage("parameters")):
        yield from (one.attributes for one in span.events if one.name == names.PARAM_EVENT)


def _model_name(attempt: Attempt | None, asked: Mapping[str, Any]) -> str:
    spans = attempt.spans if attempt else []
    given = [_text(span.attributes, names.ENGINE_MODEL) for span in spans]
    if found := next(filter(None, given), ""):
        return found
    for layer in reversed(_LAYERS):
        said = asked.get(layer) if layer else asked
        if isinstance(said, Mapping):
            for name in ("model_name", "model"):
                if isinstance(said.get(name), str) and said[name]:
                    return str(said[name])
    return ""


def _engine_name(attempt: Attempt | None) -> str:
    spans = attempt.spans if attempt else []
    given = (_text(span.attributes, names.ENGINE_NAME) for span in spans)
    return next(filter(None, given), "")


def _loras(values: Mapping[str, Any]) -> list[LoraFound]:
    files = values.get("activated_loras")
    said = values.get("loras_multipliers") or ""
    multipliers = [str(one) for one in said] if isinstance(said, list) else str(said).split()
    if not isinstance(files, list):
        return []
    return [
        LoraFound(name=str(file), multiplier=multipliers[at] if at < len(multipliers) else "")
        for at, file in enumerate(files)
    ]


def _phase_config(asked: Mapping[str, Any]) -> dict[str, Any]:
    for layer in reversed(_LAYERS):
        said = asked.get(layer) if layer else asked
        config = said.get("phase_config") if isinstance(said, Mapping) else None
        if isinstance(config, str):
            config = _parsed(config)
        if isinstance(config, Mapping) and config:
            return dict(config)
    return {}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""
