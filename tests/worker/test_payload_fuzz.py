"""Ten thousand payloads: each is answered, each refusal names a field, the engine runs the rest."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from tests.worker.payload_fuzz import Payload, payloads
from worker.cli import exit_code_of
from worker.engines.base import Inputs, LoraFile
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.tiny import build_tiny_loras
from worker.errors import WorkerError
from worker.handlers.planning import Known, plan_task
from worker.params.request import GenerationRequest
from worker.task import NewTask

COUNT = 10_000
SAMPLE = 80
# What a request of the sample may cost the engine: pixels times frames times steps.
LARGEST = 64 * 48 * 9 * 9


class Still:
    """An observer that never cancels."""

    def check_cancelled(self) -> None:
        """Go on."""

    def step(self, index: int, count: int) -> None:
        """Go on."""

    def decoded(self, frames: object) -> None:
        """Go on."""


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def loras(models_dir: Path) -> list[str]:
    """Return two LoRAs of the tiny models."""
    return [str(path) for path in build_tiny_loras(models_dir)][:2]


@pytest.fixture(scope="module")
def tasks(models_dir: Path, loras: list[str]) -> list[Payload]:
    """Return the payloads, their pictures and LoRAs on disk."""
    pictures = []
    for index in range(4):
        pictures.append(str(models_dir / f"{index}.png"))
        Image.new("RGB", (40, 30), (index * 60, 90, 90)).save(pictures[-1])
    return list(payloads(COUNT, seed=26, pictures=pictures, loras=loras))


def test_each_is_answered_and_each_refusal_names_a_field(
    tasks: list[Payload], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command, as strict JSON, in order; the field's own name leads to the value."""
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks))
    code = exit_code_of(["--home", str(tmp_path / "home"), "resolve", "--json", str(path)])
    printed = capsys.readouterr()
    answers = json.loads(printed.out, parse_constant=lambda name: pytest.fail(f"prints {name}"))
    assert (code, printed.err) == (2, "")
    assert len(answers) == COUNT
    said: Counter[str] = Counter()
    for task, answer in zip(tasks, answers, strict=True):
        error = answer.get("error")
        said["refused" if error else "accepted"] += 1
        if error:
            said[error["type"]] += 1
            assert error["field"], error
            assert error["message"], error
        else:
            assert answer["task_type"] == task["task_type"]
    print(f"\nfuzz: {dict(said)}")
    # Neither everything nor nothing is refused, or the payloads would prove little.
    assert said["accepted"] > COUNT // 10
    assert said["refused"] > COUNT // 10


def test_none_is_accepted_that_the_engine_then_rejects(
    tasks: list[Payload], models_dir: Path, loras: list[str]
) -> None:
    """A sample of what is accepted, on the real engine: each gives its frames."""
    catalog = Catalog.load()
    known = Known(models=catalog, parent=lambda _: None)
    accepted = [
        request
        for task in tasks
        for request in _requests(task, known)
        if _cost(request) <= LARGEST and all(lora.url in loras for lora in request.loras)
    ]
    sample = random.Random(26).sample(accepted, SAMPLE)
    solvers = Counter(request.schedule.solver for request in sample)
    assert set(solvers) == {"euler", "unipc", "dpm++", "causvid"}
    assert any(request.loras for request in sample)
    engine = DiffusersWanEngine(catalog, models_dir=models_dir, device="cpu", threads=1)
    for request in sorted(sample, key=lambda request: request.model):
        engine.load(request.model)
        generated = engine.generate(request, _inputs(request), Still())
        assert generated.frames.shape == (request.frames, request.height, request.width, 3)
    print(f"\nfuzz: {len(accepted)} requests could run here, {SAMPLE} did: {dict(solvers)}")


def _requests(task: Payload, known: Known) -> Iterator[GenerationRequest]:
    new = NewTask(task_type=task["task_type"], params=task["params"], id=UUID(int=0))
    try:
        yield from plan_task(new, known).requests
    except WorkerError:
        return


def _cost(request: GenerationRequest) -> int:
    return request.width * request.height * request.frames * len(request.schedule.steps)


def _inputs(request: GenerationRequest) -> Inputs:
    files = tuple(LoraFile(path=Path(lora.url), use=lora) for lora in request.loras)
    start: Any = Image.linear_gradient("L").convert("RGB") if "i2v" in request.model else None
    return Inputs(start_image=start, loras=files)
