"""Bugsink, a server that takes what Sentry takes: installed once, started for a session of tests.

Its environment and a migrated, empty database lie in the user's cache, by the hash of what is
pinned. Nothing is fetched when they are there.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PINS = ROOT / "requirements" / "bugsink.txt"
INSTALL_S = 180
COMMAND_S = 60
READY_S = 30
# Written last: what a killed install has left is made anew.
COMPLETE = "complete"


class Unavailable(Exception):
    """Bugsink cannot be installed here; says why."""


class Bugsink:
    """A running server with one project, to be used in a `with` block.

    Attributes:
        dsn: Where events go.
        token: What its API wants to see.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = installed()
        shutil.copytree(self._environment / "site", folder)
        self._folder = folder
        self._port = _free_port()
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.dsn = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        configure(self._environment, self._folder, self._port)
        self.token = manage(self._environment, self._folder, "create_auth_token").split()[-1]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._environment / "bin" / "gunicorn",
                    f"--bind=127.0.0.1:{self._port}",
                    "--workers=1",
                    "--threads=2",
                    "--graceful-timeout=1",
                    "bugsink.wsgi",
                ],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_variables(),
            )
        self._wait_until_ready()
        team = self.post("teams/", name="workers")["id"]
        project = self.post("projects/", name="worker", team=team)["id"]
        self.dsn = self.get(f"projects/{project}/")["dsn"]
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def issues(self) -> list[dict[str, Any]]:
        """Return the project's issues."""
        found: list[dict[str, Any]] = self.get("issues/?project=1")["results"]
        return found

    def events(self, issue: str) -> list[dict[str, Any]]:
        """Return an issue's events, each with its `data` as it was received."""
        listed = self.get(f"events/?issue={issue}")["results"]
        return [self.get(f"events/{one['id']}/") for one in listed]

    def stacktrace(self, event: str) -> str:
        """Return how Bugsink shows an event's stack, source lines and locals: as Markdown."""
        return self._asked(f"/api/canonical/0/events/{event}/stacktrace/").decode()

    def get(self, path: str) -> Any:
        """Ask the API."""
        return json.loads(self._asked(f"/api/canonical/0/{path}"))

    def post(self, path: str, **body: Any) -> Any:
        """Have the API make something."""
        return json.loads(self._asked(f"/api/canonical/0/{path}", json.dumps(body).encode()))

    def _asked(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}", data=body, headers=headers
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - its own address
            data: bytes = answer.read()
        return data

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                if b"OK" in self._asked("/health/ready"):
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            log = self._folder / "server.log"
            assert self._process is not None
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


def installed() -> Path:
    """Return Bugsink's environment, which is made if it is not there.

    Raises `Unavailable` when it cannot be: no index can be reached, as a rule.
    """
    pins = hashlib.sha256(PINS.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    name = f"bugsink-{pins}-python{sys.version_info.major}.{sys.version_info.minor}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loop26"
    environment = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / f"{name}.lock"):
        if not (environment / COMPLETE).exists():
            shutil.rmtree(environment, ignore_errors=True)
            _install(environment)
            (environment / COMPLETE).touch()
    return environment


def _install(environment: Path) -> None:
    python = environment / "bin" / "python"
    uv = [sys.executable, ROOT / "tools" / "uv_like_pip.py"]
    pins = ["--quiet", "--require-hashes", "--requirement", PINS]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", environment],
        [*uv, "pip", "install", "--python", python, *pins],
    ):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise Unavailable(f"Bugsink was not installed in {INSTALL_S} s") from late
        if done.returncode:
            raise Unavailable(f"Bugsink cannot be installed: {done.stderr.strip()[-600:]}")
    site = environment / "site"
    site.mkdir()
    configure(environment, site, 1)
    manage(environment, site, "migrate")
    manage(environment, site, "migrate", "snappea", "--database=snappea")
    manage(
        *(environment, site, "createsuperuser", "--noinput"),
        *("--username", "operator", "--email", "operator@example.org"),
    )


def configure(environment: Path, site: Path, port: int) -> None:
    """Write the server's settings: it calls nobody, and works on a task when it gets it."""
    conf = site / "bugsink_conf.py"
    conf.unlink(missing_ok=True)
    command = [environment / "bin" / "bugsink-create-conf", "--template=local", f"--port={port}"]
    _run([*command, "--host=127.0.0.1"], site)
    ingest = str(site / "ingest")
    with conf.open("a") as file:
        file.write(f'BUGSINK |= {{"PHONEHOME": False, "INGEST_STORE_BASE_DIR": {ingest!r}}}\n')


def manage(environment: Path, site: Path, *arguments: str) -> str:
    """Run one of Bugsink's commands; return what it printed."""
    return _run([environment / "bin" / "bugsink-manage", *arguments], site)


def _run(command: list[Any], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        env=_variables(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _variables() -> dict[str, str]:
    """Return an environment in which nothing of a worker's, or of a test's, has a say."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DJANGO_SUPERUSER_PASSWORD": "not-a-secret"}


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one session of tests at a time install."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
