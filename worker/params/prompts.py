"""The prompt: a text, with the texts that a journey puts before and after each."""

from collections.abc import Sequence

from worker.params import checks
from worker.params.layers import Choice, Layer, pick_first


def join_prompt(text: str, *, before: str = "", after: str = "") -> str:
    """Join the parts that are not blank with one blank between."""
    return " ".join(part.strip() for part in (before, text, after) if part.strip())


def pick_prompt(layers: Sequence[Layer]) -> Choice:
    """Return the whole prompt: `prompt` or `base_prompt` of the highest layer that has one.

    `text_before_prompts` and `text_after_prompts` are joined to it, each from the highest layer
    that has one. A task that says none has the prompt "" (layer "system").
    """
    choice = pick_first(layers, "prompt", "base_prompt")
    if choice is None:
        choice = Choice(value="", layer="system", field="prompt")
    text = checks.text(choice.field, choice.value)
    before, after = (_part(layers, f"text_{side}_prompts") for side in ("before", "after"))
    joined = join_prompt(text, before=before, after=after)
    return Choice(value=joined, layer=choice.layer, field=choice.field)


def _part(layers: Sequence[Layer], name: str) -> str:
    choice = pick_first(layers, name)
    return "" if choice is None else checks.text(choice.field, choice.value)
