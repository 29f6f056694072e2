"""How often what has failed is tried again: by the type of the task, and by how it failed."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from worker.task import TASK_TYPES

ERROR: Final = "error"  # an exception that may pass
DEATH: Final = "death"  # of the task process, or of the whole worker
HANG: Final = "hang"
KINDS: Final = (ERROR, DEATH, HANG)
EVERY_TYPE: Final = "*"
_MOST: Final = 100


def _retries(value: Any) -> Any:
    """Read TYPE.KIND=NUMBER parted by commas, or a table, whose dots may be tables themselves."""
    given: Mapping[str, Any] = value
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        given = {rule.strip(): number.strip() for rule, _, number in pairs}
    elif not isinstance(value, Mapping):
        given = {str(value): ""}  # is no rule either, and says so
    return {_rule(rule): _number(rule, number) for rule, number in _flat(given)}


def _flat(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{kind}", number) for kind, number in value.items())
        else:
            yield str(name), value


def _rule(text: str) -> str:
    task_type, dot, kind = text.partition(".")
    if not dot:
        raise ValueError(f"{text!r} must be TYPE.KIND, as in t2v.death or *.hang")
    if task_type not in (EVERY_TYPE, *TASK_TYPES):
        known = ", ".join((EVERY_TYPE, *TASK_TYPES))
        raise ValueError(f"unknown task type {task_type!r} in {text!r}; known: {known}")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r} in {text!r}; known: {', '.join(KINDS)}")
    return text


def _number(rule: str, value: Any) -> int:
    text = str(value)
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text, re.ASCII) or int(text) > _MOST:
        raise ValueError(f"{value!r} for {rule} must be an integer from 1 to {_MOST}")
    return int(text)


Retries = Annotated[dict[str, int], NoDecode, BeforeValidator(_retries)]
