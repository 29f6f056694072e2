"""Deciding each parameter once: the layer that wins, the checks, the rounding."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from worker.errors import InvalidParameter
from worker.params import schedules
from worker.params.checks import integer, json_value
from worker.params.defaults import SYSTEM_DEFAULTS, check, refuse_unknown_to
from worker.params.frames import round_frames
from worker.params.frozen import freeze
from worker.params.layers import Choice, Layer, pick
from worker.params.lora_choice import LoraChoice
from worker.params.model import ModelFacts
from worker.params.parameters import DRAWN, MAX_SEED, PARAMETERS
from worker.params.phases import PhaseConfig
from worker.params.request import ParamValue
from worker.params.resolution import parse_resolution, round_resolution

PROMPT = "prompt"
THRESHOLDS = ("switch_threshold", "switch_threshold2")
# A task that says another value than these of its phase config contradicts it: they are what its
# phases are made of. The others (guidance, shift, solver, switch) a task may override.
OF_THE_PHASES = ("guidance_phases", "num_inference_steps", *THRESHOLDS)
_ADAPTED = frozenset({"resolution", "video_length", "seed", *THRESHOLDS})
LORA_KEYS = ("activated_loras", "loras_multipliers")


class Chooser:
    """Decides every parameter of one request, each once and only when it is asked for.

    Args:
        model: What parameters depend on.
        defaults: The model's defaults, frozen.
        layers: The task's, low to high.
        phase_config: Checked, or None.
        prompt: The whole prompt.
        draw_seed: Draws a seed of 0 to 2**32 - 1; called when -1 is asked, at most once.
    """

    def __init__(
        self,
        model: ModelFacts,
        defaults: Mapping[str, Any],
        layers: Sequence[Layer],
        *,
        phase_config: PhaseConfig | None,
        prompt: Choice,
        draw_seed: Callable[[], int],
    ) -> None:
        self._model = model
        self._defaults = defaults
        self._layers = layers
        self._phase_config = phase_config
        self._prompt = prompt
        self._draw_seed = draw_seed
        self._decided: dict[str, ParamValue] = {}
        self._thresholds: tuple[float, ...] | None = None
        self._loras: LoraChoice | None = None

    @property
    def decided(self) -> Mapping[str, ParamValue]:
        """What has been decided up to now, in that order."""
        return self._decided

    def decide(self, key: str) -> ParamValue:
        """Return a parameter's value with its provenance."""
        found = self._decided.get(key)
        if found is None:
            found = self._decide(key)
            self._decided[key] = found
        return found

    def value(self, key: str) -> Any:
        """Return a parameter's value alone."""
        return self.decide(key).value

    def field(self, key: str) -> str:
        """Return the dotted path of the winning value of a parameter."""
        return self._choose(key).field

    @property
    def of_phase_config(self) -> tuple[str, ...]:
        """The parameters that the phase config sets."""
        config = self._phase_config
        return () if config is None else (*config.values, *THRESHOLDS[: len(config.steps) - 1])

    @property
    def loras(self) -> LoraChoice:
        """The LoRAs that are used, and who said so."""
        if self._loras is None:
            self._loras = LoraChoice.of(self._layers, self._phase_config, self._defaults)
        return self._loras

    @property
    def timesteps(self) -> schedules.Timesteps:
        """What the solver in force steps through; euler's, of one that only the engine knows."""
        known = self.solver in schedules.SOLVERS
        return schedules.timesteps(
            self.solver if known else "euler",
            self.value("flow_shift"),
            self.value("num_inference_steps"),
            field=self.field("sample_solver"),
        )

    @property
    def solver(self) -> str:
        """The solver's name; "" is unipc."""
        return self.value("sample_solver") or "unipc"

    def _decide(self, key: str) -> ParamValue:
        if self._defaults.get(key) is not None and key != PROMPT:
            self._check(key, self._defaults[key], f"defaults.{key}")
        choice = self._choose(key)
        if choice.value is None:
            return _kept(key, choice)
        if key not in PARAMETERS:
            json_value(choice.field, choice.value)
        value = freeze(self._check(key, choice.value, choice.field))
        refuse_unknown_to(self._model.engine, key, value, choice.field)
        if key in _ADAPTED:
            return self._adapted(key, value, choice)
        return ParamValue(name=key, value=value, asked=value, source=choice.layer)

    def _check(self, key: str, value: Any, field: str) -> Any:
        return check(key, value, field=field, engine=self._model.engine)

    def _choose(self, key: str) -> Choice:
        if key == PROMPT:
            return self._prompt
        if key in LORA_KEYS:
            return self.loras.choice(key)
        said, config = pick(self._layers, key), self._phase_config
        derived = self._of_phase_config(key, config) if config else None
        if said and derived and config and key in OF_THE_PHASES:
            self._check(key, said.value, said.field)
            _refuse_contradiction(said, derived, config)
        return said or derived or self._default(key)

    def _of_phase_config(self, key: str, config: PhaseConfig) -> Choice | None:
        field = f"{config.field}.{key}"
        if key in config.values:
            return Choice(value=config.values[key], layer="phase_config", field=field)
        index = THRESHOLDS.index(key) if key in THRESHOLDS else len(config.steps)
        if index >= len(config.steps) - 1:
            return None
        value = self._phase_thresholds(config)[index]
        return Choice(value=value, layer="phase_config", field=field)

    def _phase_thresholds(self, config: PhaseConfig) -> tuple[float, ...]:
        if self._thresholds is None:
            if self.solver not in schedules.SOLVERS:
                problem = (
                    f"has timesteps that only the engine knows, so {config.field} cannot be held "
                    f"to its steps; these can be: {', '.join(schedules.SOLVERS)}"
                )
                raise InvalidParameter(self.field("sample_solver"), self.solver, problem)
            self._thresholds = schedules.phase_thresholds(self.timesteps, config.steps)
        return self._thresholds

    def _default(self, key: str) -> Choice:
        if self._defaults.get(key) is not None:
            return Choice(value=self._defaults[key], layer="model", field=f"defaults.{key}")
        if key == "fps":
            return Choice(value=self._model.fps, layer="model", field="model.fps")
        if key in SYSTEM_DEFAULTS:
            return Choice(value=SYSTEM_DEFAULTS[key], layer="system", field=key)
        return Choice(value=None, layer="model", field=f"defaults.{key}")

    def _adapted(self, key: str, asked: Any, choice: Choice) -> ParamValue:
        value, how = asked, "rounded"
        if key == "resolution":
            width, height = parse_resolution(asked, field=choice.field)
            multiple = self._model.size_multiple
            size = round_resolution(width, height, multiple=multiple, field=choice.field)
            self._refuse_above(self._model.max_side, max(size), choice, "pixels a side")
            value = asked if size == (width, height) else f"{size[0]}x{size[1]}"
        elif key == "video_length":
            stride, minimum = self._model.frame_stride, self._model.min_frames
            value = round_frames(asked, stride=stride, minimum=minimum)
            self._refuse_above(self._model.max_frames, value, choice, "frames")
        elif key in THRESHOLDS:
            value = schedules.as_float32(asked)
        elif asked == DRAWN:
            value, how = integer("draw_seed", self._draw_seed(), low=0, high=MAX_SEED), "drawn"
        change = "" if value == asked else how
        return ParamValue(
            name=key,
            value=value if change else asked,
            asked=asked,
            source=choice.layer,
            change=change,
        )

    def _refuse_above(self, limit: int, value: int, choice: Choice, unit: str) -> None:
        if value > limit:
            problem = f"is more than model {self._model.name!r} can do: {limit} {unit}"
            raise InvalidParameter(choice.field, choice.value, problem)


def _kept(key: str, choice: Choice) -> ParamValue:
    return ParamValue(name=key, value=None, asked=None, source=choice.layer)


def _refuse_contradiction(said: Choice, derived: Choice, config: PhaseConfig) -> None:
    same = said.value == derived.value
    if isinstance(derived.value, float):
        # A threshold that was written with fewer digits is the same float32.
        same = schedules.as_float32(said.value) == derived.value
    if not same:
        problem = (
            f"contradicts {config.steps_field} = {list(config.steps)}, "
            f"which makes it {derived.value}; leave one of them out"
        )
        raise InvalidParameter(said.field, said.value, problem)
