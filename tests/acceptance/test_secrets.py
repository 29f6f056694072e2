"""Sixty secrets are planted wherever one may stand; not one is found in anything that leaves."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from telemetry.testing import OtlpReceiver, SentryReceiver
from tests.acceptance.home import Home, Worker, a_quick_task, wait_for
from tests.acceptance.planted import APART, SECRETS, Planted, apart, at_the_edges
from worker.task import TaskStatus

# What stands beside each secret, and must be found: that it was there is shown by this alone.
MARK = "planted-beside"
JSON = ("--json",)
OTLP_TOKEN = "q7Xo2PzV9sLrT4mKb8Wd"  # noqa: S105 - made up, as all of these
DSN_KEY = "c0ffee15900dc0ffee15900dc0ffee15"

# A library of others, which a task process calls when it has generated: it has secrets in its
# source, its variables, its messages and its output, and does what the file PLAN says.
LIBRARY_HEAD = '''\
"""Shadows imageio_ffmpeg."""

import importlib.util, json, logging, os, sys
from pathlib import Path

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "texts.json").read_text())
EDGES = json.loads((HERE / "edges.json").read_text())
APART = json.loads((HERE / "apart.json").read_text())


def get_ffmpeg_exe():
    plan = (HERE / "PLAN").read_text()
    if plan != "go" and "worker.process" in sys.orig_argv:
        say()
        if plan == "die":
            os.write(2, b"and the process ends\\n")
            os.abort()
        frame_0(plan)
    return real().get_ffmpeg_exe()


def real():
    path = next(p for p in sys.path if (Path(p) / "imageio_ffmpeg" / "__init__.py").exists())
    spec = importlib.util.spec_from_file_location(
        "imageio_ffmpeg", Path(path) / "imageio_ffmpeg" / "__init__.py",
        submodule_search_locations=[str(Path(path) / "imageio_ffmpeg")])
    sys.modules["imageio_ffmpeg"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def say():
    log = logging.getLogger("library")
    for number, text in enumerate(TEXTS):
        more = {"note": text, f"n{number}": [text]}
        log.warning("planted-beside %d %s", number, text, extra=more)
        log.info(f"planted-beside {number}: {text!r}")
        os.write(1, f"planted-beside {number} {text}\\n".encode())
        os.write(2, f"planted-beside {number} {text!r}\\n".encode())
    for text in EDGES:
        log.warning(text)
        os.write(1, f"{text}\\n".encode())
    log.warning("planted-beside %s", APART)
    try:
        raise RuntimeError("planted-beside " + TEXTS[0])
    except RuntimeError:
        log.exception("planted-beside %s", TEXTS[1])
'''
LIBRARY_FRAME = '''

def frame_{number}(plan):
    beside = "planted-beside {number}"
    literal = """{text}"""
    several = [literal, {{"note": literal, literal: 1}}, (literal,)]
    return frame_{next}(plan)
'''
LIBRARY_TAIL = """

def frame_{number}(plan):
    environment, arguments = dict(os.environ), [*sys.argv, *TEXTS]
    texts = [f"planted-beside {{n}} {{text}}" for n, text in enumerate(TEXTS)]
    edges, planted_apart, cause = list(EDGES), dict(APART), None
    for text in EDGES:
        try:
            raise LookupError(text)
        except LookupError:
            logging.getLogger("library").exception("planted-beside the edges")
    for first in range(0, len(texts), 10):
        try:
            raise ValueError("\\n".join(texts[first : first + 10])) from cause
        except ValueError as error:
            cause = error
    raise OSError(texts[0], *texts) from cause
"""


def library(folder: Path) -> Path:
    """Write the library; it does nothing yet."""
    folder.mkdir()
    frames = [
        LIBRARY_FRAME.format(number=number, next=number + 1, text=secret.text.replace('"', '\\"'))
        for number, secret in enumerate(SECRETS)
    ]
    source = LIBRARY_HEAD + "".join(frames) + LIBRARY_TAIL.format(number=len(SECRETS))
    (folder / "imageio_ffmpeg.py").write_text(source)
    (folder / "texts.json").write_text(json.dumps([secret.text for secret in SECRETS]))
    (folder / "edges.json").write_text(json.dumps(at_the_edges()))
    (folder / "apart.json").write_text(json.dumps(apart()))
    (folder / "PLAN").write_text("go")
    return folder


@pytest.fixture
def pictures(home: Home) -> Iterator[str]:
    """Serve the home's pictures; return the server's address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

    home.pictures(1)
    handler = partial(Quiet, directory=str(home.path / "pictures"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def signed(address: str, path: str) -> str:
    """Sign a URL with every secret that fits into one."""
    fits = [p for s in SECRETS for p in s.parts if p.replace("+", "").replace("/", "").isalnum()]
    query = "&".join(f"X-Amz-Signature={part}" for part in fits[:20] if part.isalnum())
    return f"{address}/{path}?{query}&token={fits[-1]}"


def a_task(prompt: str, **params: Any) -> dict[str, Any]:
    """Make a small task with the secrets in its parameters: values, keys, and lists in them."""
    task = a_quick_task()
    notes = {f"note_{number}": f"{MARK} {s.text}" for number, s in enumerate(SECRETS)}
    keys = {s.text: n for n, s in enumerate(SECRETS) if len(s.text) <= 200 and s.text.isprintable()}
    task["params"] |= {
        "prompt": f"{prompt} {MARK} {SECRETS[3].text}",
        "negative_prompt": f"{MARK} {SECRETS[15].text}",
        "api_key": SECRETS[0].parts[0],
        "headers": {"Authorization": SECRETS[15].text, "accessToken": SECRETS[1].parts[0]},
        "callback": {"deep": [{"list": [s.text for s in SECRETS]}], "keys": keys},
        **notes,
        **apart(),
        **{f"edge_{n}": text for n, text in enumerate(at_the_edges()) if len(text) < 20_000},
        **params,
    }
    return task


def of_picture(url: str) -> dict[str, Any]:
    """Make a small task that begins with a picture."""
    params = a_task("from a picture", image_start=url, model_name="tiny_i2v")["params"]
    return {"task_type": "i2v", "params": params}


def pieces() -> dict[int, tuple[str, bytes]]:
    """Return every 8 characters of the secrets, as a number; whose, and what must follow there.

    Of a secret of hexadecimal digits 12, for 8 of them may well be in an id.
    """
    parts = [(secret.name, part) for secret in (*SECRETS, *APART) for part in secret.parts]
    parts += [("OTLP header", OTLP_TOKEN), ("own DSN", DSN_KEY)]
    found = {}
    for name, part in parts:
        length = 12 if set(part) <= set("0123456789abcdef") else PIECE
        for at in range(len(part) - length + 1):
            piece = part[at : at + length].encode()
            found[int.from_bytes(piece[:PIECE], "little")] = (name, piece)
    return found


PIECE = 8
PIECES = pieces()


def leaks(data: bytes) -> list[str]:
    """Name the secrets of which a piece is in some bytes."""
    wanted = np.array(list(PIECES), dtype="<u8")
    names = set()
    for offset in range(min(PIECE, max(0, len(data) - PIECE + 1))):
        windows = np.frombuffer(data, "<u8", (len(data) - offset) // PIECE, offset)
        for found in np.flatnonzero(np.isin(windows, wanted)):
            name, piece = PIECES[int(windows[found])]
            if data.startswith(piece, offset + int(found) * PIECE):
                names.add(name)
    return sorted(names)


def spooled(home: Home) -> dict[str, bytes]:
    """Return every file under the spool."""
    files = (path for path in (home.path / "spool").rglob("*") if path.is_file())
    return {str(path.relative_to(home.path)): path.read_bytes() for path in files}


def rows(home: Home) -> bytes:
    """Return all of the queue, but the parameters as they were given."""
    found: list[Any] = []
    with closing(sqlite3.connect(home.path / "queue.db")) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        for table in tables:
            cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - its own names
            columns = [column[0] for column in cursor.description]
            found += [
                {name: value for name, value in zip(columns, row, strict=True) if name != "params"}
                for row in cursor
            ]
    return json.dumps(found, default=str, ensure_ascii=False).encode()


def printed(home: Home, ids: list[UUID], document: Path) -> dict[str, bytes]:
    """Run every command that shows something; return what each printed."""
    commands = [(name, *more) for name in ("tasks", "settings", "health") for more in ((), JSON)]
    commands += [("resolve", str(document)), ("resolve", str(document), *JSON)]
    for task_id in map(str, ids):
        commands += [("tasks", task_id), ("tasks", task_id, *JSON)]
        commands += [("trace", task_id, "--all"), ("trace", task_id, *JSON)]
    found = {}
    for command in commands:
        done = home.run(*command)
        found[" ".join(command)] = (done.stdout + done.stderr).encode()
    return found


def settled(home: Home, worker: Worker, *tasks: dict[str, Any]) -> list[UUID]:
    """Enqueue tasks and wait until a worker has settled them; return their ids."""
    ids = home.enqueue(*tasks)
    for task_id in ids:
        worker.wait_for("settled", task_id=str(task_id))
    return ids


def test_no_planted_secret_leaves(home: Home, pictures: str, tmp_path: Path) -> None:
    """Tasks that succeed, are refused, fail and die, with secrets around them on every side."""
    folder = library(tmp_path / "library")
    document = tmp_path / "task.json"
    document.write_text(json.dumps(a_task("resolved")))
    with OtlpReceiver() as otlp, SentryReceiver() as sentry:
        home.environment |= environment(folder, otlp, sentry)
        worker = home.worker(*OPTIONS, until_idle=False)
        ids = settled(
            home,
            worker,
            a_task("made"),
            of_picture(signed(pictures, "0.png")),
            of_picture(signed(pictures, "none.png")),
            a_task("with a LoRA", additional_loras={signed(pictures, "none.safetensors"): 1.0}),
        )
        for plan in ("fail", "die"):
            (folder / "PLAN").write_text(plan)
            ids += settled(home, worker, a_task(plan))
        (killed,) = home.enqueue(a_task("killed", num_inference_steps=1000))
        worker.wait_for("progress", task_id=str(killed), stage="generate", step=2)
        worker.process.kill()
        worker.process.wait()
        exits = {f"{name}, left": data for name, data in spooled(home).items()}
        following = home.work_until_idle(*OPTIONS, "--set", "task_types=travel_stitch")
        wait_for(lambda: len(sentry.events) >= 5, "events", 30)
        exits |= {f"OTLP {n}": body for n, body in enumerate(otlp.bodies)}
        exits |= {f"Sentry {n}": body for n, body in enumerate(sentry.bodies)}
    exits |= spooled(home) | {"queue": rows(home)} | printed(home, [ids[0], ids[4]], document)
    exits |= {"run": worker.output(), "run again": following.output()}

    statuses = [home.task(task_id).status for task_id in [*ids, killed]]
    done, ended = [TaskStatus.COMPLETE] * 2, [TaskStatus.FAILED] * 4
    assert statuses == [*done, *ended, TaskStatus.FAILED]
    leaking = {name: found for name, data in exits.items() if (found := leaks(data))}
    assert leaking == {}, json.dumps(leaking)
    for kind in ("OTLP", "Sentry", "spool", "queue", f"tasks {ids[0]}", f"trace {ids[4]}"):
        beside = [data for name, data in exits.items() if name.startswith(kind)]
        assert any(MARK.encode() in data for data in beside), kind


OPTIONS = ("--set", "private_addresses=true", "--set", "max_deaths=1")


def environment(folder: Path, otlp: OtlpReceiver, sentry: SentryReceiver) -> dict[str, str]:
    """Return variables with secrets in them: the worker's own, and what a host may have set."""
    return {
        "PYTHONPATH": str(folder),
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{OTLP_TOKEN}",
        "SENTRY_DSN": sentry.dsn.replace("public", DSN_KEY),
        "SUPABASE_KEY": SECRETS[2].parts[0],
        "HF_TOKEN_OF_ANOTHER": SECRETS[37].text,
        **{f"PLANTED_{number}": secret.text for number, secret in enumerate(SECRETS)},
    }


@pytest.mark.parametrize("secret", [*SECRETS, *APART], ids=lambda secret: secret.name)
def test_each_secret_would_be_found(secret: Planted) -> None:
    """In the text as it was planted, and by half of it, so that a leak cannot be overlooked."""
    half = secret.parts[0][: len(secret.parts[0]) // 2 + 4]

    assert secret.name in leaks(secret.text.encode())
    assert secret.name in leaks(f"a {half} b".encode())
    assert leaks(b"nothing") == leaks(b"") == []
