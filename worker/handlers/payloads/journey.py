"""What a travel_orchestrator asks for: a journey through N + 1 pictures in N segments."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from worker.errors import InvalidTask
from worker.handlers.payloads.pictures import Picture
from worker.handlers.payloads.stitch import SHARPNESS, parse_sharpness
from worker.params import checks
from worker.params.frames import MAX_FRAMES
from worker.params.journey import MAX_SEGMENTS, parse_overlaps
from worker.params.layers import Layer, named_model, pick
from worker.params.loras import parse_url
from worker.params.parameters import DRAWN, MAX_SEED
from worker.params.prompts import join_prompt
from worker.params.resolution import parse_resolution

DETAILS = "orchestrator_details"
OVERLAPS = "frame_overlap_expanded"
IMAGES = "input_image_paths_resolved"
# The journey's lists with one entry a segment.
PER_SEGMENT = (
    "segment_frames_expanded",
    "base_prompts_expanded",
    "enhanced_prompts_expanded",
    "negative_prompts_expanded",
    "phase_configs_expanded",
    "loras_per_segment_expanded",
)
# What a list with an entry a segment says: the name of a segment's params, the list, and which
# entry after the segment's own index.
_OF_SEGMENT = {
    "negative_prompt": ("negative_prompts_expanded", 0),
    "segment_frames_target": ("segment_frames_expanded", 0),
    "phase_config": ("phase_configs_expanded", 0),
    "additional_loras": ("loras_per_segment_expanded", 0),
    "start_image": (IMAGES, 0),
    "end_image": (IMAGES, 1),
}
# These are joined to a segment's prompt where the journey is planned, once.
_JOINED = ("text_before_prompts", "text_after_prompts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A journey that has been checked.

    Attributes:
        details: The payload's object.
        field: Where it stands in the params: "orchestrator_details", or "" for a flat payload.
        model: As the payload names it; "" where it names none.
        model_field: Dotted path of the model's name, for refusals.
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
    model_field: str
    images: tuple[str, ...]
    frames: tuple[int, ...]
    overlaps: tuple[int, ...] | None
    chained: bool
    stitch: bool | None
    seed: int | None
    run_id: str | None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The images, each with its dotted path."""
        return tuple(
            Picture(source=image, field=f"{self.path(IMAGES)}[{index}]")
            for index, image in enumerate(self.images)
        )

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
    model, model_field = named_model([read.layer])
    images = read.images()
    count = read.segment_count(images)
    for key in PER_SEGMENT:
        read.per_segment(key, count)
    read.texts(count)
    read.sharpness()
    if details.get("parsed_resolution_wh") is not None:
        where = read.path("parsed_resolution_wh")
        parse_resolution(details["parsed_resolution_wh"], field=where)
    return Journey(
        details=details,
        field=field,
        model=model,
        model_field=model_field,
        images=images,
        frames=read.frames(count),
        overlaps=parse_overlaps(details.get(OVERLAPS), read.path(OVERLAPS)),
        chained=read.chained(),
        stitch=read.flag("stitch"),
        seed=read.seed(),
        run_id=read.text("run_id") or None,
    )


def segment_layer(details: Mapping[str, Any], index: int, *, field: str = "") -> Layer:
    """Return what a journey's details say of one segment, under the names of a segment's params.

    Lists become this segment's entry; the prompt is joined whole. What the details do not say is
    left out, and an entry that is not there (a list that is too short, in a copy made by others)
    is not said. `field` is where the details stand.
    """
    read = _Reader(details, field)
    values = {key: details[key] for key in details if key not in {*PER_SEGMENT, *_JOINED}}
    places: dict[str, str] = {}
    for name, (key, offset) in _OF_SEGMENT.items():
        entry = read.entry(key, index + offset)
        if entry is not None:
            values[name], places[name] = entry, f"{key}[{index + offset}]"
    prompt, places["base_prompt"] = read.prompt(index)
    if prompt:
        values["base_prompt"] = prompt
        values.pop("prompt", None)  # the journey's; the segment's own says more
    return Layer(source="orchestrator", values=values, field=field, places=places)


def seed_from(task_id: UUID) -> int:
    """Derive a seed from a task's id: drawn once, and the same whenever the task is run again."""
    return int.from_bytes(hashlib.sha256(task_id.bytes).digest()[:4], "big")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the details' keys, refusing each by its dotted path."""

    details: Mapping[str, Any]
    field: str

    @property
    def layer(self) -> Layer:
        return Layer(source="orchestrator", values=self.details, field=self.field)

    def path(self, key: str) -> str:
        return self.layer.path(key)

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
        listed = self.listed(IMAGES)
        if listed is None or len(listed) < len(("start", "end")):
            problem = "must be a list of at least 2 pictures, paths or URLs"
            raise InvalidTask(self.path(IMAGES), listed, problem)
        return tuple(
            parse_url(f"{self.path(IMAGES)}[{index}]", image) for index, image in enumerate(listed)
        )

    def segment_count(self, images: Sequence[str]) -> int:
        key = "num_new_segments_to_generate"
        value = self.details.get(key)
        if value is None:
            return len(images) - 1
        count = checks.integer(self.path(key), value, low=1, high=MAX_SEGMENTS)
        if len(images) != count + 1:
            problem = f"needs {count + 1} pictures, and {self.path(IMAGES)} has {len(images)}"
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

    def sharpness(self) -> None:
        value = self.details.get(SHARPNESS)
        if value is not None:
            parse_sharpness(self.path(SHARPNESS), value)

    def chained(self) -> bool:
        chained, independent = self.flag("chain_segments"), self.flag("independent_segments")
        if chained and independent:
            problem = f"contradicts {self.path('independent_segments')} = True; set one of them"
            raise InvalidTask(self.path("chain_segments"), chained, problem)
        return bool(chained)

    def seed(self) -> int | None:
        said = pick([self.layer], "seed")
        if said is None:
            return None
        seed = checks.integer(said.field, said.value, low=DRAWN, high=MAX_SEED)
        return None if seed == DRAWN else seed

    def entry(self, key: str, index: int) -> Any:
        listed = self.listed(key)
        return None if listed is None or index >= len(listed) else listed[index]

    def prompt(self, index: int) -> tuple[str, str]:
        """Join the segment's prompt: the enhanced one, its own, or the journey's, in this order."""
        before, after = map(self.text, _JOINED)
        for key in ("enhanced_prompts_expanded", "base_prompts_expanded"):
            place = f"{key}[{index}]"
            entry = self.entry(key, index)
            text = "" if entry is None else checks.text(self.path(place), entry)
            if text.strip():
                return join_prompt(text, before=before, after=after), place
        text = self.text("base_prompt")
        return join_prompt(text, before=before, after=after), "base_prompt"
