"""Requests in OTLP's JSON, as any program may send them: nothing of ours has redacted them."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from telemetry.shipper.delivery import Answer, Post

RESOURCE = {"service.name": "another", "service.instance.id": "1", "host.name": "its-host"}


def send(endpoint: str, signal: str, request: dict[str, Any]) -> Answer:
    """Send a request to an OTLP endpoint, and judge the answer as a worker's shipper does."""
    headers = {"Content-Type": "application/json"}
    post = Post(f"{endpoint}/v1/{signal}", headers, compress=True)
    try:
        return post.send(json.dumps(request).encode(), 60)
    finally:
        post.close()


def span(trace_id: str, name: str = "stage load", **more: Any) -> dict[str, Any]:
    """Make a span that has ended."""
    now = str(time.time_ns())
    return {
        "traceId": trace_id,
        "spanId": os.urandom(8).hex(),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        **more,
    }


def traces(
    spans: Sequence[dict[str, Any]], resource: Mapping[str, Any] = RESOURCE
) -> dict[str, Any]:
    """Make a request of spans."""
    scopes = [{"spans": list(spans)}]
    return {"resourceSpans": [{"resource": _resource(resource), "scopeSpans": scopes}]}


def logs(texts: Sequence[str], resource: Mapping[str, Any] = RESOURCE) -> dict[str, Any]:
    """Make a request of log records, each with its text in the body and in an attribute."""
    records = [
        {
            "timeUnixNano": str(time.time_ns()),
            "severityNumber": 9,
            "body": {"stringValue": text},
            "attributes": attributes({"note": text}),
        }
        for text in texts
    ]
    scopes = [{"scope": {"name": "library"}, "logRecords": records}]
    return {"resourceLogs": [{"resource": _resource(resource), "scopeLogs": scopes}]}


def gauge(name: str, unit: str, value: float) -> dict[str, Any]:
    """Make a request of one measurement."""
    point = {
        "timeUnixNano": str(time.time_ns()),
        "asDouble": value,
        "attributes": attributes({"loop26.task.type": "t2v"}),
    }
    metric = {"name": name, "unit": unit, "gauge": {"dataPoints": [point]}}
    scopes = [{"metrics": [metric]}]
    return {"resourceMetrics": [{"resource": _resource(RESOURCE), "scopeMetrics": scopes}]}


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write attributes; a list is one of texts."""
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _resource(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"attributes": attributes(values)}


def _value(value: Any) -> dict[str, Any]:
    match value:
        case list():
            return {"arrayValue": {"values": [_value(one) for one in value]}}
        case int():
            return {"intValue": str(value)}
        case _:
            return {"stringValue": value}
