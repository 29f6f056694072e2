"""The shipper: what journals hold, sent to OTLP and Sentry for as long as it takes."""

from telemetry.shipper.counters import Counters, SignalCounters
from telemetry.shipper.otlp import OtlpTarget
from telemetry.shipper.retention import Retention
from telemetry.shipper.sentry import SentryTarget
from telemetry.shipper.sentry_quota import Quota
from telemetry.shipper.shipper import Shipper

__all__ = [
    "Counters",
    "OtlpTarget",
    "Quota",
    "Retention",
    "SentryTarget",
    "Shipper",
    "SignalCounters",
]
