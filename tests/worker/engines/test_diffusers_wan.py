"""The engine: spans, cancelling, seeds, guidance per step, what it refuses."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from telemetry import names
from telemetry.spans import Span
from worker.engines.base import Engine, Inputs, LoraFile
from worker.engines.catalog import Catalog
from worker.engines.decode import decode
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.placement import Placement
from worker.errors import (
    EngineError,
    FrameCountMismatch,
    ModelUnavailable,
    TaskCancelled,
    UnknownModel,
)
from worker.params.layers import Layer
from worker.params.resolve import resolve

Spans = Callable[[], list[Span]]


def _named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def _pipeline(engine: DiffusersWanEngine) -> Any:
    engine.load("tiny_i2v")
    assert engine._loaded is not None
    return engine._loaded._pipeline


def test_is_an_engine(engine: DiffusersWanEngine) -> None:
    """It has what the Protocol names; mypy checks the signatures here."""
    promised: Engine = engine
    assert promised.name == "diffusers"


def test_frames_are_what_was_asked(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """Frames are uint8 RGB of exactly the number and size asked, and move."""
    request = make.request()
    frames = engine.generate(request, pictures, make.observer()).frames
    assert frames.dtype == np.uint8
    assert frames.shape == (request.frames, request.height, request.width, 3)
    assert (frames[0] != frames[-1]).any()


def test_same_request_same_video(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """A request gives the same frames again; another seed or prompt gives others."""
    same, again, seed, prompt = (
        engine.generate(request, pictures, make.observer()).frames
        for request in (
            make.request(), make.request(), make.request(seed=43), make.request(prompt="a cat")
        )
    )  # fmt: skip
    assert (same == again).all()
    assert (same != seed).any()
    assert (same != prompt).any()


def test_the_start_picture_counts(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """Another start picture gives another video."""
    assert pictures.start_image is not None
    turned = Inputs(start_image=pictures.start_image.rotate(180))
    first, second = (
        engine.generate(make.request(), given, make.observer()).frames
        for given in (pictures, turned)
    )
    assert (first != second).any()


def test_model_stays_loaded(models_dir: Path, make: SimpleNamespace, pictures: Inputs) -> None:
    """Two tasks with one model load it once; another model takes its place."""
    engine = DiffusersWanEngine(Catalog.load(), models_dir=models_dir, device="cpu", threads=1)
    assert (engine.load_count, engine.loaded_model) == (0, None)
    engine.load("tiny_i2v")
    for _ in range(2):
        engine.generate(make.request(phases=[(1, 1.0, "high")]), pictures, make.observer())
    assert (engine.load_count, engine.loaded_model) == (1, "tiny_i2v")
    engine.load("tiny_t2v")
    assert (engine.load_count, engine.loaded_model) == (2, "tiny_t2v")
    engine.unload()
    assert (engine.load_count, engine.loaded_model) == (2, None)


def test_a_span_per_step_says_what_ran(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    lora_paths: tuple[Path, ...],
    journalled: Spans,
) -> None:
    """Each step's span has its place, phase, timestep, guidance, expert, LoRA strengths, time."""
    strengths = ([1.2] * 3 + [0] * 3, [1.05] * 6, [0] * 3 + [1.0] * 3)
    loras = tuple(make.lora(path, per) for path, per in zip(lora_paths, strengths, strict=True))
    request = make.request(loras=loras)
    engine.generate(request, Inputs(start_image=pictures.start_image, loras=loras), make.observer())
    found = [span.attributes for span in _named(journalled(), names.DENOISE_STEP)]
    keys = (
        names.STEP_INDEX, names.STEP_COUNT, names.STEP_PHASE, names.STEP_TIMESTEP,
        names.STEP_GUIDANCE, names.STEP_EXPERT,
    )  # fmt: skip
    assert [tuple(step[key] for key in keys) for step in found] == [
        (1, 6, 1, 1000.0, 3.0, "high"),
        (2, 6, 1, 952.4376220703125, 3.0, "high"),
        (3, 6, 2, 882.52587890625, 1.0, "high"),
        (4, 6, 2, 769.6741333007812, 1.0, "high"),
        (5, 6, 3, 556.7879028320312, 1.0, "low"),
        (6, 6, 3, 4.9800801277160645, 1.0, "low"),
    ]
    assert [list(step[names.STEP_LORA_SCALES]) for step in found] == [
        [1.2, 1.05, 0.0], [1.2, 1.05, 0.0], [1.2, 1.05, 0.0],
        [0.0, 1.05, 1.0], [0.0, 1.05, 1.0], [0.0, 1.05, 1.0],
    ]  # fmt: skip
    assert all(step[names.STEP_DEVICE_MS] > 0 for step in found)


def test_calls_are_spans_with_their_parameters(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs, journalled: Spans
) -> None:
    """The four calls are spans with what they were given and what they returned."""
    engine.model_def("tiny_i2v")
    engine.default_settings("tiny_i2v")
    engine.load("tiny_i2v")
    engine.generate(make.request(phases=[(1, 1.0, "high")]), pictures, make.observer())
    spans = {span.name: span for span in journalled()}
    assert {
        names.engine(call) for call in ("model_def", "default_settings", "load", "generate")
    } < set(spans)
    assert spans["engine default_settings"].attributes[f"{names.ENGINE_RESULT}count"] == 32
    generate = spans["engine generate"].attributes
    assert generate[names.ENGINE_MODEL] == "tiny_i2v"
    assert generate[f"{names.ENGINE_PARAM}seed"] == 42
    assert generate[f"{names.ENGINE_PARAM}switch_threshold.is_null"] is True
    assert generate[f"{names.ENGINE_RESULT}frames"] == 9
    assert spans[names.DENOISE_STEP].parent_id == spans["engine generate"].span_id


@pytest.mark.parametrize("name", ["", None, "tiny_i2w"])
def test_unknown_model_is_refused_inside_its_span(
    engine: DiffusersWanEngine, journalled: Spans, name: Any
) -> None:
    """An unknown model, "" and None too, fails the span of the call that asked for it."""
    with pytest.raises(UnknownModel):
        engine.model_def(name)
    (span,) = journalled()
    assert (span.name, span.attributes[names.ERROR_TYPE]) == (
        "engine model_def", "worker.errors.UnknownModel"
    )  # fmt: skip


def test_guidance_is_each_steps_own(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """A step with guidance 1 runs its expert once, another twice; the plan says which expert."""
    pipeline, calls = _pipeline(engine), []
    hooks = [
        expert.register_forward_hook(lambda *_, name=name: calls.append(name))
        for name, expert in (("high", pipeline.transformer), ("low", pipeline.transformer_2))
    ]
    phases = [(1, 1.0, "high"), (2, 3.5, "high"), (1, 2.0, "low"), (1, 1.0, "low")]
    engine.generate(make.request(phases=phases), pictures, make.observer())
    for hook in hooks:
        hook.remove()
    assert calls == ["high", *["high"] * 4, "low", "low", "low"]


def test_what_a_device_fails_with_first_is_what_is_raised(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a poisoned one nothing more is asked: the hooks of offloading cannot be reset on it."""

    def fails(said: str) -> None:
        raise torch.AcceleratorError(f"CUDA error: {said}")

    pipeline = _pipeline(engine)
    monkeypatch.setattr(pipeline, "maybe_free_model_hooks", lambda: fails("heard later"))
    hook = pipeline.transformer.register_forward_hook(lambda *_: fails("heard first"))
    try:
        with pytest.raises(torch.AcceleratorError, match="heard first"):
            engine.generate(make.request(), pictures, make.observer())
    finally:
        hook.remove()


def test_guidance_in_a_later_phase_has_its_effect(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """Guidance 1 in the first phase does not turn it off in the second."""
    without, guided = (
        engine.generate(
            make.request(phases=[(2, 1.0, "high"), (2, guidance, "low")]), pictures, make.observer()
        ).frames
        for guidance in (1.0, 3.5)
    )
    assert (without != guided).any()


def test_negative_prompt_is_not_encoded_for_nothing(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """The text encoder runs once where no step is guided, twice where one is."""
    pipeline, runs = _pipeline(engine), []
    hook = pipeline.text_encoder.register_forward_hook(lambda *_: runs.append(1))
    for phases in ([(2, 1.0, "high")], [(1, 1.0, "high"), (1, 2.0, "low")]):
        engine.generate(make.request(phases=phases), pictures, make.observer())
        runs.append(0)
    hook.remove()
    assert runs == [1, 0, 1, 1, 0]


def test_progress_counts_every_step(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """The observer hears of each step once, from 1 to the count."""
    observer = make.observer()
    engine.generate(make.request(), pictures, observer)
    assert observer.steps == [(step, 6) for step in range(1, 7)]


@pytest.mark.parametrize("after", [0, 2, 6])
def test_cancelling_stops_within_a_step(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    journalled: Spans,
    after: int,
) -> None:
    """Cancelled after n steps, no further step runs; after the last, nothing is decoded."""
    decoded: list[int] = []
    hook = _pipeline(engine).vae.decoder.register_forward_hook(lambda *_: decoded.append(1))
    with pytest.raises(TaskCancelled):
        engine.generate(make.request(), pictures, make.observer(cancel_after=after))
    hook.remove()
    assert len(_named(journalled(), names.DENOISE_STEP)) == after
    assert not decoded


def test_after_a_cancelled_task_the_next_is_whole(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """Nothing of a cancelled task reaches the next."""
    before = engine.generate(make.request(), pictures, make.observer()).frames
    with pytest.raises(TaskCancelled):
        engine.generate(make.request(seed=7), pictures, make.observer(cancel_after=3))
    assert (engine.generate(make.request(), pictures, make.observer()).frames == before).all()


def test_image_to_video_without_a_picture_is_refused(
    engine: DiffusersWanEngine, make: SimpleNamespace
) -> None:
    """No black frame takes the place of a start picture that is missing."""
    with pytest.raises(EngineError, match="'tiny_i2v' is image to video and got no start image"):
        engine.generate(make.request(), Inputs(), make.observer())


def test_text_to_video_with_a_picture_is_refused(
    text_engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """A picture that would be ignored is refused."""
    with pytest.raises(EngineError, match="cannot take a start or end image"):
        text_engine.generate(make.request(model="tiny_t2v"), pictures, make.observer())


def test_a_lora_that_is_not_handed_over_is_refused(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    lora_paths: tuple[Path, ...],
) -> None:
    """A request with a LoRA is not rendered without its file."""
    request = make.request(loras=[make.lora(lora_paths[0], [1.0] * 6)])
    with pytest.raises(EngineError, match=r"names the LoRAs \['.*tiny_lora_high"):
        engine.generate(request, pictures, make.observer())


def test_latents_that_are_not_finite_fail_at_their_step(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    lora_paths: tuple[Path, ...],
    tmp_path: Path,
) -> None:
    """A LoRA of infinities in the second phase fails in the second phase's first step."""
    broken = tmp_path / "broken.safetensors"
    save_file({name: value / 0 for name, value in load_file(lora_paths[0]).items()}, broken)
    lora = make.lora(broken, [0, 0, 1.0, 1.0])
    request = make.request(phases=[(2, 1.0, "high"), (2, 1.0, "low")], loras=[lora])
    observer = make.observer()
    with pytest.raises(EngineError, match=r"step 3 of 4 \(phase 2, low-noise expert"):
        engine.generate(request, Inputs(start_image=pictures.start_image, loras=(lora,)), observer)
    assert len(observer.steps) == 2


def test_another_number_of_frames_is_never_returned(
    engine: DiffusersWanEngine, make: SimpleNamespace
) -> None:
    """Latents of 5 frames decoded for a request of 9 are a mismatch that names both."""
    placement = Placement.choose(device="cpu", dtype="auto", offload="none")
    with pytest.raises(FrameCountMismatch) as caught, torch.no_grad():
        decode(
            _pipeline(engine),
            torch.zeros(1, 16, 2, 6, 8),
            make.request(),
            placement,
            make.observer(),
        )
    assert (caught.value.asked, caught.value.returned) == (9, 5)


def test_pictures_are_told_of_as_they_are_decoded(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """The first alone, then four at a time, each before the next is decoded; no hook stays."""
    decoder, observer = _pipeline(engine).vae.decoder, make.observer()
    told_before: list[int] = []
    hook = decoder.register_forward_hook(lambda *_: told_before.append(len(observer.pieces)))
    generated = engine.generate(make.request(), pictures, observer)
    hook.remove()
    assert [len(piece) for piece in observer.pieces] == [1, 4, 4]
    assert told_before == [0, 1, 2]
    assert (np.concatenate(observer.pieces) == generated.frames).all()
    assert not decoder._forward_hooks


def test_tiles_are_not_told_of(
    engine: DiffusersWanEngine, make: SimpleNamespace, pictures: Inputs
) -> None:
    """A VAE that decodes in tiles has no whole picture until it has all."""
    vae, observer = _pipeline(engine).vae, make.observer()
    vae.enable_tiling(
        tile_sample_min_height=32,
        tile_sample_min_width=32,
        tile_sample_stride_height=24,
        tile_sample_stride_width=24,
    )
    try:
        engine.generate(make.request(), pictures, observer)
    finally:
        vae.disable_tiling()
    assert not observer.pieces


def test_device_is_ready(engine: DiffusersWanEngine) -> None:
    """The engine proves that its device computes."""
    assert engine.device().ready


def test_a_device_that_is_not_there_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    """A device setting that this machine cannot fulfil is told as a problem."""
    engine = DiffusersWanEngine(Catalog.load(), models_dir=tmp_path, device="cuda:99")
    facts = engine.device()
    assert not facts.ready
    assert "cuda:99" in facts.problem


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Without downloads, a model whose weights are missing is refused with the way out."""
    engine = DiffusersWanEngine(
        Catalog.load(), models_dir=tmp_path, device="cpu", local_files_only=True
    )
    with pytest.raises(ModelUnavailable, match="Wan-AI/Wan2"):
        engine.load("wan_2_2_i2v")
    assert engine.loaded_model is None


def test_a_folder_that_cannot_hold_a_built_model_is_named(tmp_path: Path) -> None:
    """Where a model cannot be built, the error names the folder and the way out."""
    taken = tmp_path / "models"
    taken.write_text("a file in the folder's place")
    engine = DiffusersWanEngine(Catalog.load(), models_dir=taken, device="cpu")
    with pytest.raises(ModelUnavailable, match=r"cannot be built in .*models.*choose another"):
        engine.load("tiny_i2v")


def test_the_incidents_task_runs(
    engine: DiffusersWanEngine,
    make: SimpleNamespace,
    pictures: Inputs,
    incident_config: dict[str, Any],
    journalled: Spans,
) -> None:
    """Its phase config, resolved, runs 3 + 3 steps with its LoRAs' strengths on the real loop."""
    values = {
        "phase_config": incident_config,
        "prompt": "a walk",
        "resolution": "64x48",
        "video_length": 9,
    }
    request = resolve(
        engine.model_def("tiny_i2v"),
        [Layer(source="task", values=values, field="")],
        draw_seed=lambda: 1,
    )
    assert request.schedule.switch_threshold == 826.0999755859375
    loras = tuple(LoraFile(path=Path(use.url), use=use) for use in request.loras)
    engine.generate(request, Inputs(start_image=pictures.start_image, loras=loras), make.observer())
    steps = [span.attributes for span in _named(journalled(), names.DENOISE_STEP)]
    assert [(step[names.STEP_EXPERT], step[names.STEP_PHASE]) for step in steps] == (
        [("high", 1)] * 3 + [("low", 2)] * 3
    )
    assert [list(step[names.STEP_LORA_SCALES]) for step in steps] == (
        [[1.2, 1.05, 0.0]] * 3 + [[0.0, 1.05, 1.0]] * 3
    )


def test_weights_may_be_a_folder_beside_the_models(
    engine: DiffusersWanEngine, models_dir: Path
) -> None:
    """A definition may name a folder inside the models' folder."""
    engine.load("tiny_i2v")
    (folder,) = models_dir.glob("tiny_i2v-*")
    definition = replace(Catalog.load().get("tiny_i2v"), name="mine", weights=folder.name)
    mine = DiffusersWanEngine(Catalog([definition]), models_dir=models_dir, device="cpu")
    mine.load("mine")
    assert mine.loaded_model == "mine"


def test_generating_says_nothing_on_the_terminal(models_dir: Path) -> None:
    """No progress bar, no warning: stderr is for the last words of native code."""
    code = (
        "import sys; from pathlib import Path; from PIL import Image;"
        "from worker.engines.catalog import Catalog;"
        "from worker.engines.diffusers_wan import DiffusersWanEngine;"
        "engine = DiffusersWanEngine(Catalog.load(), models_dir=Path(sys.argv[1]), device='cpu');"
        "engine.load('tiny_i2v'); print(engine.loaded_model)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(models_dir / "quiet")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("tiny_i2v\n", "")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("offload", ["none", "model", "sequential"])
def test_cuda_agrees_with_the_cpu(
    engine: DiffusersWanEngine,
    models_dir: Path,
    make: SimpleNamespace,
    pictures: Inputs,
    lora_paths: tuple[Path, ...],
    journalled: Spans,
    offload: str,
) -> None:
    """The same seed gives the same video on CUDA in float32, however it is offloaded."""
    cuda = DiffusersWanEngine(
        Catalog.load(), models_dir=models_dir, device="cuda", dtype="float32", offload=offload
    )
    loras = tuple(make.lora(path, [1.0] * 6) for path in lora_paths)
    request = make.request(loras=loras)
    inputs = Inputs(start_image=pictures.start_image, loras=loras)
    ours, theirs = (
        one.generate(request, inputs, make.observer()).frames.astype(int) for one in (engine, cuda)
    )
    assert np.abs(ours - theirs).mean() < 1
    steps = _named(journalled(), names.DENOISE_STEP)
    assert steps[-1].attributes[names.STEP_MEMORY_BYTES] > 0
