"""Spans out of OTLP JSON, which `telemetry.otlp_encoding` and query APIs write."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from telemetry import names
from telemetry.errors import MalformedOtlp
from telemetry.reports.wording import CUT
from telemetry.spans import CLOSED_BY_DEATH, CLOSED_BY_END, Event, Link, Span

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_LARGEST: Final = 2**63 - 1
_DEEPEST: Final = 12  # what lies deeper in an attribute no recorder has written
# OTLP's JSON has numbers, the JSON mapping of protobuf names; both begin with what is not said.
_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUSES: Final = ("UNSET", "OK", "ERROR")
_KIND_PREFIX: Final = "SPAN_KIND_"
_STATUS_PREFIX: Final = "STATUS_CODE_"


class ExportedProcess(NamedTuple):
    """What one resource has exported: its attributes, and its spans in the order of the JSON."""

    resource: Mapping[str, Any]
    spans: list[Span]


def read_spans(document: bytes) -> list[ExportedProcess]:
    """Return the spans of OTLP JSON, by itself or under `result`, resource by resource.

    Several documents after each other, a line each, are one. Of a span that came twice the second
    is left out. Raises `MalformedOtlp`.
    """
    found: list[ExportedProcess] = []
    seen: set[tuple[bytes, bytes]] = set()
    try:
        for answer in _answers(document):
            for group in answer.groups:
                spans = [_span(one) for scope in group.scope_spans for one in scope.spans]
                new = [one for one in spans if (one.trace_id, one.span_id) not in seen]
                seen.update((one.trace_id, one.span_id) for one in new)
                found.append(ExportedProcess(_values(group.resource.attributes), new))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedOtlp(f"it is no OTLP JSON ({error})") from error
    return found


class _Value(msgspec.Struct, frozen=True, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: "_Values | None" = None
    kvlist_value: "_Pairs | None" = None


class _Values(msgspec.Struct, frozen=True):
    values: list[_Value] = []


class _Pair(msgspec.Struct, frozen=True):
    key: str = ""
    value: _Value = _Value()


class _Pairs(msgspec.Struct, frozen=True):
    values: list[_Pair] = []


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    time_unix_nano: int | str = 0
    attributes: list[_Pair] = []


class _Link(msgspec.Struct, frozen=True, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    attributes: list[_Pair] = []


class _Status(msgspec.Struct, frozen=True):
    code: int | str = 0
    message: str = ""


class _Span(msgspec.Struct, frozen=True, rename="camel"):
    trace_id: str
    span_id: str
    name: str = ""
    parent_span_id: str = ""
    kind: int | str = 0
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_Pair] = []
    events: list[_Event] = []
    links: list[_Link] = []
    status: _Status = _Status()


class _Scope(msgspec.Struct, frozen=True):
    spans: list[_Span] = []


class _Resource(msgspec.Struct, frozen=True):
    attributes: list[_Pair] = []


class _Group(msgspec.Struct, frozen=True, rename="camel"):
    resource: _Resource = _Resource()
    scope_spans: list[_Scope] = []


class _Traces(msgspec.Struct, frozen=True, rename="camel"):
    resource_spans: list[_Group] = []


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    """A trace under `result`, as Jaeger answers, or by itself."""

    result: _Traces | None = None
    resource_spans: list[_Group] | None = None

    @property
    def groups(self) -> list[_Group]:
        """The resources of it. Raises `ValueError` where it has neither form."""
        if self.result is not None:
            return self.result.resource_spans
        if self.resource_spans is None:
            raise ValueError("it has neither `result` nor `resourceSpans`")
        return self.resource_spans


_DECODER: Final = msgspec.json.Decoder(_Answer)


def _answers(document: bytes) -> list[_Answer]:
    try:
        return [_DECODER.decode(document)]
    except msgspec.DecodeError as error:
        # A later Jaeger may answer in pieces, each a document of its own.
        if "trailing" not in str(error):
            raise
        return _DECODER.decode_lines(document)


def _span(one: _Span) -> Span:
    attributes = _values(one.attributes)
    end_ns = _nanoseconds(one.end_time_unix_nano) or None
    return Span(
        trace_id=_id(one.trace_id, _TRACE_ID_BYTES),
        span_id=_id(one.span_id, _SPAN_ID_BYTES),
        parent_id=_parent(one.parent_span_id),
        name=one.name,
        # Here they count from 0, there from 1: 0 is a kind that is not said.
        kind=max(0, _number(one.kind, _KINDS, _KIND_PREFIX) - 1),
        start_ns=_nanoseconds(one.start_time_unix_nano),
        end_ns=end_ns,
        status=_number(one.status.code, _STATUSES, _STATUS_PREFIX),
        description=one.status.message,
        attributes=attributes,
        events=tuple(_events(one.events)),
        links=tuple(_links(one.links)),
        seq=_seq(attributes),
        closed_by=_closed_by(attributes) if end_ns else "",
    )


def _events(events: Iterable[_Event]) -> Iterator[Event]:
    for one in events:
        yield Event(one.name, _nanoseconds(one.time_unix_nano), _values(one.attributes))


def _links(links: Iterable[_Link]) -> Iterator[Link]:
    for one in links:
        ids = _id(one.trace_id, _TRACE_ID_BYTES), _id(one.span_id, _SPAN_ID_BYTES)
        yield Link(*ids, _values(one.attributes))


def _values(pairs: Iterable[_Pair], depth: int = 0) -> dict[str, Any]:
    return {pair.key: _value(pair.value, depth) for pair in pairs}


def _value(value: _Value, depth: int) -> Any:
    """Return a value as it was recorded; one that is none of OTLP's kinds is None."""
    if value.int_value is not None:
        return int(value.int_value)
    if value.double_value is not None:
        return float(value.double_value)  # "NaN" and "Infinity" are texts
    if depth >= _DEEPEST and (value.array_value or value.kvlist_value):
        return CUT
    if value.array_value is not None:
        return [_value(one, depth + 1) for one in value.array_value.values]
    if value.kvlist_value is not None:
        return _values(value.kvlist_value.values, depth + 1)
    plain = (value.string_value, value.bool_value, value.bytes_value)
    return next((one for one in plain if one is not None), None)


def _id(text: str, size: int) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != size or not any(found):
        raise ValueError(f"an id has {size} bytes in hex, this one is {text[:40]!r}")
    return found


def _parent(text: str) -> bytes | None:
    return _id(text, _SPAN_ID_BYTES) if text.strip("0") else None


def _nanoseconds(value: int | str) -> int:
    found = int(value)
    if not 0 <= found <= _LARGEST:
        raise ValueError(f"{found} is no time in nanoseconds")
    return found


def _number(value: int | str, names_of: tuple[str, ...], prefix: str) -> int:
    """Return an enumeration's number; 0, what is not said, for one of a later version."""
    if isinstance(value, str):
        name = value.removeprefix(prefix)
        return names_of.index(name) if name in names_of else 0
    return value if 0 <= value < len(names_of) else 0


def _seq(attributes: Mapping[str, Any]) -> int:
    seq = attributes.get(names.JOURNAL_SEQ)
    return seq if type(seq) is int and seq > 0 else 0


def _closed_by(attributes: Mapping[str, Any]) -> str:
    """Tell a span that its process's death closed: it has the death's kind, and is its error.

    A supervisor that lives sets both on the span of the attempt that its child's death ended, and
    then, as it closes it, the status of the task.
    """
    died = names.DEATH_KIND in attributes and names.ERROR_TYPE in attributes
    return CLOSED_BY_DEATH if died and names.TASK_STATUS not in attributes else CLOSED_BY_END
