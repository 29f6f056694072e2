"""The keys that tasks carry beside their parameters, and those that nobody knows."""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from worker.errors import InvalidParameter
from worker.params import checks, loras, phases
from worker.params.layers import ALIASES, Layer
from worker.params.parameters import PARAMETERS

UnknownKeys: TypeAlias = Literal["pass", "refuse"]

# What handlers read, and what applications keep in a payload for themselves.
CARRIED: Final = frozenset(
    {
        "model",
        "model_name",
        "prompt",
        "base_prompt",
        "text_before_prompts",
        "text_after_prompts",
        "phase_config",
        "additional_loras",
        "orchestrator_details",
        "individual_segment_params",
        "orchestrator_task_id",
        "orchestrator_task_id_ref",
        "orchestrator_run_id",
        "run_id",
        "task_id",
        "task_type",
        "shot_id",
        "project_id",
        "parent_generation_id",
        "generation_name",
        "segment_index",
        "is_first_segment",
        "is_last_segment",
        "frame_overlap_from_previous",
        "frame_overlap_with_next",
        "frame_overlap_expanded",
        "segment_frames_expanded",
        "num_total_segments_generated",
        "frame_overlap_settings_expanded",
        "num_new_segments_to_generate",
        "base_prompts_expanded",
        "negative_prompts_expanded",
        "enhanced_prompt",
        "enhanced_prompts_expanded",
        "input_image_paths_resolved",
        "image_start",
        "image_end",
        "start_image",
        "end_image",
        "start_image_url",
        "end_image_url",
        "image",
        "image_url",
        "chain_segments",
        "independent_segments",
        "phase_configs_expanded",
        "loras_per_segment_expanded",
        "crossfade_sharp_amt",
        "stitch",
    }
)


class Stranger(NamedTuple):
    """A key that nobody knows, where it stands, and what it was probably meant to be."""

    field: str
    key: str
    value: Any
    hint: str
    passed: bool  # on to the engine, among the params; not what lies inside of another value


def unknown_keys(
    layers: Sequence[Layer], defaults: Collection[str], policy: UnknownKeys
) -> tuple[str, ...]:
    """Return the keys that are passed on because nobody knows them, or refuse the first of them.

    An orchestrator's payload is the plan of a whole journey, so what is unknown in it is not
    passed to one generation.
    """
    unknown: dict[str, None] = {}
    for stranger in _strangers(layers, defaults):
        if policy == "refuse":
            raise InvalidParameter(stranger.field, stranger.value, stranger.hint)
        if stranger.passed:
            unknown[checks.name("params", stranger.key)] = None
    return tuple(unknown)


def warn_of_unknown(layers: Sequence[Layer], defaults: Collection[str]) -> tuple[str, ...]:
    """Return a sentence for every key that nobody knows, as `refuse` would refuse it by."""
    return tuple(f"{found.field} {found.hint}" for found in _strangers(layers, defaults))


def _strangers(layers: Sequence[Layer], defaults: Collection[str]) -> Iterator[Stranger]:
    aliases = (name for names in ALIASES.values() for name in names)
    known = frozenset({*PARAMETERS, *defaults, *CARRIED, *aliases})
    for layer in layers:
        passed = layer.source != "orchestrator"
        yield from _in_object(layer.path, layer.values, known, passed=passed)
        for name, value in layer.values.items():
            if name == "phase_config":
                yield from _in_phase_config(layer.path(name), value)
            elif name == "additional_loras":
                yield from _in_loras(layer.path(name), value)


def _in_phase_config(field: str, config: Any) -> Iterator[Stranger]:
    if not isinstance(config, Mapping):
        return
    yield from _in_object(_under(field), config, phases.FIELDS)
    for index, phase in enumerate(_listed(config.get("phases"))):
        if isinstance(phase, Mapping):
            place = f"{field}.phases[{index}]"
            yield from _in_object(_under(place), phase, phases.PHASE_FIELDS)
            yield from _in_loras(f"{place}.loras", phase.get("loras"))


def _in_loras(field: str, entries: Any) -> Iterator[Stranger]:
    for index, entry in enumerate(_listed(entries)):
        if isinstance(entry, Mapping):
            yield from _in_object(_under(f"{field}[{index}]"), entry, loras.FIELDS)


def _in_object(
    path: Callable[[str], str],
    values: Mapping[str, Any],
    known: Collection[str],
    *,
    passed: bool = False,
) -> Iterator[Stranger]:
    for key, value in values.items():
        if value is not None and key not in known:
            yield Stranger(path(key), key, value, _hint(key, known), passed)


def _under(field: str) -> Callable[[str], str]:
    return lambda key: f"{field}.{key}"


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _hint(key: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(str(key), sorted(known), n=2, cutoff=0.5)
    named = f"did you mean {' or '.join(nearest)}?" if nearest else "leave it out"
    return f"is no known parameter; {named}"
