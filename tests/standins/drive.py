"""Calls a checkout as a program of its own would, in the checkout's interpreter: for the tests.

The command line has the checkout's root, the calls to make (JSON: for each its "settings", its
"fault" and "pictures" if any, and whether to "cancel" it after a step), and the file into which it
writes as JSON what came of each. It knows nothing of this repository. Python's tracing tells it
which marked lines were come by.
"""

import faulthandler
import inspect
import json
import signal
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any, TypeAlias

_NUMBERS = ("prompt_no", "prompts_max", "repeat_no", "total_generation", "window_no")
_LISTS = ("file_list", "file_settings_list", "audio_file_list", "audio_file_settings_list")
Calls: TypeAlias = Generator[dict[str, Any], dict[str, Any], None]


def main() -> None:
    """Do what the command line says; write every thread's stack at SIGUSR1."""
    faulthandler.register(signal.SIGUSR1)
    root, calls, answer = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
    sys.argv, sys.path[0] = ["wgp.py"], str(root)
    driver = _by_session if (root / "shared" / "api.py").exists() else _by_function
    marked = _Marked(root)
    told = driver(root)
    next(told)
    came = []
    for call in calls:
        (root / "fault").write_text(call.get("fault", ""))
        for name, path in call.get("pictures", {}).items():
            call["settings"][name] = _picture(path)
        with marked:
            came.append(told.send(call))
        came[-1].update(marks=sorted(marked.met), process=_process())
    answer.write_text(json.dumps(came))


def _picture(path: str) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return image.copy()


def _process() -> dict[str, Any]:
    """Say what an engine may have changed of its process."""
    return {
        "directory": str(Path.cwd()),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "ignored": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "stdout": sys.stdout is sys.__stdout__,
        "strength": sys.modules["wgp"].primary_settings["denoising_strength"],
        "save_path": sys.modules["wgp"].server_config["save_path"],
    }


class _Marked:
    """Notes in `met` the faults whose lines are come by in a `with` block, in any thread."""

    def __init__(self, root: Path) -> None:
        self.met: set[str] = set()
        self._marks: dict[str, dict[int, str]] = {
            str(path): {
                number: line.partition("# fault: ")[2]
                for number, line in enumerate(path.read_text().splitlines(), start=1)
                if "# fault: " in line
            }
            for path in root.rglob("*.py")
        }

    def __enter__(self) -> None:
        self.met = set()
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]  # it takes None, whatever its type says

    def _trace(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        marks = self._marks.get(frame.f_code.co_filename)
        if marks and frame.f_lineno in marks:
            self.met.add(marks[frame.f_lineno])
        return self._trace if marks else None


def _places(exc: BaseException | None, root: Path) -> list[list[Any]]:
    """Name the innermost lines in the checkout of an exception, and of those it came from."""
    if exc is None:
        return []
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(exc.__traceback__)]
    inner = [list(place) for place in frames if place[0].startswith(str(root))][-1:]
    return inner + _places(exc.__cause__ or exc.__context__, root)


def _by_function(root: Path) -> Calls:
    """Take a call, call the entry of wgp.py, give what came of it; over and over."""
    import wgp

    entry = getattr(wgp, "generate_media", None) or wgp.generate_video
    state = {"gen": _gen()}
    call = yield {}
    while True:
        heard: list[Any] = []
        files = len(state["gen"]["file_list"])
        came: dict[str, Any] = {"heard": heard, "places": []}

        def send_cmd(command: str, data: Any = None, call: Any = call, came: Any = came) -> None:
            exc = sys.exc_info()[1]
            came["heard"].append([command, data, type(exc).__name__ if exc else ""])
            came["places"] += _places(exc, root)
            if call.get("cancel") and command == "progress" and data[0]:
                state["gen"]["abort"] = wgp.wan_model._interrupt = True

        try:
            given = _given(wgp, entry, call["settings"])
            given.update(task={"id": 0}, send_cmd=send_cmd, state=state, mode="generate")
            came["returned"] = entry(**given)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - a test looks at whatever it is
            came["raised"] = [type(exc).__name__, str(exc)]
            came["places"] = _places(exc, root)
        call = yield {**came, "files": state["gen"]["file_list"][files:]}


def _given(wgp: Any, entry: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Give every parameter a value; None where nobody says one."""
    defaults = wgp.get_default_settings(settings["model_type"])
    known = {**wgp.primary_settings, **defaults, **settings}
    return {name: known.get(name) for name in inspect.signature(entry).parameters}


def _gen() -> dict[str, Any]:
    return {
        **{name: [] for name in (*_LISTS, "queue")},
        **dict.fromkeys((*_NUMBERS, "total_windows"), 1),
        "selected": 0,
        "progress_status": "1/1",
        "process_status": "process:main",
    }


class _Callbacks:
    """Notes what a session tells, and in which thread."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.stepped = threading.Event()

    def on_progress(self, update: Any) -> None:
        """Note it, and that a step is done."""
        self._note("on_progress", update)
        if update.current_step:
            self.stepped.set()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda data: self._note(name, data)

    def _note(self, name: str, data: Any) -> None:
        thread = threading.current_thread().name
        self.heard.append([name, str(data), thread, sys.stdout is sys.__stdout__])


def _by_session(root: Path) -> Calls:
    """Take a call, submit it as a task, give what came of it; over and over."""
    from shared import api

    session = api.init(root=root, config_path=root / "wgp_config.json")
    call = yield {}
    while True:
        callbacks = _Callbacks()
        job = session.submit_task(call["settings"], callbacks)
        if call.get("cancel"):
            callbacks.stepped.wait(60)
            job.cancel()
        result = job.result(timeout=60)
        call = yield {
            "heard": callbacks.heard,
            "success": result.success,
            "errors": [[error.message, error.stage] for error in result.errors],
            "files": result.generated_files,
        }


if __name__ == "__main__":
    main()
