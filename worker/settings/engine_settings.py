"""The settings of the engine: which one generates, on what, and where a checkout's is."""

from typing import Literal

from pydantic import Field

from worker.settings.setting_types import AbsolutePath, Paths, ShellWords
from worker.settings.telemetry_settings import TelemetrySettings


class EngineSettings(TelemetrySettings):
    """What a task process makes its engine with.

    What of wan2gp is needed, is there and will do is asked where a task process is to be started,
    not here: who only reads a queue needs none of it.
    """

    engine: Literal["diffusers", "wan2gp"] = Field(
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
    models_dirs: Paths = Field(
        default=(), description="More folders of model definition files, parted by commas."
    )
    models_offline: bool = Field(
        default=False, description="Whether weights that are not on this machine are refused."
    )
    wan2gp_checkout: AbsolutePath | None = Field(
        default=None,
        description="Folder of your Wan2GP checkout, which holds wgp.py; for engine = wan2gp.",
    )
    wan2gp_python: AbsolutePath | None = Field(
        default=None,
        description="Python of the checkout's own environment, 3.11 or later: …/bin/python.",
    )
    wan2gp_config: AbsolutePath | None = Field(
        default=None,
        description="Folder of the checkout's wgp_config.json; unset is the checkout's own.",
    )
    wan2gp_args: ShellWords = Field(
        default=(),
        description="More arguments for wgp.py, quoted as in a shell: --attention sdpa --profile "
        "4.",
    )
