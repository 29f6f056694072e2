"""Every setting of the worker: its name, its default, its check."""

import socket
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from worker.params.payload import UnknownKeys
from worker.settings.setting_types import (
    HANG_AFTER_S,
    AbsolutePath,
    Dsn,
    Headers,
    Paths,
    SecondsByStage,
    TaskTypes,
    WebAddress,
    header_fields,
)
from worker.task import TASK_TYPES

CONFIG_FILE = "config.toml"
PREFIX = "LOOP26_"


class Settings(BaseSettings):
    """All settings, validated and frozen.

    Made by `load`, which reads the environment and `<home>/config.toml`; made directly, it reads
    neither and takes only what it is given.
    """

    model_config = SettingsConfigDict(
        allow_inf_nan=False,
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        validate_default=True,
    )

    home: AbsolutePath = Field(
        default=Path("~/.loop26"),
        description="Folder of the queue, the journals, outputs and models.",
    )
    worker_name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=100,
        description="This worker's name; a boot id is added to it at every start.",
    )
    task_types: TaskTypes = Field(
        default=TASK_TYPES, description="Task types that this worker accepts, parted by commas."
    )
    poll_s: float = Field(
        default=1.0, gt=0, le=3600, description="Seconds between two looks at an empty queue."
    )
    heartbeat_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Seconds between two extensions of a running task's lease.",
    )
    lease_s: float = Field(
        default=60.0,
        gt=0,
        le=86400,
        description="Seconds until a task of a silent worker is taken from it.",
    )
    cancel_check_s: float = Field(
        default=1.0,
        gt=0,
        le=3600,
        description="Seconds between two looks whether the task was cancelled.",
    )
    grace_s: float = Field(
        default=25.0,
        ge=0,
        le=86400,
        description="Seconds after SIGTERM in which the running task may still finish.",
    )
    max_deaths: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Deaths of its process after which a task fails for good.",
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Attempts after which an error that may pass fails a task.",
    )
    recycle_after_tasks: int = Field(
        0,
        ge=0,
        description="Attempts at tasks after which the worker ends with exit code 75; 0 is never.",
    )
    child_start_timeout_s: float = Field(
        default=300.0,
        gt=0,
        le=86400,
        description="Seconds in which a new task process must report its device ready.",
    )

    hang_after_s: SecondsByStage = Field(
        default=dict(HANG_AFTER_S),
        description="Seconds without progress (in generate: of one step) that make a task a hang; "
        "0 is never.",
    )

    engine: Literal["diffusers"] = Field(
        default="diffusers", description="The engine that generates."
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="auto (CUDA where there is one), cpu, cuda or cuda:N.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Number format of the weights; auto chooses by device and model.",
    )
    offload: Literal["none", "model", "sequential"] = Field(
        default="none",
        description="What waits in main memory: none, the idle models, or single layers.",
    )
    threads: int = Field(
        default=0, ge=0, le=4096, description="CPU threads of torch; 0 leaves it to torch."
    )
    compile: bool = Field(
        default=False, description="Whether the transformers are compiled when they are loaded."
    )
    models_dirs: Paths = Field(
        default=(), description="More folders of model definition files, parted by commas."
    )
    models_offline: bool = Field(
        default=False, description="Whether weights that are not on this machine are refused."
    )
    video_crf: int = Field(
        default=18, ge=0, le=51, description="Quality of the H.264 output: 0 lossless, 51 worst."
    )

    unknown_params: UnknownKeys = Field(
        default="pass",
        description="What becomes of a task's unknown keys: pass (with a warning) or refuse.",
    )
    allowed_roots: Paths = Field(
        default=(),
        description="Folders that local inputs must lie in, parted by commas; empty allows all.",
    )
    private_addresses: bool = Field(
        default=False, description="Whether inputs may be fetched from private addresses."
    )
    max_picture_mb: float = Field(
        default=50.0, gt=0, description="Size limit of a picture, in megabytes."
    )
    max_picture_megapixels: float = Field(
        default=100.0, gt=0, description="Limit of a picture's width times height, in megapixels."
    )
    max_lora_mb: float = Field(
        default=4000.0, gt=0, description="Size limit of a LoRA, in megabytes."
    )
    download_timeout_s: float = Field(
        default=600.0, gt=0, le=86400, description="Seconds that one whole download may take."
    )

    journal_rotate_mb: float = Field(
        default=64.0, ge=1, description="Megabytes after which a journal goes on in a new file."
    )
    spool_keep_mb: float = Field(
        default=2000.0, gt=0, description="Megabytes of old journals that are kept, newest first."
    )
    spool_keep_days: float = Field(
        default=14.0, gt=0, description="Days that old journals are kept."
    )
    record_prompts: bool = Field(
        default=True, description="Whether prompts are written to journals and telemetry."
    )
    black_boxes: bool = Field(
        default=True,
        description="Whether a task that fails leaves its record beside its outputs, in one file.",
    )
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
        pattern=r"^https?://[^\s<>\"]*\{event_(id|uuid)\}[^\s<>\"]*$",
        description="Page of an event there, with {event_id} or {event_uuid}; else its search.",
    )
    sentry_token: SecretStr | None = Field(
        default=None,
        description="Token that may read events there; a drill asks with it whether they arrived.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and read nothing; `load` has read the rest and knows its origin."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease_s <= 2 * self.heartbeat_s:
            raise ValueError(
                f"lease_s = {self.lease_s:g}: must exceed 2 x heartbeat_s (2 x "
                f"{self.heartbeat_s:g}), or one late heartbeat loses the task; "
                "raise lease_s or lower heartbeat_s"
            )
        return self

    @property
    def otlp_headers_map(self) -> dict[str, str]:
        """The headers for the collector by name, decoded; empty where none are set."""
        return header_fields(self.otlp_headers.get_secret_value()) if self.otlp_headers else {}

    @property
    def queue_path(self) -> Path:
        """The SQLite file of the local queue."""
        return self.home / "queue.db"

    @property
    def spool_dir(self) -> Path:
        """The journals, one folder a process."""
        return self.home / "spool"

    @property
    def outputs_dir(self) -> Path:
        """The published outputs, one folder a task."""
        return self.home / "outputs"

    @property
    def models_dir(self) -> Path:
        """Models that were built from a seed, and weights that the operator put there."""
        return self.home / "models"

    @property
    def cache_dir(self) -> Path:
        """Downloads, by URL."""
        return self.home / "cache"
