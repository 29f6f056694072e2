"""`loop26 resolve`: the request that a task would run, in a terminal and as JSON."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from worker.cli.payload import read_tasks

from .conftest import T2V, Run

INCIDENT = Path(__file__).parents[2] / "data" / "incident_task.json"
Resolve = Callable[..., Any]


@pytest.fixture
def resolve(run: Run, tmp_path: Path) -> Resolve:
    """Resolve a document as JSON; check that the exit code says whether it was refused."""

    def resolve(document: Any, *options: str) -> Any:
        path = tmp_path / "tasks.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        done = run(*options, "resolve", "--json", str(path))
        answer = json.loads(done.out)
        answers = answer if isinstance(answer, list) else [answer]
        assert done.code == (2 if any("error" in each for each in answers) else 0)
        assert done.err == ""
        return answer

    return resolve


def t2v(**params: Any) -> dict[str, Any]:
    """Make a text to video task."""
    return {"task_type": "t2v", "params": {**T2V["params"], **params}}


def test_the_incidents_task(run: Run) -> None:
    """Every value with who said it, the LoRAs by step, the schedule to the last bit."""
    answer = json.loads(run("resolve", "--json", str(INCIDENT)).out)
    said = {param["name"]: param for param in answer["params"]}
    assert said["resolution"] == {
        "name": "resolution",
        "value": "896x496",
        "asked": "902x508",
        "source": "segment",
        "change": "rounded",
        "is_null": False,
    }
    assert said["switch_threshold"]["value"] == 826.0999755859375
    assert said["switch_threshold"]["source"] == "phase_config"
    assert [lora["multipliers"] for lora in answer["loras"]] == ["1.2;0", "1.05;1.05", "0;1.0"]
    assert answer["loras"][0]["per_step"] == [1.2, 1.2, 1.2, 0.0, 0.0, 0.0]
    assert answer["schedule"]["timesteps"][3] == 769.6741333007812
    assert [step["phase"] for step in answer["schedule"]["steps"]] == [1, 1, 1, 2, 2, 2]
    assert answer["engine"] == "diffusers"
    assert answer["model"] == "wan_2_2_i2v_lightning_baseline_2_2_2"
    assert len(answer["defaults_digest"]) == 64
    assert "starts from a picture" in answer["warnings"][0]


def test_the_incidents_task_as_a_table(run: Run) -> None:
    """Asked, used, who said so; the LoRAs; the steps; the threshold."""
    done = run("resolve", str(INCIDENT))
    assert done.code == 0
    rows = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "parameter asked used who said so" in rows
    assert "resolution 902x508 896x496 segment" in rows
    assert "num_inference_steps 6 6 phase_config" in rows
    assert "https://example.org/loras/low_noise.safetensors 0;1.0 0 0 0 1 1 1" in rows
    assert "4 769.6741333007812 2 low 1" in rows
    assert "phase 2 from the first timestep at or under 826.0999755859375" in rows


def test_a_list_comes_back_in_order(resolve: Resolve) -> None:
    """Good and bad ones, each in its place; one refusal makes the exit code 2."""
    answers = resolve([t2v(), t2v(steps=0), 5, t2v(seed=3)])
    assert [answer.get("error", {}).get("field") for answer in answers] == [
        None,
        "steps",
        "task",
        None,
    ]
    assert answers[3]["seed"] == 3


def test_a_list_of_one_stays_a_list(resolve: Resolve) -> None:
    """And one task is one answer."""
    assert isinstance(resolve([t2v()]), list)
    assert isinstance(resolve(t2v()), dict)


def test_standard_input_is_read_for_a_dash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere."""
    stdin = SimpleNamespace(buffer=io.BytesIO(json.dumps(T2V).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert json.loads(run("resolve", "-", "--json").out)["prompt"] == "a lake"


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (t2v(model="tiny_t3v"), ("UnknownModel", "model", "tiny_t3v", "did you mean 'tiny_t2v'")),
        (t2v(model=""), ("UnknownModel", "model", "", "unknown model ''")),
        (t2v(num_inference_steps=True), ("InvalidParameter", "num_inference_steps", True, "1 to")),
        (t2v(phase_config={}), ("InvalidParameter", "phase_config.num_phases", None, "is missing")),
        ({"task_type": "t3v", "params": {}}, ("UnknownTaskType", "task_type", "t3v", "t2v")),
        ({"params": {}}, ("InvalidTask", "task_type", None, "is missing")),
        (
            '{"task_type": "t2v", "params": {"flow_shift": NaN}}',
            ("UnknownModel", "model_name", "", ""),
        ),
        (
            '{"task_type": "t2v", "params": {"model": "tiny_t2v", "flow_shift": NaN}}',
            ("InvalidParameter", "flow_shift", "nan", "finite"),
        ),
        (
            '{"task_type": "t2v", "params": {"seed": 1, "seed": 2}}',
            ("InvalidTask", "seed", 2, "more than once"),
        ),
        (
            '{"task_type": "t2v", "params": {"a": [{"b": 1, "b": 1}]}}',
            ("InvalidTask", "a[0].b", 1, "more than once"),
        ),
        ('{"task_type": "t2v", "task_type": "t2v"}', ("InvalidTask", "task_type", "t2v", "once")),
        (
            {"task_type": "i2v", "params": {"model": "tiny_i2v", "image": "gopher://host/a.png"}},
            ("InputError", "image", "gopher://host/a.png", "gopher:// is refused"),
        ),
        (
            t2v(activated_loras=["https://host/a.pt"]),
            ("InputError", "activated_loras[0]", "https://host/a.pt", "no .safetensors file"),
        ),
        (
            t2v(image="gopher://host/a.png"),
            ("InvalidTask", "image", "gopher://host/a.png", "is not used by t2v"),
        ),
    ],
)
def test_a_refusal_names_field_and_value(
    resolve: Resolve, document: Any, error: tuple[str, str, Any, str]
) -> None:
    """As JSON too, and strictly so."""
    found = resolve(document)["error"]
    assert (found["type"], found["field"], found["value"]) == error[:3]
    assert error[3] in found["message"]


@pytest.mark.parametrize(
    "text",
    ["{", "", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"a": 1}\n{'],
    ids=["cut off", "empty", "deep", "a number without end", "a line"],
)
def test_a_file_that_is_no_json_is_refused(resolve: Resolve, text: str) -> None:
    """As an answer like any other, that names the file."""
    found = resolve(text)["error"]
    assert found["type"] == "InvalidTask"
    assert "tasks.json" in found["field"]
    assert "is no JSON" in found["message"]


def test_a_file_that_is_not_there_is_refused(run: Run) -> None:
    """In a terminal too."""
    done = run("resolve", "/nowhere/task.json")
    assert done.code == 2
    assert "/nowhere/task.json" in done.out


def test_a_key_given_twice_is_refused_at_enqueueing_too(run: Run, tmp_path: Path) -> None:
    """One of the values would be lost in silence."""
    path = tmp_path / "task.json"
    path.write_text('{"task_type": "t2v", "params": {"model": "tiny_t2v", "model": "tiny_i2v"}}')
    done = run("enqueue", str(path))
    assert done.code == 2
    assert "model = 'tiny_i2v': stands there more than once" in done.err


def test_nothing_is_made(resolve: Resolve, home: Path) -> None:
    """No home, no queue, no download."""
    resolve(t2v(additional_loras={"https://127.0.0.1:1/a.safetensors": 1}))
    assert not home.exists()


def test_unknown_keys_are_warned_of_or_refused(resolve: Resolve) -> None:
    """By a setting."""
    answer = resolve(t2v(promt="x"))
    assert answer["warnings"] == [
        "promt is no known parameter; did you mean prompt or base_prompt?"
    ]
    assert answer["params"][-1]["name"] == "promt"
    found = resolve(t2v(promt="x"), "--set", "unknown_params=refuse")["error"]
    assert found["field"] == "promt"


def test_a_journey_is_shown_segment_by_segment(resolve: Resolve) -> None:
    """With the plan: frames, overlaps, the seed of every segment."""
    details = {
        "model_name": "tiny_i2v",
        "parsed_resolution_wh": "160x96",
        "segment_frames_expanded": [17, 20],
        "frame_overlap_expanded": [5],
        "base_prompts_expanded": ["one", "two"],
        "negative_prompts_expanded": ["", ""],
        "input_image_paths_resolved": ["a.png", "b.png", "c.png"],
        "seed_base": 4,
    }
    task = {"task_type": "travel_orchestrator", "params": {"orchestrator_details": details}}
    answer = resolve(task)
    assert answer["journey"]["frames"] == 17 + 17 - 4
    assert [segment["prompt"] for segment in answer["segments"]] == ["one", "two"]
    assert [segment["seed"] for segment in answer["segments"]] == [4, 4]
    assert answer["pictures"][2]["field"] == "orchestrator_details.input_image_paths_resolved[2]"
    details["phase_configs_expanded"] = [None, {"num_phases": 1}]
    found = resolve(task)["error"]
    assert found["field"] == "orchestrator_details.phase_configs_expanded[1].num_phases"


def test_a_stitch_is_shown(resolve: Resolve) -> None:
    """What it would join."""
    answer = resolve({"task_type": "travel_stitch", "params": {"crossfade_sharp_amt": 0.5}})
    assert answer["stitch"]["sharpness"] == 0.5


def test_a_segments_orchestrator_is_found_in_the_file_and_in_the_queue(
    run: Run, resolve: Resolve, tmp_path: Path
) -> None:
    """What the segment does not say, it says."""
    details = {
        "model_name": "tiny_i2v",
        "segment_frames_expanded": [9],
        "input_image_paths_resolved": ["http://host/a.png", "http://host/b.png"],
    }
    parent = {
        "id": str(UUID(int=8)),
        "task_type": "travel_orchestrator",
        "params": {"orchestrator_details": details},
    }
    segment = {"task_type": "travel_segment", "params": {"orchestrator_task_id_ref": parent["id"]}}
    assert resolve([segment, parent])[0]["frames"] == 9
    assert resolve(segment)["error"]["field"] == "orchestrator_task_id_ref"
    path = tmp_path / "parent.json"
    path.write_text(json.dumps(parent))
    assert run("enqueue", str(path)).code == 0
    assert resolve(segment)["frames"] == 9


def test_a_row_of_the_queue_will_do(run: Run, resolve: Resolve, tmp_path: Path) -> None:
    """As `tasks ID --json` prints it; its seed is drawn from its id."""
    path = tmp_path / "task.json"
    path.write_text(json.dumps(t2v(seed=-1)))
    task_id = run("enqueue", str(path)).out.strip()
    row = json.loads(run("tasks", task_id, "--json").out)
    first, again = resolve(row), resolve(row)
    assert first == again
    assert first["seed"] != resolve(t2v(seed=-1))["seed"]


def test_a_relative_path_is_the_one_that_is_enqueued(resolve: Resolve, tmp_path: Path) -> None:
    """From the file's folder."""
    task = t2v(additional_loras={"a.safetensors": 1})
    [lora] = resolve(task)["loras"]
    [(_, enqueued)] = read_tasks(str(tmp_path / "tasks.json"))
    assert [lora["url"]] == list(enqueued.params["additional_loras"])


JOURNEY = {
    "model_name": "tiny_i2v",
    "parsed_resolution_wh": "160x96",
    "segment_frames_expanded": [17, 17],
    "input_image_paths_resolved": ["http://host/a.png", "http://host/b.png", "http://host/c.png"],
}


def journey(beside: dict[str, Any] | None = None, **details: Any) -> dict[str, Any]:
    """Make a journey of two segments."""
    params = {"orchestrator_details": {**JOURNEY, **details}, **(beside or {})}
    return {"task_type": "travel_orchestrator", "params": params}


def config(**changes: Any) -> dict[str, Any]:
    """Make a phase config of 3 + 3 steps."""
    phase: dict[str, Any] = {"guidance_scale": 1, "loras": []}
    return {
        "num_phases": 2,
        "steps_per_phase": [3, 3],
        "model_switch_phase": 1,
        "phases": [phase, dict(phase)],
    } | changes


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (t2v(phase_config=config(flow_shfit=9)), "phase_config.flow_shfit"),
        (
            t2v(phase_config=config(phases=[{"guidance_scale": 1, "guidnce": 1}] * 2)),
            "phase_config.phases[0].guidnce",
        ),
        (
            t2v(additional_loras=[{"url": "a.safetensors", "multiplier": 1, "sha265": "0"}]),
            "additional_loras[0].sha265",
        ),
        (journey({"num_inference_steps": 3}), "num_inference_steps"),
        (journey(phase_configs_expanded=[None, config(x=1)]), "phase_configs_expanded[1].x"),
        (t2v(individual_segment_params={"seed": 1}), "individual_segment_params"),
    ],
)
def test_what_nobody_reads_is_never_dropped_in_silence(
    resolve: Resolve, task: dict[str, Any], field: str
) -> None:
    """Inside a phase config, in a LoRA's entry, beside the details: warned of, or refused."""
    [warning] = [text for text in resolve(task)["warnings"] if field in text]
    assert warning
    assert resolve(task, "--set", "unknown_params=refuse")["error"]["field"].endswith(field)


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (journey(crossfade_sharp_amt=5), "orchestrator_details.crossfade_sharp_amt"),
        (journey(fps_final_video="x"), "orchestrator_details.fps_final_video"),
        (
            journey(model_name="tiny_t2v", base_prompt="a"),
            "orchestrator_details.input_image_paths_resolved[0]",
        ),
        (
            {
                "task_type": "travel_segment",
                "params": {
                    "segment_index": 5,
                    **journey(num_new_segments_to_generate=2)["params"],
                },
            },
            "segment_index",
        ),
    ],
)
def test_a_journey_that_must_fail_later_is_refused_at_once(
    resolve: Resolve, task: dict[str, Any], field: str
) -> None:
    """A bad stitch, pictures that its model would not use, a segment that it does not have."""
    assert resolve(task)["error"]["field"] == field


def test_a_journeys_segments_are_shown_as_they_will_run(resolve: Resolve) -> None:
    """Prompt, layers and seed are those of the children that it is split into."""
    task = journey(prompt="XX", base_prompts_expanded=["p0", "p1"], seed_base=-1)
    answer = resolve(task)
    said = {param["name"]: param for param in answer["segments"][0]["params"]}
    assert said["prompt"]["value"] == "p0"
    assert said["prompt"]["source"] == "segment"
    assert answer["journey"]["seed_asked"] == -1
    assert {segment["seed"] for segment in answer["segments"]} == {answer["journey"]["seed"]}


def test_a_list_of_loras_is_read_from_a_file(resolve: Resolve, tmp_path: Path) -> None:
    """Each relative path from the file's folder, whichever way it is listed."""
    entries = [{"url": "a.safetensors", "multiplier": 0.5}]
    [lora] = resolve(t2v(additional_loras=entries))["loras"]
    assert lora["url"] == str(tmp_path / "a.safetensors")
    lists = [entries, [{"url": "b.safetensors", "strength": 1}]]
    segments = resolve(journey(loras_per_segment_expanded=lists))["segments"]
    assert segments[1]["loras"][0]["url"] == str(tmp_path / "b.safetensors")
    lists = [{"a.safetensors": 1}, {"b.safetensors": 1}]
    segments = resolve(journey(loras_per_segment_expanded=lists))["segments"]
    assert segments[0]["loras"][0]["url"] == str(tmp_path / "a.safetensors")


def test_a_list_of_strengths_is_refused_at_its_own_phase(resolve: Resolve) -> None:
    """Not at the first phase that names the LoRA."""
    phases = [
        {"guidance_scale": 1, "loras": [{"url": "a.safetensors", "multiplier": text}]}
        for text in ("1", "1,2")
    ]
    error = resolve(t2v(phase_config=config(phases=phases)))["error"]
    assert (error["field"], error["value"]) == (
        "phase_config.phases[1].loras[0].multiplier",
        "1,2",
    )


def test_a_threshold_is_shown_as_the_engine_has_it(resolve: Resolve) -> None:
    """In float32; and a phase that it leaves no step is warned of."""
    task = t2v(guidance_phases=2, switch_threshold=826.1, model_switch_phase=1)
    answer = resolve(task)
    [said] = [param for param in answer["params"] if param["name"] == "switch_threshold"]
    assert (said["asked"], said["value"]) == (826.1, 826.0999755859375)
    task["params"]["switch_threshold"] = 1000
    assert "phase 1 has no step" in resolve(task)["warnings"][0]


def test_a_queue_that_is_not_needed_is_not_opened(resolve: Resolve, home: Path) -> None:
    """Whatever lies there."""
    home.mkdir()
    (home / "queue.db").write_bytes(b"no queue")
    assert resolve(t2v())["model"] == "tiny_t2v"
    assert (home / "queue.db").read_bytes() == b"no queue"


def test_control_characters_do_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    """A row of the queue was written by strangers."""
    path = tmp_path / "task.json"
    path.write_text(json.dumps(t2v(odd="\x1b[2J", prompt="\x1b[31mred")))
    done = run("resolve", str(path))
    assert "\x1b" not in done.out
    assert "\\x1b[2J" in done.out


@pytest.mark.parametrize("value", ["Infinity", "x" * 5000, [float("nan")]])
def test_a_refused_value_is_shown_once_and_in_bounds(resolve: Resolve, value: Any) -> None:
    """A text stays the text it is; what is long is cut."""
    shown = resolve(json.dumps(t2v(sample_solver=value)))["error"]["value"]
    assert shown in ("Infinity", f"{'x' * 1000}…", "[NaN]")


@pytest.mark.parametrize("url", ["http:///a.safetensors", "https://[a/a.safetensors"])
def test_a_url_without_a_host_is_refused(resolve: Resolve, url: str) -> None:
    """Before it is fetched."""
    assert "names no host" in resolve(t2v(activated_loras=[url]))["error"]["message"]
