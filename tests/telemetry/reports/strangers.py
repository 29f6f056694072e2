"""What strangers may have put into a case: one that was recorded well, changed."""

import zlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final

import msgspec

from telemetry import names
from telemetry.reports.case import Case
from tests.telemetry.reports.sample import ATTACKS

Built = dict[str, Any]  # a case, of the plain values that a black box holds
Change = Callable[[Built], None]

WRONG: Final[dict[str, Any]] = {
    "null": None,
    "truth": True,
    "infinite": float("inf"),
    "no number": float("nan"),
    "large": 2**64 - 1,
    "text": "x",
    "bytes": b"\xff\x1b",
    "list": [1, [2], None],
    "table": {"get": {"a": [1]}},
}
ERROR: Final = (
    *("kind", "type", "message", "sentence", "file", "line", "function", "place", "stage"),
    *("loop_index", "loop_count", "fingerprint", "trace_id", "span_id", "event_id", "signal"),
    *("expression", "caused_by", "exit_code", "last_words", "release", "record", "root_cause"),
)
CONTEXT: Final = ("death", "caused_by", "last_words", "open_spans", "frames_left_out", "other")
PARAMS: Final = (
    *("orchestrator_details", "individual_segment_params", "phase_config", "model", "seed"),
    *("model_name", "activated_loras", "loras_multipliers", "resolution", "video_length"),
)
# By these a record is read: what is put into them makes another record, not a hostile one.
_READ_BY: Final = {names.LOOP_ITERATION, names.DENOISE_STEP, "task", "supervisor", "end", "death"}
_GIVEN: Final = ("locals", "params", "facts", "data", "error", "attributes")


def spans(built: Built) -> list[Built]:
    """Return all spans of a case."""
    return [span for part in built["model"]["processes"] for span in part["spans"]]


def recorded_errors(built: Built) -> list[Built]:
    """Return all errors of a case."""
    return [error for part in built["model"]["processes"] for error in part["errors"]]


def own_parent(built: Built) -> None:
    """Let a span that has the root's id be within itself."""
    root = next(one for one in spans(built) if one["name"].startswith("process "))
    inner = next(one for one in spans(built) if one["name"] == "stage parameters")
    inner["span_id"] = inner["parent_id"] = root["span_id"]


def circle(built: Built) -> None:
    """Let the span that the row names be within one that is within it; no root is there."""
    for part in built["model"]["processes"]:
        part["spans"] = [one for one in part["spans"] if not one["name"].startswith("process ")]
    stage = next(one for one in spans(built) if one["name"] == "stage parameters")
    inner = next(one for one in spans(built) if one["name"] == names.LOOP_ITERATION)
    stage["parent_id"] = inner["span_id"]
    built["task"]["span_id"] = stage["span_id"].hex()


def all_within_one(built: Built) -> None:
    """Let every span be within every other, as far as its one parent can say so."""
    for span in spans(built):
        span["parent_id"] = span["span_id"]


def no_hex(built: Built) -> None:
    """Let the row name no span, and the record have no root."""
    circle(built)
    built["task"]["span_id"] = "zz"


def wrong(value: Any) -> Change:
    """Put one value into every field of which a record does not say the type."""

    def change(built: Built) -> None:
        built["task"]["error"] = dict.fromkeys(ERROR, value)
        built["task"]["params"] = dict.fromkeys(PARAMS, value)
        for event in built["events"]:
            event["data"] = dict.fromkeys(event["data"], value)
        for error in recorded_errors(built):
            error["context"] = dict.fromkeys(CONTEXT, value)
            for frame in error["chain"][0]["frames"]:
                frame["locals"] = dict.fromkeys([*frame["locals"], "<class>"], value)
        for part in built["model"]["processes"]:
            part["facts"]["facts"] = dict.fromkeys([*part["facts"]["facts"], "engine"], value)
            for begin, _ in part["tasks"]:
                begin[-1] = dict.fromkeys(PARAMS, value)
        for span in spans(built):
            kept = {names.TASK_ID, names.PARAM_KEY, names.STAGE_NAME} if value else set()
            given = span["attributes"]
            span["attributes"] = {
                **dict.fromkeys([*given, names.STEP_MEMORY_BYTES, names.STEP_COUNT], value),
                **{name: given[name] for name in kept & given.keys()},
            }
            span["events"] = [["exception", 5, {"x": value}], [names.PARAM_EVENT, 5, {"y": value}]]

    return change


def deep(built: Built) -> None:
    """Nest what is given as deep as a black box may."""
    value: Any = "<script>"
    for number in range(40):
        value = [value] if number % 2 else {"a": value}
    wrong(value)(built)


def huge(built: Built) -> None:
    """Write texts without end."""
    text = "<b>\x1b[1m" * 10_000
    built["task"] |= {"error_message": text, "worker": text, "params": {text: text}}
    built["task"]["error"] = dict.fromkeys(ERROR, text)
    for error in recorded_errors(built):
        error |= {"message": text, "type": text, "function": text, "context": {}}
        for frame in error["chain"][0]["frames"]:
            frame |= {"function": text, "source": [text] * 3, "locals": {text: text}}


def moments(first: str, *more: str) -> Change:
    """Let the row's times be none."""

    def change(built: Built) -> None:
        for row in (built["task"], *built["relatives"]):
            row |= {
                "created": first,
                "claimed": (more or (first,))[0],
                "returned": (first, *more)[-1],
            }

    return change


def times(at_ns: int) -> Change:
    """Let everything be at one time."""

    def change(built: Built) -> None:
        for span in spans(built):
            span["start_ns"] = at_ns
            span["end_ns"] = at_ns if span["name"] != names.LOOP_ITERATION else 0
        for one in (*built["events"], *recorded_errors(built)):
            one["at_ns"] = at_ns

    return change


SEALED: Final[dict[str, Change]] = {
    "a span within itself": own_parent,
    "spans in a circle": circle,
    "all within themselves": all_within_one,
    "no hex": no_hex,
    **{f"of another type: {name}": wrong(value) for name, value in WRONG.items()},
    "nested deep": deep,
    "huge": huge,
    "no times": moments("soon", "", "\x1b[31m"),
    "times of no calendar": moments("9999-99-99T99:99:99Z"),
    "times at the calendar's ends": moments(
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
    ),
    "times of two kinds": moments("2026-02-24T14:23:26", "2026-02-24T14:23:26.1Z"),
    "at no time": times(0),
    "at the end of time": times(2**63 - 1),
}
# What no black box can hold, and another source may.
OTHERS: Final[dict[str, Change]] = {
    "before all time": times(-(10**30)),
    "after all time": times(10**30),
}


def attacked(case: Case) -> Case:
    """Put an attack behind every text, the same behind the same: what is one stays one.

    Halves of a surrogate pair are among them: no black box can hold one, and a queue's row may.
    """
    found: Case = _attacked(case)
    return found


def _attacked(value: Any, within: str = "") -> Any:
    match value:
        case str() if value not in _READ_BY and within != "trace_id":
            return value + ATTACKS[zlib.crc32(value.encode()) % len(ATTACKS)]
        case dict():
            return {_key(key, within): _attacked(one, key) for key, one in value.items()}
        case list() | tuple():
            items = [_attacked(one) for one in value]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    given = _fields_of(value)
    if not given:
        return value
    return type(value)(**{name: _attacked(one, name) for name, one in given.items()})


def _fields_of(value: Any) -> dict[str, Any]:
    """Return what a struct or a dataclass is made of; {} of all else."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return (
        {one.name: getattr(value, one.name) for one in fields(value)} if is_dataclass(value) else {}
    )


def _key(key: str, within: str) -> str:
    """Attack a name that was given by others; those that we read by stay."""
    known = "loop26." in key or key in ERROR or within not in _GIVEN
    return key if known else f"{key}{ATTACKS[len(key) % len(ATTACKS)]}"
