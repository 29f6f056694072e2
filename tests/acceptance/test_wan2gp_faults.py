"""Whatever goes wrong in a checkout, an investigation names its line, of both generations.

One worker a generation meets one fault after the other; with `-s`, the table of them is printed.
"""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from tests.acceptance.known_faults import KNOWN, SILENT, How, known_of
from tests.acceptance.wan2gp_home import Driven, driven
from tests.standins.checkouts import Kind
from tests.standins.faults import FAULTS
from worker.cli import exit_code_of
from worker.task import TaskStatus

pytestmark = pytest.mark.timeout(900)

IN_THE_SENTENCE: Final = {
    "written at": "written at",
    "stands at": "stands at",
}
HANG_S: Final = 8
OPTIONS: Final = ("--set", "max_deaths=1", "--set", f"hang_after_s=generate={HANG_S}")
# The other generation of functions differs in its entry alone.
FEW: Final = ("none-at-frames", "in-callback", "printed")
OF_KIND: Final[dict[Kind, tuple[str, ...]]] = {
    "functions": tuple(KNOWN),
    "session": tuple(KNOWN),
    "media_functions": FEW,
}
CELLS: Final = [(kind, fault) for kind, faults in OF_KIND.items() for fault in faults]


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A fault that a task has met, and what its investigation says.

    Attributes:
        driving: The home that it was met in.
        line: That must be named.
        row_line: That the row must name.
        found: As JSON.
        told: As a person reads it.
        row: Of the queue, as the command shows it.
    """

    driving: Driven
    line: str
    row_line: str
    found: dict[str, Any]
    told: str
    row: dict[str, Any]

    @property
    def failure(self) -> dict[str, Any]:
        """Return what failed."""
        failure: dict[str, Any] = self.found["failure"]
        return failure

    def named(self, how: How) -> str:
        """Return the line that is named as what is known in this way; "" where none is."""
        if how == "replayed":
            seen = (self.found["replayed"] or {"says": ""})["says"]
            words = (f"{known} {self.line} in" for known in ("raised at", "came back by"))
            return self.line if any(each in seen for each in words) else ""
        if how in IN_THE_SENTENCE:
            words = f"{IN_THE_SENTENCE[how]} {self.line}"
            return self.line if words in self.failure["message"] else ""
        behind = self.failure["caused_by"] or {"place": ""}
        places = {
            self.failure["place"]: self.failure["location"],
            behind["place"].replace("raised at", "caused by"): behind,
            "called at": self.failure["own"],
            "in its chain": self.failure["chain"][-1]["frames"][-1:],
        }
        place = places.get(how)
        return line_of(place[0] if isinstance(place, list) else place) if place else ""


def line_of(place: dict[str, Any]) -> str:
    """Return a place as people are told it."""
    return f"{place['file']}:{place['line']}"


@pytest.fixture(scope="module")
def met(
    tmp_path_factory: pytest.TempPathFactory, standin_python: Path
) -> Iterator[dict[tuple[Kind, str], Met]]:
    """Have all faults of all generations met, each generation by a worker of its own."""
    with ExitStack() as stack, ThreadPoolExecutor(len(OF_KIND)) as pool:
        homes = {
            kind: stack.enter_context(driven(kind, tmp_path_factory.mktemp(kind), standin_python))
            for kind in OF_KIND
        }
        running = {kind: pool.submit(meet, homes[kind], faults) for kind, faults in OF_KIND.items()}
        found = {
            (kind, fault): one
            for kind, ids in running.items()
            for fault, one in look_into(homes[kind], ids.result()).items()
        }
        print_table(found)
        yield found


def meet(driving: Driven, faults: tuple[str, ...]) -> dict[str, UUID]:
    """Have a worker meet these faults, one a task, and then do one that is well.

    Those of which nobody says a word are replayed.
    """
    worker = driving.worker(*OPTIONS)
    ids = {}
    for fault in faults:
        task = driving.settled(worker, driving.video(KNOWN[fault].model), fault)
        assert task.status is TaskStatus.FAILED, (fault, task)
        ids[fault] = task.id
    well = driving.settled(worker, driving.video())
    assert well.status is TaskStatus.COMPLETE, well
    assert worker.end() == 0
    for fault in set(SILENT) & set(faults):
        driving.checkout.break_with(fault)
        done = driving.home.run("replay", str(ids[fault]))
        assert done.returncode == 0, done.stdout + done.stderr
    driving.checkout.mend()
    return ids


def look_into(driving: Driven, ids: dict[str, UUID]) -> dict[str, Met]:
    """Investigate each of these tasks."""
    rows = {row["id"]: row for row in json.loads(said_by(driving, "tasks", "--json"))}
    return {
        fault: Met(
            driving=driving,
            line=marked(driving, KNOWN[fault].at or fault),
            row_line=marked(driving, KNOWN[fault].row or KNOWN[fault].at or fault),
            found=json.loads(said_by(driving, "investigate", str(task_id), "--json")),
            told=said_by(driving, "investigate", str(task_id)),
            row=rows[str(task_id)],
        )
        for fault, task_id in ids.items()
    }


def said_by(driving: Driven, *command: str) -> str:
    """Return what a command of loop26 prints; it runs in here, for a process takes a second."""
    with redirect_stdout(io.StringIO()) as output:
        assert exit_code_of(["--home", str(driving.home.path), *command]) == 0
    return output.getvalue()


def marked(driving: Driven, at: str | tuple[str, str]) -> str:
    """Return the line that has a mark, or that of a file that has a text."""
    marks = driving.checkout
    return ":".join(map(str, marks.line_of(at) if isinstance(at, str) else driving.line_with(*at)))


def print_table(found: dict[tuple[Kind, str], Met]) -> None:
    """Print a line for each fault: seen with `-s`."""
    print(f"\n{'fault':22} {'kind':15} {'type':22} {'line named':42} how")
    for (kind, fault), one in found.items():
        known = known_of(kind, fault)
        type_ = one.failure["type"].rpartition(".")[2]
        right = "" if one.named(known.how) == one.line else "  WRONG"
        line = one.named(known.how).rpartition("checkout/")[2] or "none"
        how = f"{known.how} {known.cause}".strip()
        print(f"{fault:22} {kind:15} {type_:22} {line:42} {how}{right}")


@pytest.mark.parametrize(("kind", "fault"), CELLS)
def test_its_line_is_named(met: dict[tuple[Kind, str], Met], kind: Kind, fault: str) -> None:
    """As the failure's own, or as that of what is behind it, to programs and to people."""
    one, known = met[kind, fault], known_of(kind, fault)
    assert one.failure["type"] == known.type
    assert one.named(known.how) == one.line
    assert one.failure["stage"] == known.stage
    assert one.line in one.told
    assert (one.failure["caused_by"] or {}).get("type", "") == known.cause


@pytest.mark.parametrize(("kind", "fault"), CELLS)
def test_its_row_says_it_in_a_sentence(
    met: dict[tuple[Kind, str], Met], kind: Kind, fault: str
) -> None:
    """With a line: what something was raised from, and what a replay has seen, is not on it."""
    one = met[kind, fault]
    said, error = one.row["error_message"], one.row["error"]
    assert one.row_line.rpartition("/")[2] in said
    assert error["type"] == one.failure["type"]
    assert error["stage"] == one.failure["stage"]


@pytest.mark.parametrize("kind", OF_KIND)
def test_the_command_says_the_same(met: dict[tuple[Kind, str], Met], kind: Kind) -> None:
    """As a program of its own, in a process of its own."""
    one = met[kind, FEW[0]]
    done = one.driving.home.run("investigate", one.row["id"])
    assert (done.returncode, done.stdout) == (0, one.told)


def test_every_fault_of_a_checkout_is_met() -> None:
    """Here; or, where nothing fails by it or no task is begun, in test_wan2gp.py."""
    elsewhere = {
        name for name, one in FAULTS.items() if one.ends in ("leaves", "slow", "at-import")
    } | {"ignores-cancel"}
    assert set(KNOWN) | elsewhere == set(FAULTS)
