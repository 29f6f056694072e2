"""Task files: what is read from them, and the one line that a bad one is refused with."""

import io
import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from worker.cli.payload import read_tasks
from worker.errors import InputError, InvalidTask

A, B = uuid4(), uuid4()


def written(folder: Path, text: str) -> str:
    """Write a task file; return its path."""
    path = folder / "tasks.json"
    path.write_text(text)
    return str(path)


def refusal(folder: Path, text: str) -> str:
    """Read a file that must be refused in one line that names it; return the line."""
    source = written(folder, text)
    with pytest.raises(InvalidTask) as caught:
        read_tasks(source)
    message = str(caught.value)
    assert source in message
    assert "\n" not in message
    return message


def test_one_object_is_one_task(tmp_path: Path) -> None:
    """With every field that a task may have."""
    document = {
        "id": str(A),
        "task_type": "t2v",
        "params": {"prompt": "ä lake"},
        "dependant_on": [str(B)],
        "project_id": str(B),
        "idempotency_key": "once",
    }
    [(_, task)] = read_tasks(written(tmp_path, json.dumps(document)))
    assert (task.id, task.task_type, task.params) == (A, "t2v", {"prompt": "ä lake"})
    assert (task.dependant_on, task.project_id, task.idempotency_key) == ((B,), B, "once")


def test_a_task_without_an_id_gets_one(tmp_path: Path) -> None:
    """And each another."""
    document = '{"task_type": "t2v", "params": {}}'
    (_, first), (_, second) = read_tasks(written(tmp_path, f"[{document}, {document}]"))
    assert isinstance(first.id, UUID)
    assert first.id != second.id


def test_a_file_may_hold_one_task_a_line(tmp_path: Path) -> None:
    """Blank lines are passed over."""
    lines = "".join(f'{{"task_type": "t2v", "params": {{"n": {n}}}}}\n\n' for n in range(3))
    assert [task.params["n"] for _, task in read_tasks(written(tmp_path, lines))] == [0, 1, 2]


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """As other programs do."""
    data = io.BytesIO(b'{"task_type": "t2v", "params": {}}')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    assert read_tasks("-")[0][1].task_type == "t2v"


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "tasks.json"
    path.write_bytes(b'\xef\xbb\xbf{"task_type": "t2v", "params": {}}')
    assert len(read_tasks(str(path))) == 1


def test_a_single_dependency_may_be_a_text(tmp_path: Path) -> None:
    """Applications have long written it so."""
    document = {"task_type": "t2v", "params": {}, "dependant_on": str(A)}
    assert read_tasks(written(tmp_path, json.dumps(document)))[0][1].dependant_on == (A,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{oops}", ["is no JSON", "column 2", "{oops}"]),
        ('{"task_type": "t2v",\n "params": {]}', ["is no JSON", "line 2"]),
        ("", ["is no JSON"]),
        ("3", ["3", "a task is a JSON object"]),
        ('{"params": {}}', ["task_type = None", "is missing"]),
        ('{"task_type": "t2v"}', ["params = None", "is missing"]),
        ('{"task_type": 7, "params": {}}', ["task_type = 7", "must be a text"]),
        ('{"task_type": "t2v", "params": []}', ["params = []", "must be a JSON object"]),
        ('{"task_type": "t2v", "parms": {}}', ["parms", "did you mean 'params'?"]),
        ('{"task_type": "t2v", "params": {}, "id": "7"}', ["id = '7'", "must be a UUID"]),
        (
            '{"task_type": "t2v", "params": {}, "dependant_on": [1]}',
            ["dependant_on[0] = 1", "must be a UUID"],
        ),
        (
            '{"task_type": "t2v", "params": {}, "dependant_on": 1}',
            ["dependant_on = 1", "list of task ids"],
        ),
        (
            '{"task_type": "t2v", "params": {}, "idempotency_key": ""}',
            ["idempotency_key = ''", "not empty"],
        ),
        (
            '[{"task_type": "t2v", "params": {}}, {"task_type": "t2v"}]',
            ["task 2", "params = None: is missing"],
        ),
        (
            '{"task_type": "t2v", "params": {}}\n{"task_type": }\n',
            ["line 2", "is no JSON"],
        ),
    ],
)
def test_what_is_no_task_is_refused_by_name(tmp_path: Path, text: str, said: list[str]) -> None:
    """The file, the task in it, the field, the value, and what would be right."""
    message = refusal(tmp_path, text)
    for part in said:
        assert part in message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the path and the system's reason."""
    with pytest.raises(InputError, match=r"missing\.json.*No such file"):
        read_tasks(str(tmp_path / "missing.json"))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A picture given by mistake."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputError, match=r"picture\.png.*no text in UTF-8"):
        read_tasks(str(tmp_path / "picture.png"))


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    """Nothing to enqueue is a mistake somewhere before."""
    with pytest.raises(InputError, match="holds no task"):
        read_tasks(written(tmp_path, "[]"))
