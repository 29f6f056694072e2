"""What the loop leaves in the journal: a span and a log record an iteration."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.records import Kind
from telemetry.spans import Folder, Span
from worker.engines.base import ModelDefinition
from worker.errors import InvalidParameter
from worker.params.layers import Layer
from worker.params.resolve import resolve


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Install a recorder with a journal of its own."""
    root = logging.getLogger()
    level = root.level
    recorder = Recorder.open(tmp_path, role="task")
    recorder.install()
    yield recorder
    recorder.close()
    root.setLevel(level)


def iterations(recorder: Recorder) -> list[Span]:
    """Read the journal's ended spans of the loop, in order of their beginning."""
    folder = Folder()
    reader = JournalReader(recorder.writer.directory)
    spans = [span for record in reader.read() for span in folder.feed(record)]
    loop = [span for span in spans if span.name == names.LOOP_ITERATION]
    return sorted(loop, key=lambda span: span.seq)


def messages(recorder: Recorder) -> list[str]:
    """Read the journal's log messages."""
    records = JournalReader(recorder.writer.directory).read()
    return [record.body.message for record in records if record.kind == Kind.LOG]


def attributes(recorder: Recorder, index: int) -> dict[str, Any]:
    """Return the attributes of one iteration, from 1."""
    return dict(iterations(recorder)[index - 1].attributes)


def test_every_key_is_an_iteration(
    recorder: Recorder, model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """32 of 32, in the order of the defaults, each ended without an error."""
    resolve(model, incident_layers, draw_seed=lambda: 4)
    spans = iterations(recorder)
    assert [span.attributes[names.LOOP_INDEX] for span in spans] == list(range(1, 33))
    assert {span.attributes[names.LOOP_COUNT] for span in spans} == {32}
    assert [span.attributes[names.PARAM_KEY] for span in spans] == list(model.defaults)
    assert {span.closed_by for span in spans} == {"end"}


def test_the_incidents_places_hold_their_keys(
    recorder: Recorder, model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """9 is guidance_scale, 25 color_correction_strength, 26 guidance_phases."""
    resolve(model, incident_layers, draw_seed=lambda: 4)
    keys = [span.attributes[names.PARAM_KEY] for span in iterations(recorder)]
    assert (keys[8], keys[24], keys[25]) == (
        "guidance_scale",
        "color_correction_strength",
        "guidance_phases",
    )


def test_an_iteration_says_old_new_and_who(
    recorder: Recorder, model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """Iteration 26: 3 became 2 by the phase config."""
    resolve(model, incident_layers, draw_seed=lambda: 4)
    said = attributes(recorder, 26)
    assert (said[names.PARAM_OLD], said[names.PARAM_NEW]) == (3, 2)
    assert said[names.PARAM_SOURCE] == "phase_config"
    assert said[names.PARAM_SKIPPED] is False


def test_an_iteration_says_what_was_asked_and_what_is_used(
    recorder: Recorder, model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """Iteration 3: 902x508 asked, 896x496 used."""
    resolve(model, incident_layers, draw_seed=lambda: 4)
    said = attributes(recorder, 3)
    assert (said[names.PARAM_ASKED], said[names.PARAM_NEW]) == ("902x508", "896x496")
    assert said[names.PARAM_SOURCE] == "segment"


def test_the_prompt_is_visited_and_skipped(
    recorder: Recorder, model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """The model's prompt is no default."""
    resolve(model, incident_layers, draw_seed=lambda: 4)
    assert attributes(recorder, 2)[names.PARAM_SKIPPED] is True


def test_a_default_of_none_is_recorded_as_null_and_skipped(
    recorder: Recorder, model: ModelDefinition
) -> None:
    """None is what one looks for after a crash."""
    nothing = replace(model, defaults={**model.defaults, "guidance_scale": None})
    resolve(nothing, [Layer(source="task", values={})], draw_seed=lambda: 4)
    said = attributes(recorder, 9)
    assert said[names.PARAM_OLD] == names.NULL
    assert said[names.PARAM_OLD + names.IS_NULL] is True
    assert said[names.PARAM_SKIPPED] is True


def test_each_iteration_logs_the_line_that_people_know(
    recorder: Recorder, model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """One line an iteration, with its place in the loop."""
    resolve(model, incident_layers, draw_seed=lambda: 4)
    lines = messages(recorder)
    assert len(lines) == 32
    assert lines[25] == "LOOP [26/32] guidance_phases: 3 → 2 (phase_config)"
    assert lines[2] == "LOOP [3/32] resolution: 832x480 → 896x496 (rounded from 902x508, segment)"


def test_a_log_line_never_holds_a_prompt(recorder: Recorder, model: ModelDefinition) -> None:
    """Prompts are people's own; the line says how long they are."""
    task = {"prompt": "my secret garden", "negative_prompt": "my secret cellar"}
    resolve(model, [Layer(source="task", values=task)], draw_seed=lambda: 4)
    assert not [line for line in messages(recorder) if "secret" in line]


def test_a_recorder_that_hides_prompts_hides_those_of_the_loop(
    tmp_path: Path, model: ModelDefinition
) -> None:
    """Neither old nor new nor asked holds the text."""
    recorder = Recorder.open(tmp_path, role="task", record_prompts=False)
    recorder.install()
    resolve(
        model, [Layer(source="task", values={"prompt": "my secret garden"})], draw_seed=lambda: 4
    )
    said = attributes(recorder, 2)
    recorder.close()
    values = {said[name] for name in (names.PARAM_OLD, names.PARAM_NEW, names.PARAM_ASKED)}
    assert values == {"[prompt hidden]"}


def test_what_is_decided_outside_of_the_loop_is_recorded_after_it(
    recorder: Recorder, model: ModelDefinition
) -> None:
    """As events of the span around: key, value, asked, layer; prompts are hidden as anywhere."""
    named = {key: value for key, value in model.defaults.items() if key != "negative_prompt"}
    recorder.redactor.record_prompts = False
    task = {"negative_prompt": "my secret cellar", "strange_key": 7}
    with recorder.stage("parameters"):
        resolve(
            replace(model, defaults=named),
            [Layer(source="task", values=task)],
            draw_seed=lambda: 4,
        )
    folder = Folder()
    records = JournalReader(recorder.writer.directory).read()
    spans = [span for record in records for span in folder.feed(record)]
    [stage] = [span for span in spans if span.name == "stage parameters"]
    told = {event.attributes[names.PARAM_KEY]: event for event in stage.events}
    assert {event.name for event in stage.events} == {names.PARAM_EVENT}
    assert {"fps", "negative_prompt", "strange_key"} <= told.keys()
    assert not told.keys() & named.keys()
    assert told["strange_key"].attributes[names.PARAM_NEW] == 7
    assert told["strange_key"].attributes[names.PARAM_SOURCE] == "task"
    assert "cellar" not in str(told["negative_prompt"].attributes)
    assert min(event.at_ns for event in stage.events) >= max(
        span.end_ns or 0 for span in spans if span.name == names.LOOP_ITERATION
    )


def test_a_refusal_stands_on_the_iteration_that_refused(
    recorder: Recorder, model: ModelDefinition
) -> None:
    """The loop ends at 9 of 32, as an error, and the error names the place."""
    layers = [Layer(source="task", values={"guidance_scale": "3"})]
    with pytest.raises(InvalidParameter) as caught:
        resolve(model, layers, draw_seed=lambda: 4)
    error = recorder.error(caught.value)
    last = iterations(recorder)[-1]
    assert last.attributes[names.LOOP_INDEX] == 9
    assert last.attributes[names.ERROR_TYPE].endswith("InvalidParameter")
    assert (error.loop_index, error.loop_count) == (9, 32)
