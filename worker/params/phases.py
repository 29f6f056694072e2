"""The phase config: what it must say, and what it says of steps, guidance and LoRAs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import InvalidParameter
from worker.params import checks, loras
from worker.params.defaults import check
from worker.params.loras import LoraText
from worker.params.schedules import MAX_STEPS

FIELDS = (
    "num_phases",
    "steps_per_phase",
    "flow_shift",
    "sample_solver",
    "model_switch_phase",
    "phases",
)
PHASE_FIELDS = ("phase", "guidance_scale", "loras")
GUIDANCE_KEYS = ("guidance_scale", "guidance2_scale", "guidance3_scale")
# A model has two experts, so a config of one phase would have no say; the engines know three.
MIN_PHASES, MAX_PHASES = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseConfig:
    """A phase config that has been checked.

    Attributes:
        field: Where it stands in the payload.
        steps: Steps of each phase.
        values: The parameters that it sets, by name. The thresholds are not among them: they
            follow from these and from the solver and shift in force.
        loras: In order of first appearance, with one part of multipliers a phase.
    """

    field: str
    steps: tuple[int, ...]
    values: Mapping[str, Any]
    loras: tuple[LoraText, ...]

    @property
    def steps_field(self) -> str:
        """Where the step counts stand."""
        return f"{self.field}.steps_per_phase"


def parse_phase_config(value: Any, *, field: str = "phase_config") -> PhaseConfig:
    """Read a phase config, refusing by name what an engine would trip over.

    flow_shift, sample_solver and model_switch_phase may be left out: the layers below say them.
    """
    config = checks.mapping(field, value)
    count = checks.integer(
        f"{field}.num_phases",
        checks.required(field, config, "num_phases"),
        low=MIN_PHASES,
        high=MAX_PHASES,
    )
    steps = _steps(field, config, count)
    phases = _phases(field, config, count)
    guidance = [
        check("guidance_scale", checks.required(where, phase, "guidance_scale"), where)
        for where, phase in phases
    ]
    return PhaseConfig(
        field=field,
        steps=steps,
        values={
            "guidance_phases": count,
            "num_inference_steps": sum(steps),
            **dict(zip(GUIDANCE_KEYS, guidance, strict=False)),
            **_passed_through(field, config, count),
        },
        loras=_lora_table(phases, steps),
    )


def _steps(field: str, config: Mapping[str, Any], count: int) -> tuple[int, ...]:
    where = f"{field}.steps_per_phase"
    listed = checks.sequence(where, checks.required(field, config, "steps_per_phase"))
    _agree(where, listed, count, field)
    steps = tuple(
        checks.integer(f"{where}[{index}]", value, low=1, high=MAX_STEPS)
        for index, value in enumerate(listed)
    )
    if sum(steps) > MAX_STEPS:
        problem = f"makes {sum(steps)} steps; {MAX_STEPS} are allowed"
        raise InvalidParameter(where, listed, problem)
    return steps


def _phases(
    field: str, config: Mapping[str, Any], count: int
) -> list[tuple[str, Mapping[str, Any]]]:
    where = f"{field}.phases"
    listed = checks.sequence(where, checks.required(field, config, "phases"))
    _agree(where, listed, count, field)
    phases = [
        (f"{where}[{index}]", checks.mapping(f"{where}[{index}]", value))
        for index, value in enumerate(listed)
    ]
    for index, (place, phase) in enumerate(phases, start=1):
        number = checks.integer(f"{place}.phase", phase.get("phase", index), low=1, high=count)
        if number != index:
            problem = f"stands as number {index} of the phases; list them in order"
            raise InvalidParameter(f"{place}.phase", number, problem)
    return phases


def _agree(where: str, listed: Sequence[Any], count: int, field: str) -> None:
    if len(listed) != count:
        problem = f"has {len(listed)} entries, which contradicts {field}.num_phases = {count}"
        raise InvalidParameter(where, listed, problem)


def _passed_through(field: str, config: Mapping[str, Any], count: int) -> dict[str, Any]:
    values = {
        key: check(key, config[key], field)
        for key in ("flow_shift", "sample_solver", "model_switch_phase")
        if config.get(key) is not None
    }
    if values.get("model_switch_phase", 1) >= count:
        problem = f"must be under {field}.num_phases = {count}, or no phase follows the switch"
        where = f"{field}.model_switch_phase"
        raise InvalidParameter(where, values["model_switch_phase"], problem)
    return values


def _lora_table(
    phases: Sequence[tuple[str, Mapping[str, Any]]], steps: Sequence[int]
) -> tuple[LoraText, ...]:
    """Give every distinct URL one part a phase, "0" where the phase does not list it."""
    parts: dict[str, list[str]] = {}
    facts: dict[str, tuple[str, str | None]] = {}
    for index, (where, phase) in enumerate(phases):
        for place, entry in _lora_entries(where, phase):
            url = loras.parse_url(f"{place}.url", checks.required(place, entry, "url"))
            texts = parts.setdefault(url, [""] * len(phases))
            if texts[index]:
                raise InvalidParameter(f"{place}.url", url, "is listed twice in one phase")
            texts[index] = _multiplier(place, entry, index + 1, steps[index])
            facts[url] = _facts(url, place, entry, facts)
    return tuple(
        LoraText(
            url=url,
            multipliers=";".join(text or loras.ABSENT for text in texts),
            field=f"{facts[url][0]}.multiplier",
            url_field=f"{facts[url][0]}.url",
            sha256=facts[url][1],
        )
        for url, texts in parts.items()
    )


def _lora_entries(where: str, phase: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    listed = checks.sequence(f"{where}.loras", phase.get("loras", ()))
    return [
        (f"{where}.loras[{index}]", checks.mapping(f"{where}.loras[{index}]", entry))
        for index, entry in enumerate(listed)
    ]


def _multiplier(place: str, entry: Mapping[str, Any], phase: int, steps: int) -> str:
    name = loras.multiplier_name(entry)
    field = f"{place}.{name}"
    value = checks.required(place, entry, name)
    text = loras.multiplier_text(field, value)
    if ";" in text:
        raise InvalidParameter(field, value, "is for one phase; ';' stands between phases")
    loras.over_steps(field, text, phase, steps)
    return text


def _facts(
    url: str, place: str, entry: Mapping[str, Any], known: Mapping[str, tuple[str, str | None]]
) -> tuple[str, str | None]:
    """Return where a URL was listed first, and its sha256 where any of its entries has one."""
    first, before = known.get(url, (place, None))
    sha256 = loras.parse_sha256(f"{place}.sha256", entry.get("sha256"))
    if before and sha256 and before != sha256:
        problem = f"contradicts the sha256 given for the same URL at {first}"
        raise InvalidParameter(f"{place}.sha256", sha256, problem)
    return first, sha256 or before
