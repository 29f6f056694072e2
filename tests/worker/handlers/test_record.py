"""What a task leaves in the journal."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.records import SpanBegin
from telemetry.spans import Folder
from worker.errors import InvalidParameter, UnknownModel
from worker.handlers.registry import handler_for

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Install a recorder for the length of a test."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    yield recorder
    recorder.close()


def begun(recorder: Recorder) -> list[SpanBegin]:
    """Return the spans that were begun, in order."""
    records = JournalReader(recorder.writer.directory).read()
    return [record.body for record in records if isinstance(record.body, SpanBegin)]


def segment(bench: "Bench") -> dict[str, Any]:
    """Make the params of a segment."""
    return {"model_name": "fade_i2v", "start_image": bench.picture("a", (1, 2, 3)), "seed": 3}


def test_each_stage_is_a_span_opened_in_its_handler(bench: "Bench", recorder: Recorder) -> None:
    """Its line is that of the stage's own code, which is what is known after a SIGKILL."""
    handler_for("travel_segment").run(bench.context("travel_segment", segment(bench)))
    stages = [span for span in begun(recorder) if span.name.startswith("stage ")]
    assert [span.name for span in stages] == [names.stage(name) for name in names.STAGES]
    files = [Path(span.attributes[names.CODE_FILE]).name for span in stages]
    expected = ["generation.py"] * 4 + ["encoding.py", "generation.py"]
    assert files == ["travel_segment.py", *expected]


def test_the_stage_encode_says_at_what_quality(bench: "Bench", recorder: Recorder) -> None:
    """A file that is too large, or too poor, is explained by its trace."""
    context = bench.context("travel_segment", segment(bench))
    handler_for("travel_segment").run(dataclasses.replace(context, video_crf=31))
    folder = Folder()
    records = JournalReader(recorder.writer.directory).read()
    spans = {span.name: span for record in records for span in folder.feed(record)}
    assert spans["stage encode"].attributes[names.OUTPUT_CRF] == 31


def parameters_stage(recorder: Recorder) -> Mapping[str, Any]:
    """Return the attributes of the stage parameters, ended."""
    folder = Folder()
    records = JournalReader(recorder.writer.directory).read()
    spans = {span.name: span for record in records for span in folder.feed(record)}
    return spans["stage parameters"].attributes


def test_the_loop_leaves_the_defaults_digests_of_before_and_after(
    bench: "Bench", recorder: Recorder
) -> None:
    """That nothing changed the model's defaults is a fact of the record, not an assumption."""
    handler_for("travel_segment").run(bench.context("travel_segment", segment(bench)))
    said = parameters_stage(recorder)
    assert said[names.DEFAULTS_COUNT] == len(bench.engine.models["fade_i2v"].defaults)
    assert len(said[names.DEFAULTS_BEFORE]) == 64
    assert said[names.DEFAULTS_AFTER] == said[names.DEFAULTS_BEFORE]


def test_a_loop_that_fails_leaves_both_digests_too(bench: "Bench", recorder: Recorder) -> None:
    """It is the failed one that is asked for them."""
    params = segment(bench) | {"num_inference_steps": "many"}
    with pytest.raises(InvalidParameter):
        handler_for("travel_segment").run(bench.context("travel_segment", params))
    said = parameters_stage(recorder)
    assert said[names.DEFAULTS_AFTER] == said[names.DEFAULTS_BEFORE]


def test_the_loop_has_an_iteration_for_each_of_the_models_defaults(
    bench: "Bench", recorder: Recorder
) -> None:
    """In the stage parameters."""
    handler_for("travel_segment").run(bench.context("travel_segment", segment(bench)))
    iterations = [span for span in begun(recorder) if span.name == names.LOOP_ITERATION]
    parents = {span.span_id: span.name for span in begun(recorder)}
    assert len(iterations) == len(bench.engine.models["fade_i2v"].defaults)
    assert {parents[span.parent_id or b""] for span in iterations} == {"stage parameters"}


def test_an_unknown_model_is_attributed_to_the_stage_that_asked_for_it(
    bench: "Bench", recorder: Recorder
) -> None:
    """The incident, as its report should have read: the type, the value and the stage."""
    context = bench.context("travel_segment", segment(bench) | {"model_name": ""})
    with pytest.raises(UnknownModel) as caught:
        handler_for("travel_segment").run(context)
    error = recorder.error(caught.value)
    assert (error.type, error.stage) == ("worker.errors.UnknownModel", "inputs")
