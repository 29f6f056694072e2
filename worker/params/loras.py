"""LoRAs: which files, and how strong each is in every phase and step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import InvalidParameter
from worker.params import checks
from worker.params.request import LoraUse

MAX_STRENGTH = 100.0
ABSENT = "0"  # the strength in a phase that does not list the LoRA
NEUTRAL = "1.0"  # the strength of a LoRA that is named with no multipliers at all
# What an entry of a list of LoRAs may say; "strength" is another name of "multiplier".
FIELDS = ("url", "multiplier", "strength", "sha256")
_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraText:
    """A LoRA as asked: `multipliers` has one part for all phases or one a phase, joined by ';'.

    `field` is the dotted path of the multipliers and `url_field` that of the file, for refusals.
    """

    url: str
    multipliers: str
    field: str
    url_field: str
    sha256: str | None = None


def parse_url(field: str, value: Any) -> str:
    """Return a path or URL; whether it may be fetched is decided where inputs are fetched."""
    url = checks.text(field, value, limit=4096)
    if not url.strip() or url != url.strip() or not url.isprintable():
        raise InvalidParameter(field, value, "must be a path or an http(s) URL")
    return url


def parse_sha256(field: str, value: Any) -> str | None:
    """Return the expected hash in lower case, or None where there is none."""
    if value is None:
        return None
    digits = checks.text(field, value).lower()
    if len(digits) != _SHA256_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise InvalidParameter(field, value, "must be a sha256: 64 hexadecimal digits")
    return digits


def multiplier_text(field: str, value: Any) -> str:
    """Return a multiplier as text: a number as it prints, a text as given."""
    if isinstance(value, str):
        return checks.text(field, value, limit=checks.MAX_TEXT).strip()
    return str(checks.number(field, value, low=-MAX_STRENGTH, high=MAX_STRENGTH))


def parse_additional(field: str, value: Any) -> tuple[LoraText, ...]:
    """Read `additional_loras`: {url: strength}, or a list of {url, multiplier}.

    "strength" is another name of "multiplier".
    """
    if isinstance(value, list | tuple):
        listed = checks.sequence(field, value)
        texts = tuple(_listed(f"{field}[{index}]", entry) for index, entry in enumerate(listed))
        _refuse_doubles(field, [text.url for text in texts])
        return texts
    return tuple(
        LoraText(
            url=parse_url(field, url),
            multipliers=multiplier_text(f"{field}.{url}", strength),
            field=f"{field}.{url}",
            url_field=field,
        )
        for url, strength in checks.mapping(field, value).items()
    )


def _listed(place: str, value: Any) -> LoraText:
    entry = checks.mapping(place, value)
    name = multiplier_name(entry)
    return LoraText(
        url=parse_url(f"{place}.url", checks.required(place, entry, "url")),
        multipliers=multiplier_text(f"{place}.{name}", checks.required(place, entry, name)),
        field=f"{place}.{name}",
        url_field=f"{place}.url",
        sha256=parse_sha256(f"{place}.sha256", entry.get("sha256")),
    )


def multiplier_name(entry: Mapping[str, Any]) -> str:
    """Return the name under which an entry gives its multiplier."""
    known = entry.get("multiplier") is None and entry.get("strength") is not None
    return "strength" if known else "multiplier"


def parse_activated(
    urls: Any, multipliers: Any, *, urls_field: str, field: str
) -> tuple[LoraText, ...]:
    """Read `activated_loras` and `loras_multipliers`, which must be as many.

    The multipliers are a list, or one text with blanks between the entries. None at all means 1.0
    for each.
    """
    names = [
        parse_url(f"{urls_field}[{index}]", url)
        for index, url in enumerate(checks.sequence(urls_field, urls))
    ]
    _refuse_doubles(urls_field, names)
    texts = split_multipliers(field, multipliers) or [NEUTRAL] * len(names)
    if len(texts) != len(names):
        problem = f"has {len(texts)} multipliers for the {len(names)} LoRAs of {urls_field}"
        raise InvalidParameter(field, multipliers, problem)
    return tuple(
        LoraText(url=url, multipliers=text, field=field, url_field=f"{urls_field}[{index}]")
        for index, (url, text) in enumerate(zip(names, texts, strict=True))
    )


def split_multipliers(field: str, value: Any) -> list[str]:
    """Return one text a LoRA, of a list or of a text with blanks between."""
    if isinstance(value, str):
        return checks.text(field, value).split()
    return [
        multiplier_text(f"{field}[{index}]", item)
        for index, item in enumerate(checks.sequence(field, value))
    ]


def phase_values(field: str, part: str) -> tuple[float, ...]:
    """Read one phase's part of a multiplier: one number, or one a step with commas between."""
    return tuple(_strength(field, part, piece) for piece in part.split(","))


def expand(lora: LoraText, steps_per_phase: Sequence[int]) -> LoraUse:
    """Work out the strength of a LoRA in every step.

    One part serves every phase, otherwise there is one a phase; a list must have as many values
    as its phase has steps: '1.2;0' over 3 + 3 steps is (1.2, 1.2, 1.2, 0.0, 0.0, 0.0).
    """
    parts = lora.multipliers.split(";")
    phases = len(steps_per_phase)
    if len(parts) not in {1, phases}:
        problem = f"has {len(parts)} parts for {phases} phases; give one, or one a phase"
        raise InvalidParameter(lora.field, lora.multipliers, problem)
    parts = parts * phases if len(parts) == 1 else parts
    per_step: list[float] = []
    for phase, (part, steps) in enumerate(zip(parts, steps_per_phase, strict=True), start=1):
        per_step += over_steps(lora.field, part, phase, steps)
    return LoraUse(
        url=lora.url,
        multipliers=lora.multipliers,
        per_step=tuple(per_step),
        sha256=lora.sha256,
        field=lora.url_field,
    )


def over_steps(field: str, part: str, phase: int, steps: int) -> Sequence[float]:
    """Return one phase's strengths, one a step, of one number or of as many as it has steps."""
    values = phase_values(field, part)
    if len(values) == 1:
        return values * steps
    if len(values) != steps:
        problem = f"has {len(values)} values for the {steps} steps of phase {phase}"
        raise InvalidParameter(field, part, problem)
    return values


def _strength(field: str, part: str, piece: str) -> float:
    try:
        # Python reads "1_0", " 1" and digits of other scripts as numbers; no engine does.
        plain = piece.isascii() and not set(piece) & set("_ \t\r\n\v\f")
        value = float(piece) if plain else float("nan")
    except ValueError:
        value = float("nan")
    if not -MAX_STRENGTH <= value <= MAX_STRENGTH:
        limit = f"-{MAX_STRENGTH:g} to {MAX_STRENGTH:g}"
        problem = f"holds {piece!r}, which is no number of {limit}"
        raise InvalidParameter(field, part, problem)
    return value


def _refuse_doubles(field: str, urls: Sequence[str]) -> None:
    for index, url in enumerate(urls):
        if url in urls[:index]:
            problem = f"stands in the list before, at [{urls.index(url)}]; a LoRA is named once"
            raise InvalidParameter(f"{field}[{index}]", url, problem)
