"""What an exception says of the expression that it speaks of: it was None, it was not there.

A message is believed where it is in Python's own words, and of an exception that has such words.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from telemetry.reports.findings import FailureFound
from telemetry.reports.wording import one_line

# What is shown instead of a value; written like the class that a snapshot shows of an object.
NOT_RECORDED: Final = "<not in the record>"
NO_KEY: Final = "<no such key>"
NO_INDEX: Final = "<no such index>"

_COMPLAINTS: Final = ("AttributeError", "TypeError")
_NONE: Final = "NoneType"
_MISSING: Final = {
    "KeyError": ("was not there: there is no such key", NO_KEY),
    "IndexError": ("was not there: the index is out of range", NO_INDEX),
}
_NAMED: Final = re.compile(
    r"'(?P<of>[\w.]+)' object "
    r"(?:has no attribute '(?P<attribute>\w+)'|(?P<does>(?:is not|does not) [\w ]+))"
    r"|(?:object|argument) of type '(?P<sized>[\w.]+)' (?P<has>has no len\(\)|is not [\w ]+)"
    r"|cannot unpack non-iterable (?P<unpacked>[\w.]+) object"
)
_LONGEST_NAME: Final = 60

Raised = Sequence[tuple[str, str]]  # types and messages of exceptions


def raised_in(failure: FailureFound) -> list[tuple[str, str]]:
    """Return type and message of each exception that the failure's expression may be of."""
    place = [one for one in failure.chain if one.frames and one.frames == failure.frames]
    stated = [one for one in failure.chain if one.relation in ("", "cause")]
    chain = [(one.type, one.message) for one in [*place, *stated]]
    return [*chain, (failure.type, failure.message)]


def told_of(raised: Raised) -> str:
    """Say what the expression was: "was None", "was a generator, which has no 'get'".

    Args:
        raised: The exceptions that it may be of, the likeliest first.
    """
    return next((told for told, _ in _understood(raised)), "was not there")


def shown_as(raised: Raised) -> Any:
    """Return what stands for the value where no snapshot has it: None where it is known as None."""
    return next((shown for _, shown in _understood(raised)), NOT_RECORDED)


def type_named(kind: str, message: str) -> str:
    """Return the type that Python complains of; "" where it complains of none."""
    found = _NAMED.match(message) if kind in _COMPLAINTS else None
    return next((one for one in found.group("of", "sized", "unpacked") if one), "") if found else ""


def _understood(raised: Raised) -> Iterator[tuple[str, Any]]:
    for kind, message in raised:
        name = type_named(kind, message)
        if kind in _MISSING:
            yield _MISSING[kind]
        elif name and name != _NONE:
            yield f"was {_a(name)}, which {_lacks(message)}", f"<{one_line(name, _LONGEST_NAME)}>"
        elif _NONE in message:
            yield "was None", None


def _a(name: str) -> str:
    article = "an" if name[0].lower() in "aeiou" else "a"
    return f"{article} {one_line(name, _LONGEST_NAME)}"


def _lacks(message: str) -> str:
    found = _NAMED.match(message)
    if found and found["attribute"]:
        return f"has no '{one_line(found['attribute'], _LONGEST_NAME)}'"
    said = (found["does"] or found["has"]) if found else None
    return one_line(said, _LONGEST_NAME) if said else "cannot be unpacked"
