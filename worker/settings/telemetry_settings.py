"""The settings of the backends of telemetry: where it goes, and where it is looked at."""

from pydantic import Field, SecretStr

from worker.settings.setting_types import Dsn, Headers, WebAddress, header_fields, page_with
from worker.settings.storage_settings import StorageSettings


class TelemetrySettings(StorageSettings):
    """Where spans, logs, metrics and errors go, and which pages show them."""

    otlp_endpoint: WebAddress | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Address of an OTLP collector (HTTP/protobuf); unset keeps telemetry local.",
    )
    otlp_headers: Headers | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="Headers for the collector: name=value, percent-encoded, parted by commas.",
    )
    metrics_every_s: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="Seconds between two exports of metrics to the collector; 0 sends none.",
    )
    sentry_dsn: Dsn | None = Field(
        default=None,
        validation_alias="SENTRY_DSN",
        description="Where errors go; unset sends none.",
    )
    sentry_environment: str = Field(
        default="production",
        validation_alias="SENTRY_ENVIRONMENT",
        min_length=1,
        description="The environment that errors are filed under.",
    )
    sentry_release: str | None = Field(
        default=None,
        validation_alias="SENTRY_RELEASE",
        description="The release that errors are filed under; unset takes loop26's version.",
    )
    sentry_events_per_minute: int = Field(
        default=180, ge=1, description="Events that a worker sends there; more wait for their turn."
    )
    sentry_events_of_one_failure: int = Field(
        default=100,
        ge=1,
        description="Of these, of one failure; then those whose number is a power of two.",
    )
    jaeger_url: WebAddress | None = Field(
        default=None,
        description="Where a Jaeger is asked, as http://127.0.0.1:16686; for links and drills.",
    )
    sentry_url: WebAddress | None = Field(
        default=None,
        description="Web address of the Sentry or Bugsink that errors go to; for links and drills.",
    )
    sentry_event_url: str | None = Field(
        default=None,
        pattern=page_with("event_id", "event_uuid"),
        description="Page of an event there, with {event_id} or {event_uuid}; else its search.",
    )
    trace_url: str | None = Field(
        default=None,
        pattern=page_with("trace_id"),
        description="Page of a trace, with {trace_id}; unset is jaeger_url's.",
    )
    task_url: str | None = Field(
        default=None,
        pattern=page_with("task_id"),
        description="Page of a task in an application of yours, with {task_id}.",
    )
    report_url: str | None = Field(
        default=None,
        pattern=page_with("task_id"),
        description="Page at which you keep a task's report, with {task_id}.",
    )
    sentry_token: SecretStr | None = Field(
        default=None,
        description="Token that may read events there; a drill asks with it whether they arrived.",
    )

    @property
    def otlp_headers_map(self) -> dict[str, str]:
        """The headers for the collector by name, decoded; empty where none are set."""
        return header_fields(self.otlp_headers.get_secret_value()) if self.otlp_headers else {}
