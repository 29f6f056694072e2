"""The engine that runs Wan with diffusers, on CUDA or on the CPU."""

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import telemetry
from telemetry import names
from worker.engines.base import (
    DeviceFacts,
    Generated,
    Inputs,
    MemoryFacts,
    ModelDefinition,
    Observer,
)
from worker.engines.catalog import Catalog, fresh_defaults
from worker.engines.conditioning import prepare
from worker.engines.decode import decode
from worker.engines.denoise import Denoiser
from worker.engines.device_faults import DeviceFault, device_fault
from worker.engines.device_memory import memory_facts
from worker.engines.library_logs import route_library_logs
from worker.engines.limits import check_limits
from worker.engines.lora_files import check_loras
from worker.engines.lora_weights import LoraAdapters
from worker.engines.pictures import check_inputs
from worker.engines.placement import Placement, probe
from worker.engines.solvers import build_solver
from worker.engines.weights import load_pipeline
from worker.errors import InputError, SettingsError
from worker.params.request import GenerationRequest, Schedule


class DiffusersWanEngine:
    """Generates with Wan pipelines of diffusers; see `worker.engines.base.Engine`.

    Args:
        catalog: The models it may be asked for.
        models_dir: Folders of weights are looked for here, and built models are kept here.
        device: auto, cpu, cuda or cuda:N.
        dtype: Of the transformers: auto, bfloat16, float16, float32. The VAE is always float32.
        offload: none, model (one part at a time on the device) or sequential (one layer).
        threads: Of torch on the CPU; 0 leaves it to torch.
        compile: Compile the transformers' blocks at first use. A LoRA strength that changes
            between steps compiles them again.
        local_files_only: Never download weights.
    """

    name = "diffusers"

    def __init__(
        self,
        catalog: Catalog,
        *,
        models_dir: Path,
        device: str = "auto",
        dtype: str = "auto",
        offload: str = "none",
        threads: int = 0,
        compile: bool = False,  # noqa: A002 - the setting's name; the builtin is not used here
        local_files_only: bool = False,
    ) -> None:
        self._catalog = catalog
        self._models_dir = models_dir
        self._device, self._dtype, self._offload = device, dtype, offload
        self._threads = threads
        self._compile = compile
        self._local_files_only = local_files_only
        self._placement: Placement | None = None
        self._loaded: _LoadedModel | None = None
        self._load_count = 0

    @property
    def loaded_model(self) -> str | None:
        """Name of the model that is loaded now."""
        return self._loaded.definition.name if self._loaded else None

    @property
    def load_count(self) -> int:
        """How many times a model has been loaded by this engine object."""
        return self._load_count

    def device(self) -> DeviceFacts:
        """Prove that the device computes; a setting that cannot be had is a `problem` too."""
        try:
            return probe(self._place())
        except SettingsError as error:
            return DeviceFacts(kind=self._device, name="", ready=False, problem=str(error))

    def model_def(self, model: str) -> ModelDefinition:
        """Look up a model in the catalogue."""
        with self._call("model_def", model) as span:
            definition = self._catalog.get(model)
            span.set_attribute(f"{names.ENGINE_RESULT}kind", definition.kind)
            span.set_attribute(f"{names.ENGINE_RESULT}weights", definition.weights)
            return definition

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return a copy of the model's defaults, in the order of the loop."""
        with self._call("default_settings", model) as span:
            defaults = fresh_defaults(self._catalog.get(model))
            span.set_attribute(f"{names.ENGINE_RESULT}count", len(defaults))
            return defaults

    def load(self, model: str) -> None:
        """Load the model unless it is loaded, after unloading another."""
        with self._call("load", model, self._settings()) as span:
            definition = self._catalog.get(model)
            already = self.loaded_model == definition.name
            span.set_attribute(f"{names.ENGINE_RESULT}already_loaded", already)
            if not already:
                self.unload()
                self._load(definition)

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Generate one video with the loaded model, loading it first if another is."""
        with self._call("generate", request.model, _scalars(request)) as span:
            definition = self._catalog.get(request.model)
            check_inputs(request, definition, inputs)
            check_loras(request, inputs)
            loaded = self._loaded
            if loaded is None or loaded.definition.name != definition.name:
                self.load(definition.name)
                loaded = self._loaded
            assert loaded is not None  # noqa: S101 - tells the type checker what load promises
            generated = loaded.generate(request, inputs, observer)
            for side, size in zip(
                ("frames", "height", "width"), generated.frames.shape, strict=False
            ):
                span.set_attribute(f"{names.ENGINE_RESULT}{side}", size)
            return generated

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Say who holds the device's memory: the pipeline's parts, and tensors besides."""
        components = self._loaded.components if self._loaded else {}
        return memory_facts(components, self._place().indexed, exc)

    def unload(self) -> None:
        """Drop the model and give the device's memory back, also what a failed load has left."""
        self._loaded = None
        gc.collect()
        self._place().free_unused()

    def _load(self, definition: ModelDefinition) -> None:
        route_library_logs()
        placement = self._place()
        pipeline = load_pipeline(
            definition,
            models_dir=self._models_dir,
            dtype=placement.dtype,
            local_files_only=self._local_files_only,
        )
        placement.place(pipeline)
        if self._compile:
            for transformer in (pipeline.transformer, pipeline.transformer_2):
                if transformer is not None:
                    transformer.compile_repeated_blocks()
        self._loaded = _LoadedModel(definition, pipeline, placement)
        self._load_count += 1

    def _place(self) -> Placement:
        if self._placement is None:
            self._placement = Placement.choose(
                device=self._device, dtype=self._dtype, offload=self._offload
            )
            if self._threads:
                torch.set_num_threads(self._threads)
        return self._placement

    def _settings(self) -> dict[str, Any]:
        placement = self._place()
        return {
            "device": str(placement.device),
            "device_name": placement.device_name,
            "dtype": str(placement.dtype).removeprefix("torch."),
            "offload": placement.offload,
            "compile": self._compile,
        }

    def _call(self, call: str, model: Any, params: Mapping[str, Any] | None = None) -> Any:
        return telemetry.engine_call(call, engine=self.name, model=model, params=params or {})


class _LoadedModel:
    """A pipeline on its device, with the LoRAs that are loaded into it."""

    def __init__(self, definition: ModelDefinition, pipeline: Any, placement: Placement) -> None:
        self.definition = definition
        self._pipeline = pipeline
        self._placement = placement
        self._loras = LoraAdapters(pipeline)

    @property
    def components(self) -> Mapping[str, Any]:
        """The pipeline's parts by name."""
        parts: Mapping[str, Any] = self._pipeline.components
        return parts

    @torch.no_grad()
    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Encode, denoise, decode; hooks of offloading are reset however it ends.

        Raises `EngineError` first of all for what this model cannot do.
        """
        check_limits(self._pipeline, request)
        schedule = request.schedule
        solver = build_solver(schedule)
        self._load_loras(inputs, schedule)
        with self._resetting_hooks():
            conditioning = prepare(self._pipeline, request, inputs, self._placement)
            denoiser = Denoiser(self._pipeline, self._loras, self._placement)
            start = time.perf_counter()
            latents = denoiser.run(schedule, solver, conditioning, observer)
            seconds = time.perf_counter() - start
            observer.check_cancelled()
            frames = decode(self._pipeline, latents, request, self._placement, observer)
        return Generated(frames=frames, seconds_per_step=seconds / len(schedule.steps))

    @contextmanager
    def _resetting_hooks(self) -> Iterator[None]:
        """Reset the hooks of offloading when the block ends, however it does.

        But for a device that computes nothing any more: trying would fail, too, and stand before
        what has failed first.
        """
        try:
            yield
        except BaseException as exc:
            if device_fault(exc) not in (DeviceFault.POISONED, DeviceFault.GONE):
                self._pipeline.maybe_free_model_hooks()
            raise
        self._pipeline.maybe_free_model_hooks()

    def _load_loras(self, inputs: Inputs, schedule: Schedule) -> None:
        try:
            self._loras.prepare(inputs.loras, schedule.steps)
        except InputError:
            # diffusers takes its offloading away to load a LoRA, and leaves it so when it fails.
            self._placement.place(self._pipeline)
            raise


def _scalars(request: GenerationRequest) -> dict[str, Any]:
    """Return the request for the span: what the engine goes by, then every parameter's value."""
    used = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "frames": request.frames,
        "fps": request.fps,
        "seed": request.seed,
        "steps": len(request.schedule.steps),
        "solver": request.schedule.solver,
        "flow_shift": request.schedule.shift,
        "switch_threshold": request.schedule.switch_threshold,
        "switch_threshold2": request.schedule.switch_threshold2,
        "loras": len(request.loras),
    }
    return {name: param.value for name, param in request.params.items()} | used
