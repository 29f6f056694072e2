"""The engine that fails on purpose keeps the promise of an engine, up to the line it fails at."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from telemetry import names
from telemetry.spans import Span
from worker.drill.planted import planted
from worker.engines.base import Inputs
from worker.engines.drill import DrillEngine, models
from worker.engines.drill.announcing import ANNOUNCEMENT
from worker.engines.registry import engine_named
from worker.errors import EngineError, SettingsError, TaskCancelled, UnknownModel
from worker.params.request import GenerationRequest
from worker.settings.configuration import load

DEFAULTS = Path(__file__).parents[2] / "data" / "incident_defaults.json"
RAISING = ("exception", "none-from-engine")
SIMULATED = tuple(models.CUDA)


@pytest.fixture
def engine() -> DrillEngine:
    """Give a new engine."""
    return DrillEngine(device="cpu", dtype="auto", offload="none")


def request_of(make: SimpleNamespace, model: str) -> GenerationRequest:
    """Plan a request for a model of the drill."""
    request: GenerationRequest = make.request(model=model)
    return request


def test_it_is_had_by_name_and_loads_no_torch(tmp_path: Path) -> None:
    """A drill of a supervisor's machine needs none."""
    code = (
        "import sys; from worker.engines.registry import engine_named;"
        "from pathlib import Path;"
        f"engine = engine_named('drill', definition_dirs=[], models_dir=Path({str(tmp_path)!r}),"
        " options={'device': 'cpu', 'dtype': 'auto'});"
        "print(engine.name, engine.device().ready, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["drill", "True", "False", "False"]


def test_no_operator_can_choose_it(tmp_path: Path) -> None:
    """Neither by the setting nor by a name that is told as known."""
    with pytest.raises(SettingsError, match="diffusers"):
        load({"engine": "drill"})
    with pytest.raises(SettingsError) as caught:
        engine_named("other", definition_dirs=[], models_dir=tmp_path, options={})
    assert "drill" not in str(caught.value)


@pytest.mark.parametrize("name", ["", None, "tiny_t2v", "drill_", "drill_flood"])
def test_an_unknown_model_is_a_typed_error(engine: DrillEngine, name: str) -> None:
    """With the name, and those that there are."""
    with pytest.raises(UnknownModel) as caught:
        engine.model_def(name)
    assert caught.value.name == name
    assert models.SOUND in caught.value.known


def test_every_fault_has_a_model_with_the_incidents_defaults(engine: DrillEngine) -> None:
    """All 32, in the order of the loop."""
    expected = json.loads(DEFAULTS.read_text())
    for fault in models.FAULTS:
        name = models.model_of(fault)
        assert engine.model_def(name).engine == "drill"
        found = engine.default_settings(name)
        assert list(found.items()) == list(expected.items())


def test_what_a_caller_does_to_defaults_reaches_nobody(engine: DrillEngine) -> None:
    """They are copied to the last list inside."""
    engine.default_settings(models.SOUND)["slg_layers"].append(1)
    assert engine.default_settings(models.SOUND)["slg_layers"] == [9]


def test_a_model_is_loaded_once(engine: DrillEngine) -> None:
    """And another in its place."""
    for name in (models.SOUND, models.SOUND, models.model_of("abort")):
        engine.load(name)
    assert (engine.loaded_model, engine.load_count) == (models.model_of("abort"), 2)
    engine.unload()
    assert engine.loaded_model is None


def test_the_sound_model_returns_the_frames_that_were_asked(
    engine: DrillEngine, make: SimpleNamespace, journalled: Callable[[], list[Span]]
) -> None:
    """And tells each step as every engine does."""
    request, observer = request_of(make, models.SOUND), make.observer()
    generated = engine.generate(request, Inputs(), observer)
    assert generated.frames.shape == (request.frames, request.height, request.width, 3)
    count = len(request.schedule.steps)
    assert observer.steps == [(number, count) for number in range(1, count + 1)]
    steps = [span for span in journalled() if span.name == names.DENOISE_STEP]
    told = [
        (span.attributes[names.STEP_INDEX], span.attributes[names.STEP_COUNT]) for span in steps
    ]
    assert told == observer.steps
    assert all(names.STEP_DEVICE_MS in span.attributes for span in steps)


def test_a_cancelled_generation_stops_before_the_next_step(
    engine: DrillEngine, make: SimpleNamespace
) -> None:
    """As every engine's."""
    observer = make.observer(cancel_after=1)
    with pytest.raises(TaskCancelled):
        engine.generate(request_of(make, models.SOUND), Inputs(), observer)
    assert len(observer.steps) == 1


@pytest.mark.parametrize("fault", RAISING)
def test_a_fault_is_raised_at_the_line_that_is_marked(
    engine: DrillEngine, make: SimpleNamespace, fault: str
) -> None:
    """After two steps that went well."""
    what, observer = planted(fault), make.observer()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which it is, is the claim
        engine.generate(request_of(make, what.model), Inputs(), observer)
    entry = caught.traceback[-1]
    assert type(caught.value).__name__ == what.type
    assert (str(entry.path), entry.lineno + 1) == (what.place.file, what.place.line)
    assert dict(what.values).items() <= entry.locals.items()
    assert len(observer.steps) == what.steps


@pytest.mark.parametrize("fault", SIMULATED)
def test_a_simulated_fault_of_cuda_looks_like_a_real_one(
    engine: DrillEngine, make: SimpleNamespace, fault: str
) -> None:
    """Its type's name and its words, and it says that it is none."""
    what = planted(fault, simulated=True)
    with pytest.raises(RuntimeError, match=r"^CUDA .*simulated") as caught:
        engine.generate(request_of(make, what.model), Inputs(), make.observer())
    assert type(caught.value).__name__ == what.type
    assert caught.traceback[-1].lineno + 1 == what.place.line


def test_what_is_swallowed_is_reported_as_something_vague(
    engine: DrillEngine, make: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its exception; only a printed stack knows it."""
    model = models.model_of("swallowed")
    with pytest.raises(EngineError, match="could not be generated") as caught:
        engine.generate(request_of(make, model), Inputs(), make.observer())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "IndexError" in capsys.readouterr().err


def test_the_incident_fails_before_the_first_step(
    engine: DrillEngine, make: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """As it did then: the name is gone, the registry has none of that name."""
    what, observer = planted("incident"), make.observer()
    caplog.set_level("INFO")
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'get'") as caught:
        engine.generate(request_of(make, what.model), Inputs(), observer)
    assert caught.traceback[-1].locals["model_name"] == ""
    assert observer.steps == []
    assert any(record.message.startswith(ANNOUNCEMENT) for record in caplog.records)
