"""Builds the servers that tests ask and that nobody has built for this machine.

Run as a module it says what it does, and installs a Go of its own where the machine has none. It
needs nothing but Python.
"""

import signal
import sys
import time

from tests.servers.cache import Unavailable
from tests.servers.collector.build import PROGRAM as COLLECTOR
from tests.servers.go_program import GoProgram
from tests.servers.jaeger.build import PROGRAM as JAEGER

PROGRAMS = (JAEGER, COLLECTOR)


def build(program: GoProgram) -> bool:
    """Build a program and say what was done; whether it is there."""
    began = time.monotonic()
    if not program.path.exists():
        print(f"{program.name}: is built now, which takes some minutes, once", flush=True)
    try:
        path = program.built(install_go=True)
    except Unavailable as reason:
        print(f"{program.name}: {reason}")
        return False
    size_mb, took_s = path.stat().st_size / 1e6, time.monotonic() - began
    print(f"{program.name}: {path} ({size_mb:.0f} MB), there after {took_s:.1f} s", flush=True)
    return True


def main() -> None:
    """Build them, one after the other. Asked to stop, it stops what it has started, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped while servers were built"))
    built = [build(program) for program in PROGRAMS]
    sys.exit(not all(built))


if __name__ == "__main__":
    main()
