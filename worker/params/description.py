"""A request as plain JSON: for a video's metadata, for people, for the record."""

from typing import Any

from worker.params.frozen import thaw
from worker.params.request import GenerationRequest, LoraUse, ParamValue, Schedule


def describe(request: GenerationRequest) -> dict[str, Any]:
    """Return the whole request as JSON types; lists are the caller's to change."""
    return {
        "engine": request.engine,
        "model": request.model,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "frames": request.frames,
        "fps": request.fps,
        "seed": request.seed,
        "params": [_param(param) for param in request.params.values()],
        "loras": [_lora(lora) for lora in request.loras],
        "schedule": _schedule(request.schedule),
        "defaults_digest": request.defaults_digest,
    }


def _param(param: ParamValue) -> dict[str, Any]:
    return {
        "name": param.name,
        "value": thaw(param.value),
        "asked": thaw(param.asked),
        "source": param.source,
        "change": param.change,
        "is_null": param.is_null,
    }


def _lora(lora: LoraUse) -> dict[str, Any]:
    described: dict[str, Any] = {
        "url": lora.url,
        "multipliers": lora.multipliers,
        "per_step": list(lora.per_step),
        "field": lora.field,
    }
    if lora.sha256 is not None:
        described["sha256"] = lora.sha256
    return described


def _schedule(schedule: Schedule) -> dict[str, Any]:
    return {
        "solver": schedule.solver,
        "shift": schedule.shift,
        "exact": schedule.exact,
        "switch_threshold": schedule.switch_threshold,
        "switch_threshold2": schedule.switch_threshold2,
        "sigmas": list(schedule.sigmas),
        "timesteps": [step.timestep for step in schedule.steps],
        "steps": [
            {
                "index": step.index,
                "timestep": step.timestep,
                "phase": step.phase,
                "guidance_scale": step.guidance_scale,
                "expert": step.expert,
            }
            for step in schedule.steps
        ],
    }
