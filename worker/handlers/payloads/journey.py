"""What a travel_orchestrator asks for: a journey through N + 1 pictures in N segments."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from worker.errors import InvalidTask
from worker.params import checks
from worker.params.defaults import DRAWN, MAX_SEED
from worker.params.frames import MAX_FRAMES
from worker.params.loras import parse_url
from worker.params.prompts import join_prompt
from worker.params.resolution import parse_resolution

DETAILS = "orchestrator_details"
MAX_SEGMENTS = 1000
# The journey's lists with one entry a segment.
PER_SEGMENT = (
    "segment_frames_expanded",
    "base_prompts_expanded",
    "enhanced_prompts_expanded",
    "negative_prompts_expanded",
    "phase_configs_expanded",
    "loras_per_segment_expanded",
)
_SEED_NAMES = ("seed_base", "base_seed", "seed")
# These are joined to a segment's prompt where the journey is planned, once.
_JOINED = ("text_before_prompts", "text_after_prompts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A journey that has been checked.

    Attributes:
        details: The payload's object.
        field: Where it stands in the params: "orchestrator_details", or "" for a flat payload.
        model: As the payload names it; "" where it names none.
        images: Paths or URLs, one more than there are segments.
        frames: Frames of each segment, as asked.
        overlaps: As asked, at most one a join; None where the payload has no list.
        chained: Whether each segment starts from the end of the one before.
        stitch: Whether the payload asks for a stitch, or for none; None where it does not say.
        seed: None where it is left to us.
        run_id: None where the payload has none.
    """

    details: Mapping[str, Any]
    field: str
    model: str
    images: tuple[str, ...]
    frames: tuple[int, ...]
    overlaps: Sequence[Any] | None
    chained: bool
    stitch: bool | None
    seed: int | None
    run_id: str | None

    def path(self, key: str) -> str:
        """Return the dotted path of a key of the details."""
        return f"{self.field}.{key}" if self.field else key


def details_of(params: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return an orchestrator's details and where they stand: under their name, or flat."""
    if params.get(DETAILS) is None:
        return params, ""
    return checks.mapping(DETAILS, params[DETAILS]), DETAILS


def parse_journey(params: Mapping[str, Any]) -> Journey:
    """Read the params of a travel_orchestrator, the whole of them or nothing.

    Raises:
        InvalidTask: Names the field by its dotted path; a list of the wrong length with both
            lengths.
    """
    details, field = details_of(checks.mapping("params", params))
    read = _Reader(details, field)
    images = read.images()
    count = read.segment_count(images)
    for key in PER_SEGMENT:
        read.per_segment(key, count)
    read.texts(count)
    if details.get("parsed_resolution_wh") is not None:
        where = read.path("parsed_resolution_wh")
        parse_resolution(details["parsed_resolution_wh"], field=where)
    return Journey(
        details=details,
        field=field,
        model=read.text("model_name") or read.text("model"),
        images=images,
        frames=read.frames(count),
        overlaps=read.listed("frame_overlap_expanded"),
        chained=read.chained(),
        stitch=read.flag("stitch"),
        seed=read.seed(),
        run_id=read.text("run_id") or None,
    )


def segment_values(details: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return what a journey's details say of one segment, under the names of a segment's params.

    Lists become this segment's entry; the prompt is joined whole. What the details do not say is
    left out. Entries that are not there (a list that is too short, in a copy made by others) count
    as not said.
    """
    values = {key: details[key] for key in details if key not in {*PER_SEGMENT, *_JOINED}}
    said = {
        "base_prompt": _prompt(details, index),
        "negative_prompt": _entry(details, "negative_prompts_expanded", index),
        "segment_frames_target": _entry(details, "segment_frames_expanded", index),
        "phase_config": _entry(details, "phase_configs_expanded", index),
        "additional_loras": _loras(_entry(details, "loras_per_segment_expanded", index)),
        "seed": next((details[key] for key in _SEED_NAMES if details.get(key) is not None), None),
        "start_image": _entry(details, "input_image_paths_resolved", index),
        "end_image": _entry(details, "input_image_paths_resolved", index + 1),
    }
    return values | {key: value for key, value in said.items() if value is not None}


def seed_from(task_id: UUID) -> int:
    """Derive a seed from a task's id: drawn once, and the same whenever the task is run again."""
    return int.from_bytes(hashlib.sha256(task_id.bytes).digest()[:4], "big")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the details' keys, refusing each by its dotted path."""

    details: Mapping[str, Any]
    field: str

    def path(self, key: str) -> str:
        return f"{self.field}.{key}" if self.field else key

    def text(self, key: str) -> str:
        value = self.details.get(key)
        return "" if value is None else checks.text(self.path(key), value)

    def flag(self, key: str) -> bool | None:
        value = self.details.get(key)
        if value is not None and not isinstance(value, bool):
            raise InvalidTask(self.path(key), value, "must be true or false")
        return value

    def listed(self, key: str) -> Sequence[Any] | None:
        value = self.details.get(key)
        return None if value is None else checks.sequence(self.path(key), value)

    def images(self) -> tuple[str, ...]:
        key = "input_image_paths_resolved"
        listed = self.listed(key)
        if listed is None or len(listed) < len(("start", "end")):
            problem = "must be a list of at least 2 pictures, paths or URLs"
            raise InvalidTask(self.path(key), listed, problem)
        return tuple(
            parse_url(f"{self.path(key)}[{index}]", image) for index, image in enumerate(listed)
        )

    def segment_count(self, images: Sequence[str]) -> int:
        key = "num_new_segments_to_generate"
        value = self.details.get(key)
        if value is None:
            return len(images) - 1
        count = checks.integer(self.path(key), value, low=1, high=MAX_SEGMENTS)
        if len(images) != count + 1:
            problem = (
                f"needs {count + 1} pictures, and {self.path('input_image_paths_resolved')} "
                f"has {len(images)}"
            )
            raise InvalidTask(self.path(key), count, problem)
        return count

    def per_segment(self, key: str, count: int) -> None:
        listed = self.listed(key)
        if listed and len(listed) != count:
            problem = f"has {len(listed)} entries for {count} segments; give one a segment"
            raise InvalidTask(self.path(key), listed, problem)

    def texts(self, count: int) -> None:
        for key in ("base_prompt", *_JOINED, "negative_prompt"):
            self.text(key)
        for key in (name for name in PER_SEGMENT if name.endswith("prompts_expanded")):
            for index, text in enumerate((self.listed(key) or ())[:count]):
                if text is not None:
                    checks.text(f"{self.path(key)}[{index}]", text)

    def frames(self, count: int) -> tuple[int, ...]:
        key = "segment_frames_expanded"
        listed = self.listed(key)
        if not listed:
            raise InvalidTask(self.path(key), listed, f"must be a list of {count} frame counts")
        return tuple(
            checks.integer(f"{self.path(key)}[{index}]", frames, low=1, high=MAX_FRAMES)
            for index, frames in enumerate(listed)
        )

    def chained(self) -> bool:
        chained, independent = self.flag("chain_segments"), self.flag("independent_segments")
        if chained and independent:
            problem = f"contradicts {self.path('independent_segments')} = True; set one of them"
            raise InvalidTask(self.path("chain_segments"), chained, problem)
        return bool(chained)

    def seed(self) -> int | None:
        for key in _SEED_NAMES:
            value = self.details.get(key)
            if value is not None:
                seed = checks.integer(self.path(key), value, low=DRAWN, high=MAX_SEED)
                return None if seed == DRAWN else seed
        return None


def _entry(details: Mapping[str, Any], key: str, index: int) -> Any:
    listed = details.get(key)
    if not isinstance(listed, list | tuple) or index >= len(listed):
        return None
    return listed[index]


def _prompt(details: Mapping[str, Any], index: int) -> str | None:
    """Join the segment's prompt: the enhanced one, its own, or the journey's, in this order."""
    candidates = (
        _entry(details, "enhanced_prompts_expanded", index),
        _entry(details, "base_prompts_expanded", index),
        details.get("base_prompt"),
    )
    text = next((item for item in candidates if isinstance(item, str) and item.strip()), "")
    before, after = (part if isinstance(part, str) else "" for part in map(details.get, _JOINED))
    return join_prompt(text, before=before, after=after) or None


def _loras(entry: Any) -> Any:
    """Return a segment's LoRAs as {url: strength}; a list of {url, multiplier} is one too."""
    if not isinstance(entry, list | tuple):
        return entry
    return {
        item.get("url", ""): item.get("multiplier", item.get("strength"))
        if isinstance(item, Mapping)
        else None
        for item in entry
    }
