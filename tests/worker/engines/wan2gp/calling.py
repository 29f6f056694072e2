"""Calls a stand-in checkout by one of its APIs, in a process of its own: it is one in a process.

Given the checkout's root, the API ("functions" or "session"), the calls as JSON, and a file, to
which it writes what came of each. A call may have "fault", "params", "cancel_at" (of the checks)
and "leave".
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

from PIL import Image

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.records import Kind
from telemetry.spans import Folder
from tests.worker.engines.wan2gp.conftest import REQUEST, TRACE, asking
from tests.worker.engines.wan2gp.test_listener import Watching
from worker.engines.base import Inputs
from worker.engines.wan2gp.api import Api, Said
from worker.engines.wan2gp.arguments import arguments_of, in_its_terms
from worker.engines.wan2gp.checkout import Checkout
from worker.engines.wan2gp.functions import ModuleFunctions, fresh_state, interrupt
from worker.engines.wan2gp.habits import contained
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.session import OfficialSession, official
from worker.engines.wan2gp.steps import StepSpans
from worker.engines.wan2gp.streams import logged_output


def main(root: Path, api: str, calls: list[dict[str, Any]], answer: Path) -> None:
    """Make the calls."""
    recorder = Recorder.open(root.parent / "spool", role="task")
    recorder.install()
    checkout = Checkout(root=root, config=None, args=(), outputs=root.parent / "videos")
    shared = official(checkout) if api == "session" else None
    opened: Api = OfficialSession(checkout, shared) if shared else ModuleFunctions(checkout)
    streams = sys.stdout, sys.stderr
    came = []
    for number, call in enumerate(calls):
        (root / "fault").write_text(call.get("fault", ""))
        task = recorder.task(
            task_id=str(number), attempt=1, task_type="t2v", trace_id=TRACE, worker_id="w"
        )
        with task, recorder.span("process", trace_id=TRACE), recorder.stage("generate"):
            came.append(called(opened, checkout, call))
        came[-1]["streams"] = (sys.stdout, sys.stderr) == streams
    recorder.close()
    about = {
        "name": opened.name,
        "entry": opened.entry.name,
        "taken": len(opened.entry.taken),
        "state": sorted(fresh_state("lake")["gen"]),
        "config": opened.module.server_config["save_path"],
    }
    answer.write_text(json.dumps({"calls": came, "about": about, **recorded(recorder)}))


def called(opened: Api, checkout: Checkout, call: dict[str, Any]) -> dict[str, Any]:
    """Make one call, as the engine does."""
    observer = Watching(call.get("cancel_at"))
    if call.get("leave") == "abort":
        interrupt(opened.module)
    leftover = opened.leftover_abort()
    picture = Image.new("RGB", (64, 48), (200, 30, 30))
    arguments = arguments_of(
        asking(flow_shift=5.0, guidance_scale=3.0, **call.get("params", {})),
        entry=opened.entry,
        primary=opened.module.primary_settings,
        terms=in_its_terms(REQUEST, Inputs(start_image=picture), loras=(), model_fps=16.0),
        unknown="pass",
        ours=opened.ours,
    )
    with contained(checkout.root, argv=checkout.argv) as left, logged_output():
        said = opened.generate(
            arguments,
            lambda abort: Listener(observer, StepSpans(REQUEST), abort, root=checkout.root),
        )
    return {"leftover": leftover, "steps": observer.steps, "left": left.texts, **told(said)}


def told(said: Said) -> dict[str, Any]:
    """Say what came of it."""
    listener = said.listener
    reports = listener.reported if listener is not None else ()
    return {
        "files": [Path(file).is_file() for file in said.files],
        "escaped": said.escaped and type(said.escaped).__name__,
        "failed": said.failed,
        "stage": said.stage,
        "heard": listener is not None,
        "reported": [[one.text, one.exception and type(one.exception).__name__] for one in reports],
        "cancelled": listener is not None and listener.cancelled is not None,
        "threads": [one.name for one in threading.enumerate()],
    }


def recorded(recorder: Recorder) -> dict[str, Any]:
    """Say what is in the record."""
    folder = Folder()
    read = list(JournalReader(recorder.writer.directory).read())
    spans = [span for record in read for span in folder.feed(record)]
    logs = [record.body for record in read if record.kind is Kind.LOG]
    return {
        "spans": [span.name for span in spans if span.name == names.DENOISE_STEP],
        "printed": [one.message for one in logs if one.logger == "wan2gp.stdout"],
        "traces": sorted({one.trace_id.hex() for one in logs if one.trace_id is not None}),
        "errors": [
            [record.body.type, record.body.stage, record.body.task_id]
            for record in read
            if record.kind is Kind.ERROR
        ],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), Path(sys.argv[4]))
