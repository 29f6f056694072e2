"""W3C trace contexts as the queue keeps them: the text of a `traceparent` header."""

import re

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def trace_id_of(context: str | None) -> str | None:
    """Return the trace id in a traceparent, None when it is not a valid one."""
    found = _TRACEPARENT.fullmatch(context or "")
    if found is None or found[1] == _NO_TRACE or found[2] == _NO_SPAN:
        return None
    return found[1]


def span_id_of(context: str | None) -> str | None:
    """Return the span id in a traceparent, None when it is not a valid one."""
    return context.split("-")[2] if context and trace_id_of(context) else None


def context_of(trace_id: str, span_id: str) -> str:
    """Return the traceparent of a sampled span."""
    return f"00-{trace_id}-{span_id}-01"
