"""Payloads as a careless producer might make them: good ones, changed in a few places."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from worker.params.layers import ALIASES
from worker.params.parameters import PARAMETERS
from worker.params.payload import CARRIED

Payload = dict[str, Any]

KEYS = sorted({*PARAMETERS, *CARRIED, *(name for names in ALIASES.values() for name in names)})
STRANGE_KEYS = ["", "promt", "num_inference_step", "a.b", "ключ", "x" * 300, "\ud800"]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 5, 7, 17, 1000, 1001, 2**31, 2**32, 2**63, -(2**70)),
    *(0.0, -0.0, 0.5, 1.0, 3.0, 1e-300, 1e308, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        " ",
        "0",
        "1",
        "3.5",
        "true",
        "null",
        "None",
        "nan",
        "euler",
        "unipc",
        "dpm++",
        "causvid",
    ),
    *("EULER", "euler ", "32x32", "64x48", "902x508", "0x0", "16x16", "8x8", "-16x16", "99999x16"),
    *(
        "1.2;0",
        "1,0.5;0",
        "1 2 3",
        ";;",
        "\u0661;\u0662",
        "1_0",
        "S",
        "SE",
        "V",
        "x" * 21_000,
        "\ud800",
        "\0",
    ),
    *("tiny_t2v", "tiny_i2v", "tiny_t3v", "http://host/a.safetensors", "file:///etc/passwd"),
    *("http://", "../../a.png", "a.safetensors", "00000000-0000-0000-0000-000000000008"),
]
CONTAINERS: list[Any] = [[], {}, [None], [[]], {"a": None}, [1, 2], [3, 3], ["a", 1], {"": 0}]


def payloads(count: int, *, seed: int, pictures: list[str], loras: list[str]) -> Iterator[Payload]:
    """Make so many tasks, the same ones for the same seed; each is a good one, changed."""
    source = random.Random(seed)
    makers = (_single, _segment, _journey, _stitch)
    for _ in range(count):
        maker: Callable[..., Payload] = source.choices(makers, weights=(5, 3, 3, 1))[0]
        task = maker(source, pictures, loras)
        for _ in range(source.choice((0, 1, 1, 1, 2, 2, 3, 6))):
            _change(source, task)
        yield task


def phase_config(source: random.Random, loras: list[str]) -> Payload:
    """Make a phase config that is good."""
    count = source.choice((2, 3))
    solver = source.choice(("euler", "unipc", "dpm++", "causvid"))
    steps = [source.randint(1, 3) for _ in range(count)]
    return {
        "num_phases": count,
        "steps_per_phase": steps,
        "flow_shift": source.choice((1, 3, 5, 7.5, 12)),
        "sample_solver": solver,
        "model_switch_phase": source.randint(1, count - 1),
        "phases": [
            {
                "phase": phase,
                "guidance_scale": source.choice((1, 3.5)),
                "loras": [
                    {"url": url, "multiplier": source.choice(("1.0", "0", 0.5, _per_step(length)))}
                    for url in loras
                    if source.random() < 0.4
                ],
            }
            for phase, length in enumerate(steps, start=1)
        ],
    }


def _per_step(length: int) -> str:
    return ",".join("0.5" for _ in range(length))


def _values(source: random.Random, loras: list[str]) -> Payload:
    """Make some good values of parameters."""
    choices: Payload = {
        "resolution": source.choice(("32x32", "64x48", "50x40")),
        "video_length": source.choice((5, 8, 9)),
        "seed": source.choice((-1, 0, 2**32 - 1)),
        "negative_prompt": "dull",
        "flow_shift": source.choice((0.001, 1, 5, 1000)),
        "guidance_scale": source.choice((0, 1, 4)),
        "additional_loras": {url: 0.5 for url in loras if source.random() < 0.5},
        "image_prompt_type": "S",
        "slg_switch": 0,
    }
    values = {key: value for key, value in choices.items() if source.random() < 0.5}
    if source.random() < 0.5:
        values |= {"phase_config": phase_config(source, loras)}
        values.pop("additional_loras", None)
    else:
        values["num_inference_steps"] = source.randint(1, 4)
    return values


def _single(source: random.Random, pictures: list[str], loras: list[str]) -> Payload:
    values = {"resolution": "32x32", "video_length": 5} | _values(source, loras)
    kind = source.choice(("t2v", "i2v"))
    task_type = source.choice((kind, "generate_video"))
    picture = {"start_image": pictures[0]} if kind == "i2v" else {}
    params = {"model": f"tiny_{kind}", "prompt": "a lake", **picture, **values}
    return {"task_type": task_type, "params": params}


def _details(source: random.Random, pictures: list[str], loras: list[str]) -> Payload:
    count = source.randint(1, len(pictures) - 1)
    details = {
        "model_name": "tiny_i2v",
        "parsed_resolution_wh": "32x32",
        "num_new_segments_to_generate": count,
        "segment_frames_expanded": [source.choice((5, 9)) for _ in range(count)],
        "base_prompts_expanded": ["a lake"] * count,
        "negative_prompts_expanded": [""] * count,
        "frame_overlap_expanded": [source.choice((0, 2, 3)) for _ in range(count - 1)],
        "input_image_paths_resolved": pictures[: count + 1],
        "seed_base": 7,
    }
    values = _values(source, loras)
    for name in ("resolution", "video_length", "seed"):
        values.pop(name, None)
    return details | values


def _segment(source: random.Random, pictures: list[str], loras: list[str]) -> Payload:
    params: Payload = {
        "segment_index": 0,
        "orchestrator_details": _details(source, pictures, loras),
        "base_prompt": "a shore",
        "seed_to_use": 8,
    }
    if source.random() < 0.3:
        params["individual_segment_params"] = {"seed": 9, "prompt": "a reef"}
    task_type = source.choice(("travel_segment", "individual_travel_segment"))
    return {"task_type": task_type, "params": params}


def _journey(source: random.Random, pictures: list[str], loras: list[str]) -> Payload:
    details = _details(source, pictures, loras)
    if source.random() < 0.3:
        count = len(details["segment_frames_expanded"])
        details["phase_configs_expanded"] = [phase_config(source, loras) for _ in range(count)]
        details.pop("phase_config", None)
        details.pop("num_inference_steps", None)
        details.pop("additional_loras", None)
    params = {"orchestrator_details": details} if source.random() < 0.7 else details
    return {"task_type": "travel_orchestrator", "params": params}


def _stitch(source: random.Random, pictures: list[str], loras: list[str]) -> Payload:
    del pictures, loras
    params = {
        "num_total_segments_generated": 3,
        "frame_overlap_settings_expanded": [4, 4],
        "crossfade_sharp_amt": source.random(),
        "fps_final_video": 16,
    }
    return {"task_type": "travel_stitch", "params": params}


def _change(source: random.Random, task: Payload) -> None:
    """Change one place, wherever it is."""
    place = source.choice(list(_containers(task["params"])))
    if isinstance(place, list):
        _change_list(source, place)
        return
    action = source.random()
    if action < 0.15 and place:
        del place[source.choice(list(place))]
    elif action < 0.6 and place:
        place[source.choice(list(place))] = _value(source)
    elif action < 0.95:
        place[source.choice(KEYS)] = _value(source)
    else:
        place[source.choice(STRANGE_KEYS)] = _value(source)


def _change_list(source: random.Random, place: list[Any]) -> None:
    action = source.random()
    if action < 0.3 and place:
        place.pop()
    elif action < 0.7 and place:
        place[source.randrange(len(place))] = _value(source)
    else:
        place.append(copy.deepcopy(place[-1]) if place else _value(source))


def _value(source: random.Random) -> Any:
    chosen = source.choice(SCALARS if source.random() < 0.75 else CONTAINERS)
    return copy.deepcopy(chosen)


def _containers(value: Any) -> Iterator[Any]:
    """Yield the objects and lists in a value, itself first."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _containers(item)
    elif isinstance(value, list):
        yield value
        for item in value:
            yield from _containers(item)
