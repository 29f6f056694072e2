"""Every setting of the worker: its name, its default, its check."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from worker.params.payload import UnknownKeys
from worker.settings.engine_settings import EngineSettings
from worker.settings.setting_types import (
    HANG_AFTER_S,
    Paths,
    SecondsByStage,
)

CONFIG_FILE = "config.toml"


class Settings(EngineSettings):
    """All settings, validated and frozen.

    Made by `load`, which reads the environment and `<home>/config.toml`; made directly, it reads
    neither and takes only what it is given.
    """

    hang_after_s: SecondsByStage = Field(
        default=dict(HANG_AFTER_S),
        description="Seconds without progress (in generate: of one step) that make a task a hang; "
        "0 is never.",
    )

    refuse_blank_output: bool = Field(
        default=True,
        description="Whether a task fails whose video has one colour in every pixel.",
    )
    video_crf: int = Field(
        default=18, ge=0, le=51, description="Quality of the H.264 output: 0 lossless, 51 worst."
    )
    video_preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = Field(
        default="veryfast",
        description="How long x264 looks for what makes a file small: ultrafast to slower.",
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

    @property
    def wan2gp_dir(self) -> Path:
        """What a checkout's engine writes, and what loop26 brings along for its interpreter."""
        return self.home / "wan2gp"
