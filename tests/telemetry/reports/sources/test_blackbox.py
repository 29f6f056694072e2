"""Black boxes: one file holds a case whole, or says in a line why it cannot be read."""

import os
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from telemetry import errors, names, records
from telemetry.records import ExceptionFacts, Frame
from telemetry.reports.case import Case, QueueEvent, TaskRow
from telemetry.reports.company import SameFailureFound
from telemetry.reports.findings import LinksFound
from telemetry.reports.sources import blackbox
from telemetry.reports.sources.cuts import repeated_spans
from telemetry.reports.sources.msgpack_size import count_values
from telemetry.reports.trace import TraceModel, read_trace

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
WRITTEN_NS = 1_770_000_000_123_456_000
CHAIN = [
    ExceptionFacts(
        type="AttributeError",
        module="builtins",
        message="'NoneType' object has no attribute 'get'",
        frames=[
            Frame(
                file="/engine/wgp.py",
                line=3907,
                function="get_model_min_frames_and_step",
                source=["return model_def.get('frames_minimum', 17)"],
                source_first_line=3907,
                locals={"model_type": "", "model_def": None, "sizes": [1, 2.5, {"a": True}]},
            )
        ],
    )
]


@pytest.fixture
def case(script: Any, spool: Path) -> Case:
    """Make the case of a task that failed right after its parameter loop."""
    script.task(TASK, seed=26, lora=["a", None])
    script.begin("process travel_segment", 0, **{"loop26.task.id": TASK})
    script.begin("stage parameters", 1)
    for index in range(1, 4):
        script.span("loop iteration", index, index + 1, loop26__loop__index=index)
    script.log("Getting old value for 'guidance_phases'", 4)
    script.error(task_id=TASK, chain=CHAIN)
    script.end(5, status=2)
    model = read_trace(spool, TASK)
    assert model is not None
    return a_case(model)


def a_case(model: TraceModel | None, **changes: Any) -> Case:
    """Make a case with everything in it."""
    row = TaskRow(
        id=TASK, type="travel_segment", status="Failed", params={"seed": 26, "none": None}
    )
    facts: dict[str, Any] = {
        "asked": TASK,
        "task": row,
        "model": model,
        "source": "the journals in /var/spool",
        "links": LinksFound(trace_id="0" * 32, sentry_event_id="e" * 32),
        "unknown": ["Nobody knows why."],
        "events": [QueueEvent(at_ns=5, name="failed", data={"worker": "gpu-1"})],
        "relatives": [TaskRow(id="other", type="travel_stitch", status="Failed", params={"a": 1})],
        "same": [SameFailureFound(task="before", attempt=1, worker="gpu-0", when="")],
        "good": (row, model),
        "previous": (row, None),
        "replay": f"loop26 replay {TASK}",
    }
    return Case(**{**facts, **changes})


@pytest.fixture
def box(case: Case, tmp_path: Path) -> Path:
    """Write a black box."""
    path = tmp_path / f"task{blackbox.SUFFIX}"
    blackbox.write(case, path, written_ns=WRITTEN_NS)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write the black box of a task of which nothing was recorded."""
    path = tmp_path / f"small{blackbox.SUFFIX}"
    blackbox.write(a_case(None, events=[], same=[], relatives=[]), path)
    return path


def sealed(path: Path, raw: bytes, version: int = blackbox.VERSION) -> Path:
    """Write a file that is sealed as a black box is, whatever it holds."""
    body = zlib.compress(raw)
    digest = blackbox._digest(version, body)
    path.write_bytes(struct.pack(">8sHI32s", blackbox.MAGIC, version, len(body), digest) + body)
    return path


def refused(path: Path) -> str:
    """Return the one line that says why a file cannot be read."""
    with pytest.raises(errors.BlackBoxError) as refusal:
        blackbox.read(path)
    said = str(refusal.value)
    assert said.startswith("black box ")
    assert "\n" not in said
    return said


def test_a_case_comes_back_whole(case: Case, box: Path) -> None:
    """Every span, log, error, local and row: only what is another task's is left out."""
    found = blackbox.read(box)
    expected = replace(
        case, source=found.source, unknown=found.unknown, good=None, previous=None, replay=""
    )
    assert found == expected
    assert found.model is not None
    assert found.model.errors[0].chain[0].frames[0].locals["model_def"] is None


def test_it_says_what_it_is_and_when_it_was_written(box: Path) -> None:
    """And where its record had come from."""
    source = blackbox.read(box).source
    assert source == (
        f"the black box {box}, written 2026-02-02T02:40:00.123456Z from the journals in /var/spool"
    )


def test_it_says_what_it_cannot_know(box: Path) -> None:
    """After what its own source could not."""
    unknown = blackbox.read(box).unknown
    assert unknown == ["Nobody knows why.", *blackbox.UNKNOWN]


def test_it_is_read_without_queue_or_spool(case: Case, box: Path, tmp_path: Path) -> None:
    """By another process, after all else is gone."""
    alone = tmp_path / "elsewhere" / "copied"
    alone.parent.mkdir()
    box.rename(alone)
    code = (
        "import sys; from pathlib import Path; from telemetry.reports.sources import blackbox; "
        "print(len(blackbox.read(Path(sys.argv[1])).model.spans))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, alone], capture_output=True, text=True, check=True
    )
    assert case.model is not None
    assert int(done.stdout) == len(case.model.spans)


def test_it_is_for_its_owner_alone(box: Path) -> None:
    """It holds parameters and locals."""
    assert stat.S_IMODE(box.stat().st_mode) == 0o600


def test_it_replaces_what_was_there_and_leaves_nothing_else(case: Case, box: Path) -> None:
    """Written under another name first."""
    blackbox.write(case, box, written_ns=WRITTEN_NS + 10**9)
    assert "02:40:01.123456Z" in blackbox.read(box).source
    assert [path.name for path in box.parent.glob("*blackbox*")] == [box.name]


def test_one_that_cannot_be_written_leaves_nothing(case: Case, tmp_path: Path) -> None:
    """Where its name is a folder's."""
    path = tmp_path / "folder.blackbox"
    path.mkdir()
    with pytest.raises(OSError, match="folder"):
        blackbox.write(case, path)
    assert [one.name for one in tmp_path.glob("*blackbox*")] == [path.name]


def test_cut_anywhere_it_is_refused(small: Path) -> None:
    """After every byte."""
    whole = small.read_bytes()
    for size in range(len(whole)):
        small.write_bytes(whole[:size])
        assert "is damaged: it ends after" in refused(small)


def test_damaged_anywhere_it_is_refused(small: Path) -> None:
    """In every byte."""
    whole = bytearray(small.read_bytes())
    for at in range(len(whole)):
        damaged = whole.copy()
        damaged[at] ^= 0x41
        small.write_bytes(damaged)
        assert refused(small)


def test_what_stands_after_its_end_is_damage(box: Path) -> None:
    """A second one, as much as a byte."""
    box.write_bytes(box.read_bytes() + b"\0")
    assert "its checksum is not that of its bytes" in refused(box)


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    """With what this one reads, and the way out."""
    said = refused(sealed(tmp_path / "newer", b"anything", version=7))
    assert "has format version 7, and this loop26 reads versions up to 1; read it with" in said


def test_another_kind_of_file_is_none(tmp_path: Path) -> None:
    """Whatever it is."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    assert "is none: the file does not begin as one does" in refused(path)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Path.mkdir, "it is a folder"),
        (os.mkfifo, "it is no file"),
        (Path.exists, "No such file or directory"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
    ids=["folder", "pipe", "missing", "loop"],
)
def test_what_is_no_file_cannot_be_read(
    made: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    """And is not waited for."""
    made(tmp_path / "it")
    assert said in refused(tmp_path / "it")


def test_a_file_of_another_user_cannot_be_read(box: Path) -> None:
    """As root everything can be, so the test becomes nobody."""
    box.chmod(0)
    if os.geteuid():
        assert "Permission denied" in refused(box)
        return
    code = (
        "import os, sys; from pathlib import Path; from telemetry.reports.sources import blackbox; "
        "os.setuid(65534)\n"
        "try: blackbox.read(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, box], capture_output=True, text=True, check=True
    )
    assert "BlackBoxUnreadable" in done.stdout
    assert "Permission denied" in done.stdout


def test_a_path_with_a_nul_cannot_be_read() -> None:
    """Nor shown as it is."""
    assert "cannot be read" in refused(Path("a\0b\x1b[31m"))


DOCUMENTS: Final = [
    (None, 1),
    ([], 1),
    ([1, -1, 200, -200, 70_000, 2**40, -(2**40), 1.5, True], 10),
    ({"a": "b" * 40, "c" * 300: "d" * 70_000}, 5),
    ([b"x", b"y" * 300, b"z" * 70_000, msgspec.msgpack.Ext(1, b"1234"), list(range(20))], 26),
    (list(range(100_000)), 100_001),
    ({str(key): {} for key in range(70_000)}, 140_001),
    ([msgspec.msgpack.Ext(1, b"12345"), msgspec.msgpack.Ext(2, bytes(70_000)), None], 4),
]


@pytest.mark.parametrize(("document", "count"), DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_values_are_counted_as_they_would_be_made(document: Any, count: int) -> None:
    """Keys among them."""
    assert count_values(msgspec.msgpack.encode(document), 10**6) == count


@pytest.mark.parametrize(
    "raw",
    [bytes(2**27), b"\x80" * 2**23, b"\xa1x" * 2**23, b"\xdd\xff\xff\xff\xff" + b"\x90" * 2**22],
    ids=["zeros", "empty maps", "short texts", "a long list"],
)
def test_a_bomb_is_refused_before_it_goes_off(raw: bytes, tmp_path: Path) -> None:
    """Small in the file, absurd in memory: measured in a process that may have 400 MB."""
    path = sealed(tmp_path / "bomb", raw)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from telemetry.reports.sources import blackbox\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (400 * 2**20,) * 2)\n"
        "try: blackbox.read(Path(sys.argv[1]))\n"
        "except blackbox.BlackBoxTooLarge as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "is too large: it holds more than" in done.stdout


def holding(value: Any, case: Case, path: Path) -> Path:
    """Seal a case with any value among its parameters, as a stranger could."""
    row = msgspec.structs.replace(case.task, params={"value": value})
    content = blackbox._Content(written_ns=1, case=replace(case, task=row))
    return sealed(path, msgspec.msgpack.encode(content))


@pytest.mark.parametrize(
    "value",
    [{(1, 2): 3}, msgspec.msgpack.Ext(5, b"pickle")],
    ids=["key", "extension"],
)
def test_what_no_report_can_show_is_refused(value: Any, case: Case, tmp_path: Path) -> None:
    """A stranger may have put it in."""
    assert "it holds no case" in refused(holding(value, case, tmp_path / "hostile"))


@pytest.mark.parametrize("depth", [90, 900])
def test_what_is_nested_without_end_is_damage(depth: int, case: Case, tmp_path: Path) -> None:
    """No recorder writes it, and whoever walks through it might not come back."""
    value: Any = "[\\"
    for number in range(depth):
        value = [value] if number % 2 else {"]": value}
    assert "nested more than 64 deep" in refused(holding(value, case, tmp_path / "hostile"))


def test_many_brackets_in_a_text_are_not_nested(case: Case, tmp_path: Path) -> None:
    """Nor are many lists beside one another."""
    value = ["[" * 999 + '\\"{', [[]] * 999]
    found = blackbox.read(holding(value, case, tmp_path / "odd"))
    assert found.task.params == {"value": value}


def test_of_a_strangers_row_what_is_not_of_its_form_is_left_out(case: Case, tmp_path: Path) -> None:
    """Also of a relative's."""
    odd = {"error": {"line": "x", "last_words": [1, "a"], "record": 5}, "span_id": "zz"}
    built = msgspec.to_builtins(blackbox._Content(written_ns=1, case=case), builtin_types=(bytes,))
    built["case"]["task"] |= odd
    built["case"]["relatives"][0] |= odd
    found = blackbox.read(sealed(tmp_path / "hostile", msgspec.msgpack.encode(built)))
    for row in (found.task, *found.relatives):
        assert (row.error, row.span_id) == ({"last_words": ["a"]}, "")


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xfe",
        2**64 - 1,
        "\x1b]0;title\x07</script><script>alert(1)</script>",
        "../../../../etc/passwd",
    ],
    ids=["bytes", "number", "script", "path"],
)
def test_what_a_stranger_has_put_in_is_a_value(value: Any, case: Case, tmp_path: Path) -> None:
    """As it is: nothing is done with it."""
    assert blackbox.read(holding(value, case, tmp_path / "hostile")).task.params == {"value": value}


@pytest.mark.parametrize(
    "raw",
    [b"\xc0", b"\x91" * 5000, msgspec.msgpack.encode({"written_ns": 1, "case": {}}), b"\xc1"],
    ids=["nothing", "deep", "empty", "no MessagePack"],
)
def test_what_holds_no_case_is_damaged(raw: bytes, tmp_path: Path) -> None:
    """Though its checksum is right."""
    assert "it holds no case" in refused(sealed(tmp_path / "hostile", raw))


@pytest.mark.parametrize("at_ns", [-1, 2**63])
def test_a_time_that_is_none_is_damage(at_ns: int, case: Case, tmp_path: Path) -> None:
    """No calendar has it."""
    events = [QueueEvent(at_ns=at_ns, name="failed")]
    content = blackbox._Content(written_ns=1, case=replace(case, events=events))
    path = sealed(tmp_path / "hostile", msgspec.msgpack.encode(content))
    assert "times that are none" in refused(path)


def test_the_command_of_a_stranger_is_not_offered(box: Path) -> None:
    """Somebody would run it."""
    assert blackbox.read(box).replay == ""


def test_what_no_record_could_hold_is_written_as_text(tmp_path: Path) -> None:
    """A row's JSON may have half a surrogate pair, and numbers of any length."""
    row = TaskRow(
        id=TASK,
        type="t",
        status="Failed",
        params={"half": "\ud83d", "\udc00": 2**70, "o": [object()]},
    )
    path = tmp_path / "odd.blackbox"
    blackbox.write(a_case(None, task=row), path)
    found = blackbox.read(path).task.params
    assert found == {"half": "\\ud83d", "\\udc00": str(2**70), "o": ["<object>"]}


def test_an_old_one_is_read_when_fields_were_added(case: Case, tmp_path: Path) -> None:
    """It lacks what has a default now: it is written here without all that has one."""

    def older(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: older(item) for key, item in value.items() if item not in ([], {}, "")}
        return [older(item) for item in value] if isinstance(value, list) else value

    content = blackbox._Content(written_ns=1, case=replace(case, good=None, previous=None))
    built = msgspec.to_builtins(content, builtin_types=(bytes,))
    built["case"]["task"] = older(built["case"]["task"])
    for name in ("replayed", "good", "previous", "replay", "same"):
        del built["case"][name]
    for part in built["case"]["model"]["processes"]:
        part["errors"] = [older(error) | {"stage": ""} for error in part["errors"]]
        part["tasks"] = [[begin[:6], end] for begin, end in part["tasks"]]
    found = blackbox.read(sealed(tmp_path / "old", msgspec.msgpack.encode(built)))
    assert found.task == case.task
    assert found.same == []
    assert found.model is not None
    assert found.model.task_ids == [TASK]


def test_one_with_fields_of_later_is_read(case: Case, tmp_path: Path) -> None:
    """What they mean is not known, and they are passed over."""
    content = blackbox._Content(written_ns=1, case=case)
    built = msgspec.to_builtins(content, builtin_types=(bytes,)) | {"later": 1}
    built["case"] |= {"later": [1, 2]}
    built["case"]["task"] |= {"later": {"a": 1}}
    for part in built["case"]["model"]["processes"]:
        part["later"] = True
        part["logs"] = [[*log, "later"] for log in part["logs"]]
        part["spans"] = [span | {"later": None} for span in part["spans"]]
    found = blackbox.read(sealed(tmp_path / "later", msgspec.msgpack.encode(built)))
    assert found.task == case.task
    assert found.model == case.model


def test_of_a_huge_case_logs_are_cut_first(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest; it says how many, and all else is there."""
    monkeypatch.setattr(blackbox, "MOST_BYTES", 400_000)
    model = with_logs(case, 3000)
    path = tmp_path / "huge.blackbox"
    blackbox.write(replace(case, model=model), path)
    found = blackbox.read(path)
    assert found.model is not None
    assert len(found.model.logs) == 2000
    assert found.model.logs[-1] == model.logs[-1]
    assert (found.model.spans, found.model.errors) == (model.spans, model.errors)
    assert "1,000 log records, the oldest, were left out, for its size." in found.unknown


def test_what_it_failed_by_is_kept_to_the_last(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all that may be cut is cut."""
    monkeypatch.setattr(blackbox, "MOST_BYTES", 5_000)
    path = tmp_path / "huge.blackbox"
    relatives = [msgspec.structs.replace(case.relatives[0], params={"prompt": "x" * 5000})]
    blackbox.write(replace(case, model=with_logs(case, 100), relatives=relatives), path)
    found = blackbox.read(path)
    assert found.model is not None
    assert case.model is not None
    assert found.model.errors == case.model.errors
    assert [row.id for row in found.relatives] == ["other"]
    assert found.relatives[0].params == {}


def test_where_nothing_more_can_be_cut_none_is_written(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be read."""
    monkeypatch.setattr(blackbox, "MOST_BYTES", 100)
    with pytest.raises(errors.BlackBoxTooLarge, match="with everything cut that may be"):
        blackbox.write(case, tmp_path / "huge.blackbox")
    assert list(tmp_path.glob("*blackbox*")) == []


def test_of_very_many_steps_the_times_are_kept(case: Case) -> None:
    """What counts them, too: a report says how many there were."""
    assert case.model is not None
    (part,) = case.model.processes
    step = replace(
        part.spans[-1],
        name=names.DENOISE_STEP,
        attributes={names.STEP_INDEX: 1, names.STEP_COUNT: 900, names.STEP_GUIDANCE: 5.0},
    )
    spans = [replace(step, span_id=n.to_bytes(8, "big"), start_ns=n) for n in range(100, 1000)]
    model = replace(case.model, processes=(replace(part, spans=tuple(spans)),))
    smaller, said = repeated_spans(replace(case, model=model))
    assert smaller.model is not None
    attributes = [span.attributes for span in smaller.model.spans]
    assert attributes[0] == {names.STEP_INDEX: 1, names.STEP_COUNT: 900}
    assert attributes[-1] == step.attributes
    assert len(attributes) == 900
    assert said == "Of 400 older iterations and steps it has the times alone, for its size."


def with_logs(case: Case, count: int) -> TraceModel:
    """Return a case's record with so many logs."""
    assert case.model is not None
    (part,) = case.model.processes
    logs = tuple(
        records.Log(
            at_ns=number,
            severity=9,
            logger="worker",
            message=f"{number}: {os.urandom(60).hex()}",
            trace_id=None,
            span_id=None,
            attributes={},
        )
        for number in range(count)
    )
    return replace(case.model, processes=(replace(part, logs=logs),))
