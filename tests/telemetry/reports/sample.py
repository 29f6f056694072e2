"""Investigations for the tests of every form of the report: the incident, and what differs from it.

`incident()` failed with an exception; of `incomplete()` the record's tail is lost; `death()` died
of a signal; `healthy()` went well; `running()` is at work; `hostile()` has attacks in every text.
"""

import json
import zlib
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec

from telemetry.reports.company import (
    DifferenceFound,
    LastGoodFound,
    RelativeFound,
    SameFailureFound,
    TaskFound,
)
from telemetry.reports.findings import (
    CompletenessFound,
    DefaultsFound,
    EnvironmentFound,
    ExceptionFound,
    FailureFound,
    FrameFound,
    GapFound,
    HypothesisFound,
    Investigation,
    LinksFound,
    Location,
    LoraFound,
    ModelFound,
    ParamFound,
    ReplayFound,
    SourceLine,
    ValueFound,
    Verdict,
)
from telemetry.reports.headway import IterationFound, LoopFound, StageFound, StepsFound
from telemetry.reports.moments import BarFound, MomentFound, SampleFound, TimelineFound

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
FIRST = "e040ae48-4fa8-4af6-8a57-028277e54ba9"
PARENT = "8172a7f6-65d9-4a77-8fa7-54558e356286"
GOOD = "1b0e6a2c-55f1-4d4e-9a39-0c1d2e3f4a5b"
WORKER = "gpu-20260210_155915-58372e0e"
MODEL = "wan_2_2_i2v_lightning_baseline_2_2_2"
ENGINE = "/opt/Wan2GP/wgp.py"
PREFLIGHT = "/opt/Wan2GP/preflight.py"
MESSAGE = "'NoneType' object has no attribute 'get'"
DIGEST = "5f0c1e9a7d3b4862a1c4e7f09b2d8653c7a91e04f6b5d3827190acbe4d5f6071"
FINGERPRINT = "9c1f0f5b2f7e4a61"

# Sources around the failing line and where the name was stripped, with the number of the first.
_LOOKUP = (
    3903,
    '''\
def get_model_min_frames_and_step(model_type):
    """Return the least number of frames, and by how many they grow."""

    model_def = get_model_def(model_type)
    frames_minimum = model_def.get("frames_minimum", 5)
    frames_steps = model_def.get("frames_steps", 4)
    return frames_minimum, frames_steps, model_def.get("latent_size", frames_steps)''',
)
_CHECK = (
    61,
    """\
def check_frames(params, model):
    settings = {k: v for k, v in params.items() if k not in RESERVED}
    minimum, step, _ = get_model_min_frames_and_step(settings.get("model", ""))
    if params["video_length"] < minimum:
        raise ValueError(f"too few frames: {params['video_length']}")""",
)
_HANDLER = (
    139,
    """\
        with stage("parameters"):
            request = self._resolved(task, definition)
            self._engine.preflight(request)
        with stage("loras"):""",
)

ASKED: dict[str, tuple[Any, str]] = {
    "resolution": ("902x508", "orchestrator"),
    "video_length": (81, "segment"),
    "num_inference_steps": (6, "phase_config"),
    "seed": (789, "segment"),
    "guidance_scale": (1, "phase_config"),
    "flow_shift": (5, "phase_config"),
    "activated_loras": (["high_noise", "motion", "low_noise"], "phase_config"),
    "loras_multipliers": ("1.2;0 1.05;1.05 0;1.0", "phase_config"),
    "sample_solver": ("euler", "phase_config"),
    "guidance_phases": (2, "phase_config"),
    "guidance2_scale": (1, "phase_config"),
    "switch_threshold": (826.0999755859375, "phase_config"),
    "model_switch_phase": (1, "phase_config"),
    "prompt": ("<hidden: 30 characters>", "orchestrator"),
}


def incident() -> Investigation:
    """Return the second failure: segment 0 of a journey of 13, as one hopes to see it."""
    return Investigation(
        task=_task(),
        asked=TASK,
        says=(
            f"AttributeError: {MESSAGE}; model_def was None; raised at {ENGINE}:3907 in "
            "get_model_min_frames_and_step, after all 32 iterations of the parameter loop, "
            "in stage parameters"
        ),
        failure=_failure(),
        loop=LoopFound(
            completed=32,
            total=32,
            last=IterationFound(
                index=32, key="video_prompt_type", ended="2026-02-24T14:31:53.557012Z", ms=0.38
            ),
            slowest=IterationFound(
                index=2, key="prompt", ended="2026-02-24T14:31:53.541377Z", ms=0.97
            ),
        ),
        steps=StepsFound(completed=0, total=0, phase="", ms=[]),
        stages=[
            _stage("inputs", "2026-02-24T14:31:52.118204Z", 1401.2),
            _stage("parameters", "2026-02-24T14:31:53.520311Z", 40.9, "failed"),
        ],
        params=_params(),
        completeness=CompletenessFound(
            source="the journal in /var/lib/loop26/spool",
            begun=39,
            arrived=39,
            cut_off=0,
            open=0,
            lost=0,
            damaged_bytes=0,
            complete=True,
            says="complete: 39 spans begun, 39 ended by their process; no record is missing",
        ),
        hypotheses=_hypotheses(),
        relatives=_relatives(),
        same_failure=[_first()],
        last_good=LastGoodFound(
            id=GOOD,
            when="2026-02-23T22:10:41.901113Z",
            differences=[
                DifferenceFound(name="engine version", this="10.84", other="10.83"),
                DifferenceFound(name="params.seed", this=789, other=12345),
                DifferenceFound(name="worker", this=WORKER, other="gpu-20260223_201102-1f2e3d4c"),
            ],
        ),
        model=_model(),
        defaults=DefaultsFound(
            call=f"engine default_settings of {MODEL!r}",
            type="dict",
            count=32,
            values=_defaults(),
            digest_before=DIGEST,
            digest_after=DIGEST,
        ),
        environment=EnvironmentFound(
            host="gpu-7.example.org",
            loop26="0.1.0",
            facts={"python": "3.11.14", "torch": "2.9.1", "device": "NVIDIA H200", "pid": 4711},
        ),
        timeline=_timeline(),
        tasks=[_task(), _parent(), *_segments()],
        previous=_first(),
        against_previous=[
            DifferenceFound(name="place", this="wgp.py:3907", other="wgp.py:3907"),
            DifferenceFound(name="loop iterations", this="32 of 32", other="32 of 32"),
            DifferenceFound(name="model load", this="0 ms", other="4 min 08.0 s"),
            DifferenceFound(name="segment_index", this=0, other=2),
        ],
        links=LinksFound(
            trace_id="0af7651916cd43dd8448eb211c80319c",
            sentry_event_id="c0ffee00c0ffee00c0ffee00c0ffee00",
            jaeger="http://jaeger.example.org:16686/trace/0af7651916cd43dd8448eb211c80319c",
            sentry="https://sentry.example.org/events/c0ffee00c0ffee00c0ffee00c0ffee00",
        ),
        next_steps=[
            f"run `loop26 replay {TASK}` to see it fail again in a fresh process",
            f"look at preflight.py:63 in check_frames: it passes '' for {MODEL!r}",
            f"correct that, then run `loop26 retry {PARENT}`: 13 relatives ended because of it",
        ],
        replay=f"loop26 replay {TASK}",
    )


def incomplete() -> Investigation:
    """Return the same failure with the tail of its record lost: the queue's row names the place."""
    whole = incident()
    assert whole.failure is not None
    iteration = IterationFound(
        index=9, key="guidance_scale", ended="2026-02-24T14:31:53.553011Z", ms=0.41
    )
    return msgspec.structs.replace(
        whole,
        says=whole.says.replace(", after all 32 iterations of the parameter loop", ""),
        failure=msgspec.structs.replace(whole.failure, values=[], frames=[], chain=[]),
        loop=LoopFound(completed=9, total=32, last=iteration, slowest=iteration),
        stages=[whole.stages[0], _stage("parameters", whole.stages[1].began, None, "cut off")],
        params=whole.params[:9],
        completeness=CompletenessFound(
            source="the journal in /var/lib/loop26/spool",
            begun=16,
            arrived=13,
            cut_off=3,
            open=0,
            lost=41,
            damaged_bytes=117,
            complete=False,
            says=(
                "incomplete: 41 records are missing; 117 bytes are damaged; its tail is missing: "
                "it ends without the end of the task or the process (16 spans begun, 13 ended by "
                "their process); where it ends is not where the failure is"
            ),
            gaps=[GapFound(process="task-4711", first=104, last=144)],
        ),
        hypotheses=[_verdict(one.name, "not decidable", LOST) for one in whole.hypotheses],
        defaults=msgspec.structs.replace(whole.defaults, digest_after="", values={}),
        timeline=msgspec.structs.replace(
            whole.timeline, failed_ms=None, bars=whole.timeline.bars[:16], around=[]
        ),
    )


def death() -> Investigation:
    """Return a task process that a segmentation fault ended: only an open span's line is known."""
    whole = incident()
    assert whole.failure is not None
    message = "the process died of SIGSEGV: a segmentation fault in native code"
    failure = msgspec.structs.replace(
        whole.failure,
        kind="death",
        type="sigsegv",
        message=message,
        sentence=message,
        place="opened at",
        location=Location(file="/app/worker/engines/denoise.py", line=88, function="run"),
        stage="generate",
        expression="",
        values=[],
        frames=[],
        chain=[],
        fingerprint="77aa01c2d9b3e4f5",
        signal="SIGSEGV",
        exit_code=-11,
        last_words=["CUDA error: an illegal memory access", "Fatal Python error: Segfault"],
    )
    return msgspec.structs.replace(
        whole,
        says=f"{message}; opened at /app/worker/engines/denoise.py:88 in run, after all 32 "
        "iterations of the parameter loop, in stage generate",
        failure=failure,
        steps=StepsFound(completed=3, total=6, phase="low noise", ms=[811.0, 805.3, 2100.9]),
        stages=[
            whole.stages[0],
            _stage("parameters", "2026-02-24T14:31:53.520311Z", 40.9),
            _stage("generate", "2026-02-24T14:31:53.570001Z", 4100.0, "cut off"),
        ],
        completeness=msgspec.structs.replace(
            whole.completeness,
            begun=47,
            arrived=44,
            cut_off=3,
            says="complete up to the death: 47 spans begun, 44 ended by their process, "
            "the death cut off the others",
        ),
        same_failure=[],
        previous=None,
        against_previous=[],
        last_good=None,
        timeline=_timeline_of_death(),
    )


def healthy() -> Investigation:
    """Return a task that went well: there is no failure, and all seven stages took their time."""
    whole = incident()
    times = (1401.2, 40.9, 812.0, 248_000.0, 5_102.0, 2_340.0, 61.5)
    names = ("inputs", "parameters", "loras", "model", "generate", "encode", "output")
    done = msgspec.structs.replace(
        whole.task,
        id=GOOD,
        status="Complete",
        returned="2026-02-24T14:36:09.880412Z",
        error="",
    )
    return msgspec.structs.replace(
        whole,
        task=done,
        asked=GOOD,
        says="it did not fail: it is complete; model took 4 min 08.0 s, 96 % of it",
        failure=None,
        steps=StepsFound(
            completed=6, total=6, phase="low noise", ms=[811.0, 805.3, 803.1, 901.2, 802.0, 801.4]
        ),
        stages=[
            _stage(name, "2026-02-24T14:31:52.118204Z", ms)
            for name, ms in zip(names, times, strict=True)
        ],
        hypotheses=[],
        relatives=[],
        same_failure=[],
        last_good=None,
        timeline=_timeline(failed=False),
        tasks=[done],
        previous=None,
        against_previous=[],
        links=msgspec.structs.replace(whole.links, sentry_event_id="", sentry=""),
        next_steps=[],
        replay=f"loop26 replay {GOOD}",
    )


def running() -> Investigation:
    """Return a task that is at work: so far, and no longer."""
    whole = healthy()
    task = msgspec.structs.replace(whole.task, status="In Progress", returned="")
    return msgspec.structs.replace(
        whole,
        task=task,
        tasks=[task],
        says="it is at work, in stage generate; nothing has failed so far",
        steps=StepsFound(completed=2, total=6, phase="high noise", ms=[811.0, 805.3]),
        stages=[*whole.stages[:4], _stage("generate", whole.stages[0].began, None, "open")],
        completeness=msgspec.structs.replace(
            whole.completeness,
            begun=46,
            arrived=43,
            open=3,
            says="complete so far: 46 spans begun, 43 ended by their process, the others are at "
            "work; no record is missing",
        ),
    )


ATTACKS = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "\x1b[2J\x1b]0;owned\x07\x1b[31m\x9b31m\r\x00\x7f",
    "\u202egnp.exe\u2066\u200f\ufeff",
    "\ud800\udfff",
    "| a | b |\n|---|---|\n```\n~~~\n# heading\n- [x] item\n> quote\n***\n<!-- -->",
    "[link](https://evil.example/) ![image](https://evil.example/x.png) @everyone #1 GH-1",
    "https://evil.example/ www.evil.example a@evil.example &lt;b&gt; `code` ``code`` *x* _y_ ~~z~~",
    "[bold red]markup[/] {braces} %s \\| \\` \u0301\u0301 漢字 👩\u200d👧 ../../etc/passwd",
)
_LONG = "A" * 10_000


def hostile() -> Investigation:
    """Return the incident with every attack, and 10,000 letters more, in every text it holds."""
    attacked: Investigation = _attacked(incident())
    return msgspec.structs.replace(
        attacked, replayed=_attacked(replayed().replayed), asked="".join(ATTACKS)
    )


def replayed() -> Investigation:
    """Return the incident after a replay that failed in the same way."""
    return msgspec.structs.replace(
        incident(),
        replayed=ReplayFound(
            at="2026-02-24T15:02:11.000031Z",
            same=True,
            says="it failed again, with the same fingerprint, in a fresh process",
        ),
    )


def _attacked(value: Any) -> Any:
    """Put the attacks before every text, another first in each; verdicts are of a closed set."""
    match value:
        case str():
            first = zlib.crc32(value.encode()) % len(ATTACKS)
            return "".join((*ATTACKS[first:], *ATTACKS[:first])) + value + _LONG
        case list():
            return [_attacked(one) for one in value]
        case dict():
            return {_attacked(key): _attacked(one) for key, one in value.items()}
        case msgspec.Struct():
            hints = get_type_hints(type(value))
            return type(value)(
                **{
                    name: getattr(value, name)
                    if hints[name] == Verdict
                    else _attacked(getattr(value, name))
                    for name in value.__struct_fields__
                }
            )
    return value


def _task() -> TaskFound:
    return TaskFound(
        id=TASK,
        type="travel_segment",
        status="Failed",
        worker=WORKER,
        attempt=1,
        created="2026-02-24T14:23:26.400128Z",
        claimed="2026-02-24T14:31:52.101007Z",
        returned="2026-02-24T14:31:53.583400Z",
        error=f"AttributeError: {MESSAGE}; model_def was None (raised at wgp.py:3907 in "
        "get_model_min_frames_and_step during parameters)",
    )


def _parent() -> TaskFound:
    return TaskFound(
        id=PARENT,
        type="travel_orchestrator",
        status="Failed",
        worker=WORKER,
        attempt=1,
        created="2026-02-24T14:23:21.000411Z",
        claimed="2026-02-24T14:23:26.012904Z",
        returned="2026-02-24T14:31:53.583400Z",
        error=_cascaded(),
    )


def _segments() -> list[TaskFound]:
    """Return the twelve segments that the failure took down before they were claimed."""
    return [
        TaskFound(
            id=f"{index:08x}-0000-4000-8000-{index:012x}",
            type="travel_segment",
            status="Failed",
            worker="",
            attempt=0,
            created="2026-02-24T14:23:26.400128Z",
            returned="2026-02-24T14:31:53.583400Z",
            error=_cascaded(),
        )
        for index in range(1, 13)
    ]


def _cascaded() -> str:
    return f"Cascaded failed from related task {TASK}: AttributeError: {MESSAGE}"


def _relatives() -> list[RelativeFound]:
    because = f"failed because of {TASK}"
    return [
        RelativeFound(id=one.id, type=one.type, status=one.status, because=because, felled=True)
        for one in [_parent(), *_segments()]
    ]


def _first() -> SameFailureFound:
    return SameFailureFound(
        task=FIRST,
        attempt=1,
        worker="gpu-20260224_140700-95abaee4",
        when="2026-02-24T14:14:44.551902Z",
    )


def _failure() -> FailureFound:
    frames = _frames()
    return FailureFound(
        kind="exception",
        type="AttributeError",
        message=MESSAGE,
        sentence=_task().error,
        place="raised at",
        location=Location(file=ENGINE, line=3907, function="get_model_min_frames_and_step"),
        stage="parameters",
        at="2026-02-24T14:31:53.561204Z",
        expression="model_def",
        values=[
            ValueFound(
                name="model_def",
                value=None,
                origin=f"assigned at {ENGINE}:3906 in get_model_min_frames_and_step: "
                "get_model_def(model_type)",
            ),
            ValueFound(
                name="model_type",
                value="",
                origin=f"passed at {PREFLIGHT}:63 in check_frames as settings.get('model', '')",
            ),
            ValueFound(
                name="settings",
                value={"resolution": "896x496", "video_length": 81},
                origin=f"assigned at {PREFLIGHT}:62 in check_frames: "
                "{k: v for k, v in params.items() if k not in RESERVED}",
            ),
        ],
        frames=frames,
        chain=[
            ExceptionFound(
                type="AttributeError",
                module="builtins",
                message=MESSAGE,
                relation="",
                frames=frames,
            )
        ],
        fingerprint=FINGERPRINT,
        handled=False,
        caused_by={},
        signal="",
        exit_code=None,
        last_words=[],
    )


def _frames() -> list[FrameFound]:
    params = {param.name: param.value for param in _params()}
    return [
        FrameFound(
            file="/app/worker/process.py",
            line=214,
            function="run",
            module="worker.process",
            locals={"task": {"<class>": "worker.task.Task", "id": TASK}, "attempt": 1},
            source=_source((214, "        outcome = handler.handle(task, self._observer)")),
        ),
        FrameFound(
            file="/app/worker/handlers/generate.py",
            line=141,
            function="_generate",
            module="worker.handlers.generate",
            in_app=True,
            locals={"self": "<worker.handlers.generate.Generate>", "request": params},
            source=_source(_HANDLER),
        ),
        FrameFound(
            file=PREFLIGHT,
            line=63,
            function="check_frames",
            module="preflight",
            in_app=True,
            locals={
                "params": params,
                "model": MODEL,
                "settings": {"resolution": "896x496", "video_length": 81},
            },
            source=_source(_CHECK),
        ),
        FrameFound(
            file=ENGINE,
            line=3907,
            function="get_model_min_frames_and_step",
            module="wgp",
            in_app=True,
            locals={"model_type": "", "model_def": None},
            source=_source(_LOOKUP),
        ),
    ]


def _source(numbered: tuple[int, str]) -> list[SourceLine]:
    first, text = numbered
    return [
        SourceLine(number=number, text=line) for number, line in enumerate(text.split("\n"), first)
    ]


def _stage(name: str, began: str, ms: float | None, ended: str = "ok") -> StageFound:
    return StageFound(name=name, began=began, ms=ms, ended=ended)


def _defaults() -> dict[str, Any]:
    path = Path(__file__).parents[2] / "data" / "incident_defaults.json"
    values: dict[str, Any] = json.loads(path.read_text())
    return {**values, "prompt": f"<hidden: {len(values['prompt'])} characters>"}


def _params() -> list[ParamFound]:
    found = []
    for name, default in _defaults().items():
        asked, source = ASKED.get(name, (None, "model"))
        used = default if asked is None else "896x496" if name == "resolution" else asked
        found.append(ParamFound(name=name, value=used, asked=asked, default=default, source=source))
    return found


def _model() -> ModelFound:
    return ModelFound(
        name=MODEL,
        engine="wan2gp",
        resolution="896x496",
        frames=81,
        steps=6,
        phases=2,
        loras=[
            LoraFound(name="high_noise.safetensors", multiplier="1.2;0"),
            LoraFound(name="motion.safetensors", multiplier="1.05;1.05"),
            LoraFound(name="low_noise.safetensors", multiplier="0;1.0"),
        ],
        phase_config={"num_phases": 2, "steps_per_phase": [3, 3], "model_switch_phase": 1},
        key_params={
            "num_inference_steps": 6,
            "guidance_phases": 2,
            "guidance_scale": 1,
            "switch_threshold": 826.0999755859375,
        },
    )


LOST = "41 records are missing: what they would have told is not known"


def _verdict(
    name: str, verdict: Literal["ruled out", "confirmed", "not decidable"], evidence: str
) -> HypothesisFound:
    return HypothesisFound(name=name, verdict=verdict, evidence=evidence)


def _hypotheses() -> list[HypothesisFound]:
    none_raised = "32 of 32 iterations ended well; the failure is 4.2 ms after the last"
    return [
        _verdict(
            "timeout or hang in the loop",
            "ruled out",
            "the slowest iteration took 970 µs (prompt); the 32 took 17.1 ms together",
        ),
        _verdict("exception in phase-config parsing", "ruled out", none_raised),
        _verdict(
            "race with a concurrent status update",
            "ruled out",
            "the queue's history has no event of this task between the claim at 14:31:52.101007 "
            "and the settle at 14:31:53.583400",
        ),
        _verdict(
            "model defaults mutated or corrupted",
            "ruled out",
            f"the defaults' digest is {DIGEST[:12]} before iteration 1 and after 32",
        ),
        _verdict("iterator invalidated", "ruled out", none_raised),
        _verdict("exception inside logging", "ruled out", "no frame of the stack is of logging"),
        _verdict(
            "engine state pollution",
            "not decidable",
            "it is decided by a replay in a fresh process, and there was none yet",
        ),
        _verdict(
            "a value that is a proxy or lazy object",
            "ruled out",
            "the value was '', a plain str, and model_def was None itself",
        ),
    ]


def _timeline(*, failed: bool = True) -> TimelineFound:
    length_ms = 1443.0 if failed else 257_757.6
    return TimelineFound(
        began="2026-02-24T14:31:52.118204Z",
        length_ms=length_ms,
        failed_ms=length_ms if failed else None,
        bars=[*_first_bars(failed=failed), *([] if failed else _later_bars())],
        memory_bytes=[]
        if failed
        else [
            SampleFound(at_ms=251_065.2 + 820 * n, value=(38.5 + n % 3 / 4) * 2**30)
            for n in range(6)
        ],
        around=_around() if failed else [],
    )


def _timeline_of_death() -> TimelineFound:
    whole, died_ms = _timeline(failed=False), 5551.8
    generate = [
        _bar("stage generate", "stage", "", 1451.8, died_ms, 1, "cut off"),
        _bar("engine generate", "engine", MODEL, 1451.9, died_ms, 2, "cut off"),
    ]
    steps = [
        _bar("denoise step", "step", f"{n} of 6, low noise", start_ms, end_ms, 3)
        for n, start_ms, end_ms in ((1, 1500, 2311), (2, 2311.5, 3116.8), (3, 3117, 5217.9))
    ]
    first = msgspec.structs.replace(whole.bars[0], end_ms=died_ms, ended="cut off")
    return msgspec.structs.replace(
        whole,
        length_ms=died_ms,
        failed_ms=died_ms,
        bars=[first, *_first_bars(failed=False)[1:], *generate, *steps],
        memory_bytes=[
            SampleFound(at_ms=bar.end_ms, value=(38.5 + 12 * n) * 2**30)
            for n, bar in enumerate(steps)
        ],
    )


def _first_bars(*, failed: bool) -> list[BarFound]:
    length_ms, how = (1443.0, "failed") if failed else (257_757.6, "ok")
    bars = [
        _bar("process travel_segment", "process", TASK[:8], 0, length_ms, 0, how),
        _bar("stage inputs", "stage", "", 0.1, 1401.3, 1),
        _bar("stage parameters", "stage", "", 1402.1, 1443.0, 1, how),
        _bar("engine default_settings", "engine", MODEL, 1402.3, 1404.0, 2),
    ]
    for index, name in enumerate(_defaults(), 1):
        start_ms = 1420.9 + 0.53 * (index - 1)
        took_ms = 0.97 if name == "prompt" else 0.38
        label = f"{index} of 32, {name}"
        bars.append(_bar("loop iteration", "iteration", label, start_ms, start_ms + took_ms, 2))
    return [*bars, _bar("engine model_def", "engine", "", 1442.6, 1442.9, 2, how)]


def _later_bars() -> list[BarFound]:
    bars = [
        _bar("stage loras", "stage", "", 1443.2, 2255.2, 1),
        _bar("stage model", "stage", "", 2255.3, 250_255.3, 1),
        _bar("engine load", "engine", MODEL, 2255.4, 250_255.2, 2),
        _bar("stage generate", "stage", "", 250_255.4, 255_356.0, 1),
        _bar("engine generate", "engine", MODEL, 250_255.5, 255_355.9, 2),
    ]
    for index in range(6):
        phase = "high noise" if index < 3 else "low noise"
        start_ms = 250_260.0 + 820 * index
        label = f"{index + 1} of 6, {phase}"
        bars.append(_bar("denoise step", "step", label, start_ms, start_ms + 805.2, 3))
    return [
        *bars,
        _bar("stage encode", "stage", "", 255_356.1, 257_696.0, 1),
        _bar("stage output", "stage", "", 257_696.1, 257_757.5, 1),
    ]


def _bar(
    name: str, kind: str, label: str, start_ms: float, end_ms: float, depth: int, ended: str = "ok"
) -> BarFound:
    return BarFound(
        name=name,
        kind=kind,
        label=label,
        start_ms=start_ms,
        end_ms=end_ms,
        depth=depth,
        ended=ended,
    )


def _around() -> list[MomentFound]:
    told = [
        (557_012, "end", "loop iteration (32 of 32, video_prompt_type): ok after 380 µs"),
        (557_090, "log", "worker.params.resolve: 32 of 32 parameters resolved"),
        (560_804, "begin", "engine model_def"),
        (561_204, "failure", f"AttributeError: {MESSAGE} (raised at {ENGINE}:3907)"),
        (561_240, "end", "engine model_def: failed after 436 µs"),
        (583_400, "queue", "failed status Failed"),
    ]
    return [
        MomentFound(
            at=f"2026-02-24T14:31:53.{us:06}Z",
            offset_ms=(us - 561_204) / 1000,
            kind=kind,
            text=text,
            process="" if kind in {"failure", "queue"} else "task",
        )
        for us, kind, text in told
    ]


def huge() -> Investigation:
    """Return the incident with far too many of everything that may be many."""
    whole = incident()
    assert whole.failure is not None
    many = 3000
    frame = msgspec.structs.replace(whole.failure.frames[-1], locals=_many_locals())
    frames = [msgspec.structs.replace(frame, line=number) for number in range(many)]
    frames.append(frame)
    exception = whole.failure.chain[0]
    failure = msgspec.structs.replace(
        whole.failure,
        frames=frames,
        chain=[exception, *[msgspec.structs.replace(exception, relation="cause")] * many],
        values=whole.failure.values * many,
        last_words=["x" * 500] * many,
    )
    record = msgspec.structs.replace(
        whole.completeness,
        gaps=[GapFound(process="task", first=n, last=n) for n in range(many)],
        unknown=["who sent it"] * many,
    )
    return msgspec.structs.replace(
        whole,
        failure=failure,
        completeness=record,
        stages=whole.stages * many,
        params=whole.params * 100,
        hypotheses=whole.hypotheses * 100,
        relatives=whole.relatives * 100,
        same_failure=whole.same_failure * many,
        tasks=whole.tasks * 100,
        against_previous=whole.against_previous * many,
        next_steps=whole.next_steps * many,
        timeline=msgspec.structs.replace(whole.timeline, around=whole.timeline.around * many),
        model=msgspec.structs.replace(
            whole.model, loras=whole.model.loras * many, phase_config=_many_locals()
        ),
    )


def _many_locals() -> dict[str, Any]:
    return {f"local_{number}": "value " * 60 for number in range(600)}
