"""The keys that tasks carry beside their parameters, and those that nobody knows."""

import difflib
from collections.abc import Collection, Sequence
from typing import Final, Literal, TypeAlias

from worker.errors import InvalidParameter
from worker.params import checks
from worker.params.layers import ALIASES, Layer, entries
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


def unknown_keys(
    layers: Sequence[Layer], defaults: Collection[str], policy: UnknownKeys
) -> tuple[str, ...]:
    """Return the keys that are neither parameters nor carried, or refuse the first of them.

    An orchestrator's payload is the plan of a whole journey, so what is unknown in it is not
    passed to one generation.
    """
    known = _known(defaults)
    unknown: dict[str, None] = {}
    for layer, key, value in entries(layers):
        if key in known:
            continue
        if policy == "refuse":
            raise InvalidParameter(layer.path(key), value, _hint(key, known))
        if layer.source != "orchestrator":
            unknown[checks.name(layer.field or "params", key)] = None
    return tuple(unknown)


def warn_of_unknown(layers: Sequence[Layer], defaults: Collection[str]) -> tuple[str, ...]:
    """Return a sentence for every key that nobody knows, as `refuse` would refuse it by."""
    known = _known(defaults)
    return tuple(
        f"{layer.path(key)} {_hint(key, known)}"
        for layer, key, _ in entries(layers)
        if key not in known
    )


def _known(defaults: Collection[str]) -> frozenset[str]:
    aliases = (name for names in ALIASES.values() for name in names)
    return frozenset({*PARAMETERS, *defaults, *CARRIED, *aliases})


def _hint(key: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(key, sorted(known), n=2, cutoff=0.5)
    named = f"did you mean {' or '.join(nearest)}?" if nearest else "leave it out"
    return f"is no known parameter; {named}"
