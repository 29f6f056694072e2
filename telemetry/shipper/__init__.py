"""The shipper: what journals hold, sent to OTLP and Sentry for as long as it takes."""

from telemetry.shipper.otlp import OtlpTarget
from telemetry.shipper.retention import Retention
from telemetry.shipper.sentry import SentryTarget
from telemetry.shipper.shipper import Counters, Shipper

__all__ = ["Counters", "OtlpTarget", "Retention", "SentryTarget", "Shipper"]
