"""A real Bugsink for tests, a server that takes what Sentry takes.

Its environment and a migrated, empty database lie in the user's cache, by the hash of what is
pinned. Nothing is fetched when they are there.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.servers.base import Server, answers
from tests.servers.cache import ROOT, Unavailable, install, kept
from tests.servers.environment import server_environment
from tests.servers.ports import free_port

PINS = ROOT / "requirements" / "bugsink.txt"
# To be raised when what is made of the pins is another.
MAKING = 1
COMMAND_S = 300


class Bugsink(Server):
    """A running server with one project, to be used in a `with` block.

    Its database is a file: started again it has every issue that it had.

    Args:
        folder: Where it runs; it is made, and must not be there.

    Attributes:
        url: Its address.
        dsn: Where events go.
        token: What its API wants to see.
    """

    def __init__(self, folder: Path) -> None:
        """Install it, if it is not there. Raises `tests.servers.cache.Unavailable`."""
        self._environment = installed()
        shutil.copytree(self._environment / "site", folder)
        super().__init__(folder)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.token = self.dsn = ""

    def __enter__(self) -> Self:
        _configure(self._environment, self.folder, self._port)
        self.token = _manage(self._environment, self.folder, "create_auth_token").split()[-1]
        self.start()
        try:
            team = self.post("teams/", name="workers")["id"]
            project = self.post("projects/", name="worker", team=team)["id"]
            self.dsn = self.get(f"projects/{project}/")["dsn"]
        except BaseException:
            self.kill()
            raise
        return self

    def command(self) -> list[str]:
        """Run it in gunicorn, as its authors do."""
        gunicorn = str(self._environment / "bin" / "gunicorn")
        # The socket would be one for all of the user's.
        options = ["--workers=1", "--threads=2", "--graceful-timeout=1", "--no-control-socket"]
        return [gunicorn, f"--bind=127.0.0.1:{self._port}", *options, "bugsink.wsgi"]

    def is_ready(self) -> bool:
        """Whether it says that it is well."""
        return answers(f"{self.url}/health/ready")

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
        return self._asked(f"events/{event}/stacktrace/").decode()

    def get(self, path: str) -> Any:
        """Ask the API."""
        return json.loads(self._asked(path))

    def post(self, path: str, **body: Any) -> Any:
        """Have the API make something."""
        return json.loads(self._asked(path, json.dumps(body).encode()))

    def _asked(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        address = f"{self.url}/api/canonical/0/{path}"
        request = urllib.request.Request(address, data=body, headers=headers)  # noqa: S310 - its own
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            data: bytes = answer.read()
        return data


def installed() -> Path:
    """Return Bugsink's environment, which is made if it is not there.

    Raises `Unavailable` when it cannot be: no index can be reached, as a rule.
    """
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return kept(f"bugsink-{pins}-{MAKING}-{python}", _make)


def _make(environment: Path) -> None:
    install(environment, PINS)
    site = environment / "site"
    site.mkdir()
    _configure(environment, site, 1)
    _manage(environment, site, "migrate")
    _manage(environment, site, "migrate", "snappea", "--database=snappea")
    _manage(
        *(environment, site, "createsuperuser", "--noinput"),
        *("--username", "operator", "--email", "operator@example.org"),
    )


def _configure(environment: Path, site: Path, port: int) -> None:
    """Write the server's settings: it calls nobody, and works on a task when it gets it."""
    conf = site / "bugsink_conf.py"
    conf.unlink(missing_ok=True)
    create = [environment / "bin" / "bugsink-create-conf", "--template=local"]
    _run([*create, f"--port={port}", "--host=127.0.0.1"], site)
    ingest = str(site / "ingest")
    with conf.open("a") as file:
        file.write(f'BUGSINK |= {{"PHONEHOME": False, "INGEST_STORE_BASE_DIR": {ingest!r}}}\n')


def _manage(environment: Path, site: Path, *arguments: str) -> str:
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
        env=server_environment(DJANGO_SUPERUSER_PASSWORD="not-a-secret"),  # noqa: S106 - a test's
    )
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} failed: {done.stderr.strip()[-600:]}")
    return done.stdout
