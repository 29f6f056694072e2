"""Metrics as they came over the wire, one point each."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from telemetry.testing import OtlpReceiver, values_of

PATH = "/v1/metrics"


class Point(NamedTuple):
    """One point of one export; of a histogram, `value` is the sum and `count` how many."""

    name: str
    unit: str
    kind: str
    attributes: dict[str, Any]
    value: float
    count: int
    bounds: tuple[float, ...]
    traces: tuple[bytes, ...]
    resource: dict[str, Any]


def exports(receiver: OtlpReceiver) -> list[list[Point]]:
    """Return the points of each export that a receiver was sent, in order."""
    return [
        list(_points(ExportMetricsServiceRequest.FromString(body)))
        for path, body in zip(list(receiver.requests), list(receiver.bodies), strict=False)
        if path == PATH
    ]


def last(receiver: OtlpReceiver) -> list[Point]:
    """Return the points of the newest export; none before the first."""
    found = exports(receiver)
    return found[-1] if found else []


def values(points: list[Point], name: str, *by: str) -> dict[Any, float]:
    """Return the values of an instrument, by the values of these attributes."""
    return {
        tuple(point.attributes.get(key) for key in by): point.value
        for point in points
        if point.name == name
    }


def _points(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    for group in request.resource_metrics:
        resource = values_of(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data") or ""
                data = getattr(metric, kind)
                monotonic = getattr(data, "is_monotonic", False)
                for point in data.data_points:
                    histogram = kind == "histogram"
                    yield Point(
                        name=metric.name,
                        unit=metric.unit,
                        kind="counter" if monotonic else kind,
                        attributes=values_of(point.attributes),
                        value=point.sum if histogram else _number(point),
                        count=point.count if histogram else 0,
                        bounds=tuple(point.explicit_bounds) if histogram else (),
                        traces=tuple(one.trace_id for one in point.exemplars),
                        resource=resource,
                    )


def _number(point: Any) -> float:
    return float(getattr(point, point.WhichOneof("value")))
