"""One JSON object a line, whatever it is to hold: programs read it, and must not fail over it."""

import json
from collections.abc import Mapping
from typing import Any


def json_line(facts: Mapping[str, Any], encoding: str) -> str:
    """Write an object as one line, without its end, that every reader of JSON takes.

    Args:
        facts: The object. What JSON has no word for is written as text.
        encoding: Of the stream that the line is for; letters that it does not have are escaped.
    """
    try:
        text = json.dumps(facts, default=str, ensure_ascii=False, allow_nan=False)
        text.encode(encoding)
    except (TypeError, ValueError):
        # A number that is none, a key that is no text, half of a pair of surrogates, or a letter
        # that the stream does not have.
        plain = json.dumps(facts, default=str, skipkeys=True)
        text = json.dumps(json.loads(plain, parse_constant=str))
    return text
