"""What tests start ends with them, even if they are killed."""

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.servers.cache import ROOT

GONE_S = 60
# The folder of a server that removes it lies in the one that is given, too.
RUN = """
import sys, tempfile
from pathlib import Path
tempfile.tempdir = sys.argv[1]
{imported}
with {made}:
    print("up", flush=True)
    sys.stdin.read()
"""
SERVERS = {
    "bugsink": (
        "from tests.servers.bugsink.server import Bugsink",
        "Bugsink(Path(sys.argv[1]) / 'site')",
    ),
    "jaeger": (
        "from tests.servers.jaeger.server import Jaeger",
        "Jaeger(Path(sys.argv[1]) / 'jaeger')",
    ),
    "s3": ("from tests.servers.s3 import S3Server", "S3Server(Path(sys.argv[1]))"),
    "supabase": ("from tests.servers.supabase.server import Supabase", "Supabase()"),
}


@pytest.mark.timeout(1800)  # one of them is built, where no cache has it
@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_process_leaves_no_server_behind(name: str) -> None:
    """By SIGKILL: neither the server nor what it has started."""
    imported, made = SERVERS[name]
    # Nobody may enter the folders of pytest, and PostgreSQL runs as nobody.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = RUN.format(imported=imported, made=made)
        with subprocess.Popen(
            [sys.executable, "-c", program, folder],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as tests:
            assert tests.stdout is not None
            assert tests.stderr is not None
            if tests.stdout.readline() != b"up\n":
                said = tests.stderr.read().decode()
                assert "Unavailable: " in said, said
                pytest.skip(said.rpartition("Unavailable: ")[2].strip())
            started = psutil.Process(tests.pid).children(recursive=True)
            assert len(started) >= 2  # a leash, and the server
            tests.kill()
            tests.wait()
            _, alive = psutil.wait_procs(started, timeout=GONE_S)
        assert alive == []
        assert list(Path(folder).glob("loop26-postgresql-*")) == []
