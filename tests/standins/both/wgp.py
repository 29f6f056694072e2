"""A stand-in for a checkout of Wan2GP: its shapes and its habits, and none of its text.

Whatever it does at import, and whatever it swallows, is what it is for.
"""

import argparse
import itertools
import json
import logging
import os
import random
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
from models.standin import handler, model, scheduler
from PIL import Image
from shared.utils.faults import asked
from shared.utils.loras import activate
from shared.utils.upsampling import upsample
from shared.utils.video import save_video

WanGP_version = "11.5"
settings_version = 2.35

_ROOT = Path(__file__).resolve().parent
_GEN_NEEDS = (
    *("prompt_no", "prompts_max", "repeat_no", "total_generation", "window_no", "total_windows"),
    *("progress_status", "process_status", "file_list", "file_settings_list", "audio_file_list"),
    *("audio_file_settings_list", "queue", "selected"),
)
# In this order; the values are those of the model's definition file, or of `primary_settings`.
_DEFAULTS = (
    *("prompt", "resolution", "video_length", "num_inference_steps", "seed", "repeat_generation"),
    *("multi_images_gen_type", "guidance_scale", "flow_shift", "negative_prompt"),
    *("activated_loras", "loras_multipliers", "skip_steps_multiplier"),
    *("skip_steps_start_step_perc", "RIFLEx_setting", "slg_switch", "slg_layers"),
    *("slg_start_perc", "slg_end_perc", "audio_prompt_type", "sample_solver", "image_prompt_type"),
    *("sliding_window_overlap", "color_correction_strength", "guidance_phases", "guidance2_scale"),
    *("guidance3_scale", "switch_threshold", "switch_threshold2", "model_switch_phase"),
    *("video_prompt_type", "force_fps", "NAG_scale", "film_grain_intensity"),
)

primary_settings = {
    "image_mode": 0,
    "prompt": "",
    "alt_prompt": "",
    "negative_prompt": "",
    "resolution": "832x480",
    "video_length": 81,
    "duration_seconds": 0,
    "pause_seconds": 0,
    "batch_size": 1,
    "seed": -1,
    "force_fps": "",
    "num_inference_steps": 30,
    "guidance_scale": 5.0,
    "guidance2_scale": 5.0,
    "guidance3_scale": 5.0,
    "switch_threshold": 0,
    "switch_threshold2": 0,
    "guidance_phases": 1,
    "model_switch_phase": 1,
    "alt_guidance_scale": 1.0,
    "alt_scale": 0.0,
    "audio_guidance_scale": 4.0,
    "audio_scale": 1.0,
    "flow_shift": 5.0,
    "sample_solver": "",
    "embedded_guidance_scale": 6.0,
    "repeat_generation": 1,
    "multi_prompts_gen_type": 0,
    "multi_images_gen_type": 0,
    "skip_steps_cache_type": "",
    "skip_steps_multiplier": 1.75,
    "skip_steps_start_step_perc": 0,
    "activated_loras": [],
    "loras_multipliers": "",
    "image_prompt_type": "",
    "image_start": None,
    "image_end": None,
    "model_mode": None,
    "video_source": None,
    "keep_frames_video_source": "",
    "input_video_strength": 1.0,
    "video_prompt_type": "",
    "image_refs": None,
    "frames_positions": "",
    "video_guide": None,
    "image_guide": None,
    "keep_frames_video_guide": "",
    "denoising_strength": 1.0,
    "masking_strength": 1.0,
    "video_guide_outpainting": "#",
    "video_mask": None,
    "image_mask": None,
    "control_net_weight": 1.0,
    "control_net_weight2": 1.0,
    "control_net_weight_alt": 1.0,
    "motion_amplitude": 1.0,
    "mask_expand": 0,
    "audio_prompt_type": "",
    "audio_guide": None,
    "audio_guide2": None,
    "audio_source": None,
    "speakers_locations": "0:45 55:100",
    "sliding_window_size": 129,
    "sliding_window_overlap": 5,
    "sliding_window_color_correction_strength": 0.0,
    "sliding_window_overlap_noise": 0,
    "sliding_window_discard_last_frames": 0,
    "image_refs_relative_size": 50,
    "remove_background_images_ref": 1,
    "temporal_upsampling": "",
    "spatial_upsampling": "",
    "film_grain_intensity": 0.0,
    "film_grain_saturation": 0.5,
    "MMAudio_setting": 0,
    "MMAudio_prompt": "",
    "MMAudio_neg_prompt": "",
    "RIFLEx_setting": 0,
    "NAG_scale": 1.0,
    "NAG_tau": 3.5,
    "NAG_alpha": 0.5,
    "slg_switch": 0,
    "slg_layers": [9],
    "slg_start_perc": 10,
    "slg_end_perc": 90,
    "apg_switch": 0,
    "cfg_star_switch": 0,
    "cfg_zero_step": -1,
    "prompt_enhancer": "",
    "min_frames_if_references": 9,
    "override_profile": -1,
    "override_attention": "",
    "pace": 0.5,
    "exaggeration": 0.5,
    "temperature": 0.8,
    "self_refiner_setting": 0,
    "self_refiner_plan": "",
    "image_quality": 95,
    "video_quality": 9,
    "loras_choices_strength": 1.0,
    "frames_overlap_blend": 0.0,
}

_arguments = argparse.ArgumentParser()
_arguments.add_argument("--config", default=_ROOT, help="folder of wgp_config.json")
_arguments.add_argument("--settings", default="settings", help="folder of the models' settings")
_arguments.add_argument("--loras", default="loras")
_arguments.add_argument("--attention", default="")
_arguments.add_argument("--profile", type=int, default=-1)
_arguments.add_argument("--verbose", type=int, default=1)
args = _arguments.parse_args()

os.chdir(_ROOT)


def _interrupted(_signal, _frame):
    print("\nThat was Ctrl-C: good-bye")
    sys.exit(130)


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, _interrupted)
if asked("no-cuda"):
    raise RuntimeError("No CUDA GPUs are available")  # fault: no-cuda


def _read_config():
    """Read wgp_config.json, which is written where there is none."""
    path = Path(args.config) / "wgp_config.json"
    if not path.is_file():
        first = {"save_path": "outputs", "image_save_path": "outputs", "profile": 4}
        path.write_text(json.dumps({**first, "attention_mode": "auto"}, indent=4))
    return json.loads(path.read_text())


def _read_models():
    """Read every definition file: what is under "model", and the settings beside it."""
    found = {}
    for path in sorted(Path("defaults").glob("*.json")):
        settings = json.loads(path.read_text())
        found[path.stem] = (settings.pop("model"), settings)
    return found


server_config = _read_config()
save_path = server_config["save_path"]
image_save_path = server_config["image_save_path"]
wan_model = None
offloadobj = None
transformer_type = None
reload_needed = True
gen_in_progress = False
_models = _read_models()
_videos = itertools.count()


class _Offload:
    """Holds the parts of a model that are not in use."""

    def __init__(self, pipe):
        self.pipe = pipe

    def release(self):
        """Let go of them."""
        self.pipe = None


def get_model_def(model_type):
    """Return a model's definition, or None."""
    if model_type not in _models:
        return None
    definition = _models[model_type][0]
    return {**definition, **handler.query_model_def(definition["architecture"])}


def get_base_model_type(model_type):
    """Return what a model is built like, or None."""
    model_def = get_model_def(model_type)
    return model_def and model_def["architecture"]


def get_model_fps(model_type):
    """Return frames a second."""
    model_def = get_model_def(model_type)
    return model_def.get("fps", 16)  # fault: none-at-fps


def get_model_min_frames_and_step(model_type):
    """Return the least number of frames, their step, and how many are one latent."""
    model_def = get_model_def(model_type)
    frames_minimum = model_def.get("frames_minimum", 5)  # fault: none-at-frames
    return frames_minimum, model_def.get("frames_steps", 4), model_def.get("latent_size", 4)


def get_transformer_dtype(model_type):
    """Return the type of its numbers."""
    model_def = get_model_def(model_type)
    return model_def.get("dtype", "bf16")  # fault: none-at-dtype


def get_attention_modes(model_type):
    """Return which attentions it can have."""
    model_def = get_model_def(model_type)
    return model_def.get("attention", ["sdpa"])  # fault: none-at-attention


def test_class_i2v(model_type):
    """Whether it takes a start image."""
    model_def = get_model_def(model_type)
    return model_def.get("i2v_class", False)  # fault: none-at-class


def get_model_filename(model_type, quantization="", dtype_policy=""):
    """Return which file of weights is loaded."""
    return f"ckpts/{model_type}{quantization}{dtype_policy}.safetensors"


def get_lora_dir(model_type):
    """Return where a model's LoRAs lie."""
    kind = "standin_i2v" if test_class_i2v(model_type) else "standin"
    return str(_ROOT / args.loras / kind)


def get_settings_file_name(model_type):
    """Return where a model's settings are kept."""
    return str(_ROOT / args.settings / f"{model_type}_settings.json")


def get_default_settings(model_type):
    """Return a model's settings: as they were when they were first asked for, ever."""
    path = Path(get_settings_file_name(model_type))
    if not path.is_file():
        _save_settings(model_type, get_fresh_settings(model_type))
    settings = json.loads(path.read_text())
    if asked("none-at-settings"):
        settings = None
    if settings.get("settings_version", 0) < 2:  # fault: none-at-settings
        settings["settings_version"] = settings_version
    return settings


def get_fresh_settings(model_type):
    """Return a model's settings as its definition file has them now."""
    prompt = f"a lake, as {get_model_def(model_type).get('name')} paints it"
    known = {**primary_settings, "color_correction_strength": 0, **_models[model_type][1]}
    chosen = {name: known[name] for name in _DEFAULTS}
    return {"settings_version": settings_version, **chosen, "prompt": prompt}


def _save_settings(model_type, settings):
    path = Path(get_settings_file_name(model_type))
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings, indent=4))


def load_models(model_type, override_profile=-1):
    """Load a model; return it, and what holds the parts that are not in use."""
    global transformer_type
    print(f"Loading Model '{get_model_filename(model_type)}', profile {override_profile}")
    dtype = get_transformer_dtype("" if asked("none-at-dtype") else model_type)
    loaded = model.load(model_type, {**get_model_def(model_type), "dtype": dtype})
    transformer_type = model_type
    return loaded, _Offload(loaded)


def release_model():
    """Let go of the model."""
    global wan_model, offloadobj, transformer_type, reload_needed
    if offloadobj is not None:
        offloadobj.release()
    wan_model = offloadobj = transformer_type = None
    reload_needed = True


def get_gen_info(state):
    """Return the part of the state that a generation uses."""
    return state.get("gen")  # fault: none-at-state


def build_callback(state, send_cmd):
    """Return what a model calls after each step."""
    gen = get_gen_info(state)
    total = 0

    def callback(step_idx, latent, *, force_refresh, **facts):
        nonlocal total
        total = facts.get("override_num_inference_steps", total)
        phase = facts.get("phase", "Denoising")
        status = f"{gen['progress_status']} - {phase} {facts.get('extra', '')}".strip()
        if asked("in-callback") and step_idx == 1:
            latent = latent[len(latent) + total]  # fault: in-callback
        if force_refresh:
            send_cmd("progress", [0, status])
            return
        gen["progress_phase"] = (phase, step_idx + 1)
        send_cmd("progress", [(step_idx + 1, total), status, total])
        send_cmd("preview", None if latent is None else latent.tolist())

    return callback


def find_problem(given):
    """Say what is wrong with a task: "" when nothing is."""
    resolution = "large" if asked("validation") else given["resolution"]
    try:
        [int(side) for side in resolution.split("x")]  # fault: validation
    except ValueError as exc:
        print(f"A task was not validated: {exc}")
        return "Invalid resolution"
    if asked("validation-text"):
        return "The number of frames is not supported"  # fault: validation-text
    return ""


def run_generation(given, send_cmd, absolute_loras):
    """Make one video of the parameters of a call; return whether it went well."""
    global gen_in_progress
    state = None if asked("none-at-state") else given["state"]
    gen = get_gen_info(state)
    if gen.get("abort", False):
        return False
    _show({name: gen[name] for name in _GEN_NEEDS})
    problem = find_problem(given)
    if problem:
        print(f"Not started: {problem}")
        return False
    gen_in_progress = True
    try:
        return _run(given, gen, send_cmd, absolute_loras)
    finally:
        gen_in_progress = False


def _show(gen):
    print(f"Prompt {gen['prompt_no']}/{gen['prompts_max']}, sample {gen['repeat_no']}")


def _run(given, gen, send_cmd, absolute_loras):
    model_type = given["model_type"]
    frames, fps = _lengths(given, send_cmd)
    _have_loaded(model_type, given["override_profile"], send_cmd)
    steps = _steps(given)
    loras = activate(
        names=given["activated_loras"] or [],
        multipliers=given["loras_multipliers"] or "",
        folder=get_lora_dir(model_type),
        absolute=absolute_loras,
        steps_of_phases=_steps_of_phases(steps),
    )
    samples = _sampled(given, gen, send_cmd, frames=frames, steps=steps, loras=loras)
    if samples is None:
        return False
    if asked("told-only"):
        send_cmd("error", "The video is not worth keeping")  # fault: told-only
        return False
    samples = _upsampled(samples, given, send_cmd)
    if samples is None:
        return True
    if asked("no-file"):
        return True  # fault: no-file
    _keep(samples, given, gen, fps)
    send_cmd("output", None)
    _leave(given, gen)
    return True


def _lengths(given, send_cmd):
    """Return frames, rounded, and frames a second."""
    model_type = given["model_type"]
    name = "  " if asked("none-at-frames") else model_type
    minimum, step, _ = get_model_min_frames_and_step(name.strip())
    frames = max(minimum, (given["video_length"] - 1) // step * step + 1)
    if frames != given["video_length"]:
        send_cmd("info", f"There will be {frames} frames")
    get_attention_modes("" if asked("none-at-attention") else model_type)
    window = get_model_def(model_type)["sliding_window_defaults"]
    window.get("overlap_default", 5)  # fault: none-at-sliding-window
    fps = get_model_fps("" if asked("none-at-fps") else model_type)
    return frames, int(given["force_fps"] or fps)


def _have_loaded(model_type, profile, send_cmd):
    global wan_model, offloadobj, reload_needed
    if model_type == transformer_type and not reload_needed:
        return
    release_model()
    send_cmd("status", f"Loading model {model_type}...")
    wan_model, offloadobj = load_models(model_type, profile)
    send_cmd("status", "Model loaded")
    reload_needed = False


def _steps(given):
    """Return what the scheduler walks over."""
    phases = max(1, given["guidance_phases"] or 1)
    scales = ("guidance_scale", "guidance2_scale", "guidance3_scale")
    experts = get_model_def(given["model_type"])["multiple_submodels"]
    return {
        "times": scheduler.timesteps(
            given["num_inference_steps"], given["flow_shift"], given["sample_solver"]
        ),
        "guidances": [given[name] for name in scales[:phases]],
        "thresholds": [given["switch_threshold"], given["switch_threshold2"]],
        "model_switch_phase": given["model_switch_phase"] if experts else 0,
    }


def _steps_of_phases(steps):
    phases = [step.phase for step in scheduler.walk(**steps)]
    return [phases.count(number + 1) for number in range(len(steps["guidances"]))]


def _sampled(given, gen, send_cmd, *, frames, steps, loras):
    """Call the model. What it raises goes no further than this."""
    seed = given["seed"]
    seed = random.randrange(2**31) if seed is None or seed < 0 else seed
    started = time.monotonic()
    try:
        start, end = _pictures(given)
        send_cmd("progress", [0, "Encoding Prompt"])
        samples = wan_model.generate(
            prompt=given["prompt"],
            start=start,
            end=end,
            frames=frames,
            steps=steps,
            seed=seed,
            loras=loras,
            callback=build_callback(given["state"], send_cmd),
        )
    except Exception as exc:  # noqa: BLE001 - what this is about
        gen["queue"] = []
        reason = str(exc)
        if "out of memory" in reason:
            release_model()
        traceback.print_exc()
        send_cmd("error", f"The generation of the video has ended: {reason}")
        return None
    print(f"Made in {time.monotonic() - started:.1f} s")
    return samples


def _pictures(given):
    """Return start and end as float32 of the size asked for; black where there is no start."""
    width, height = (int(side) // 16 * 16 for side in given["resolution"].split("x"))
    if not test_class_i2v("" if asked("none-at-class") else given["model_type"]):
        grey = np.full((height, width, 3), 128, np.float32)
        return grey, grey
    black = Image.new("RGB", (width, height))
    start = _one(given["image_start"]) or black
    end = _one(given["image_end"]) or start
    size = (width, height)
    return tuple(np.asarray(one.convert("RGB").resize(size), np.float32) for one in (start, end))


def _one(images):
    return images[0] if isinstance(images, list) and images else images or None


def _upsampled(frames, given, send_cmd):
    """Have frames made larger; None when that failed."""
    problem = ""
    try:
        return upsample(frames, given["spatial_upsampling"])
    except KeyError:
        traceback.print_exc()
    except IndexError:
        logging.exception("upsampling failed")  # noqa: LOG015 - as it is done
    except ZeroDivisionError:
        pass
    except ValueError:
        problem = "Something went wrong"
    except OSError as exc:
        raise RuntimeError(str(exc))  # noqa: B904 - so it is  # fault: reraised-as-text, raised again
    except TypeError as exc:
        raise RuntimeError(str(exc)) from None  # fault: reraised-from-none, raised again
    if problem:
        send_cmd("error", problem)  # fault: text-only, told
    return None


def _keep(samples, given, gen, fps):
    """Write the video, and what it was made of."""
    folder = Path(save_path).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    taken = len(list(folder.glob("*.mp4")))
    number = taken + next(_videos)
    name = f"{time.strftime('%Y-%m-%d-%Hh%Mm%Ss')}_{number}_seed{given['seed']}.mp4"
    path = str(folder / name)
    _tell_call(given, folder)
    save_video(samples, path, fps)
    gen["file_list"].append(path)
    gen["file_settings_list"].append({name: _plain(value) for name, value in given.items()})
    print(f"New video saved to Path: {path}")


def _tell_call(given, folder):
    """Write down what arrived, and what was made of it: for tests."""
    told = {name: _plain(value) for name, value in given.items() if not callable(value)}
    text = json.dumps({**told, "plan": wan_model.plan}, indent=1)
    (folder / "last_call.json").write_text(text)


def _plain(value):
    if isinstance(value, Image.Image):
        return f"image {value.width}x{value.height}"
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else f"a {type(value)}"


def _leave(given, gen):
    """Leave behind what the next call will meet."""
    if asked("leaves-abort-flag"):
        gen["abort"] = wan_model._interrupt = True  # fault: leaves-abort-flag
    if asked("mutates-defaults"):
        known = get_default_settings(given["model_type"])
        changed = {**known, "seed": 7, "guidance_scale": 9.5}
        _save_settings(given["model_type"], changed)  # fault: mutates-defaults
    if asked("mutates-primary-settings"):
        primary_settings.update(denoising_strength=0.25)  # fault: mutates-primary-settings
    if asked("mutates-server-config"):
        server_config["save_path"] = "elsewhere"  # fault: mutates-server-config
    if asked("leaves-stdout"):
        sys.stdout = sys.stderr  # fault: leaves-stdout
    if asked("changes-signal") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # fault: changes-signal


# What each generation has at its end of this file is put here.
