"""Every setting of the worker: its name, its default, its check."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from worker.params.payload import UnknownKeys
from worker.settings.setting_types import (
    HANG_AFTER_S,
    Paths,
    SecondsByStage,
)
from worker.settings.telemetry_settings import TelemetrySettings

CONFIG_FILE = "config.toml"


class Settings(TelemetrySettings):
    """All settings, validated and frozen.

    Made by `load`, which reads the environment and `<home>/config.toml`; made directly, it reads
    neither and takes only what it is given.
    """

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
    blocking_rerun: bool = Field(
        default=False,
        description="Whether what a CUDA error ended is run once more, its calls waiting, to name "
        "the line.",
    )
    refuse_blank_output: bool = Field(
        default=True,
        description="Whether a task fails whose video has one colour in every pixel.",
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
