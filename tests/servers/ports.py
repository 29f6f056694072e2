"""Ports of loopback for servers: each is given once, to one process, for as long as it lives."""

import fcntl
import functools
import os
import random
import socket
from contextlib import suppress

from tests.servers.cache import cache

# Below those that systems hand out by themselves: while a server is stopped, nothing that connects
# to something, or takes any free port, takes its port.
_RANGE = range(20_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens at, and that no other process of tests is given."""
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if port not in _given:
            with suppress(OSError), socket.socket() as probe:
                # One byte of the file is one port; it is let go when this process ends.
                fcntl.lockf(_ledger(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise RuntimeError(f"no port from {_RANGE.start} to {_RANGE.stop} can be had")


@functools.cache
def _ledger() -> int:
    """Open the file once: a process that closes it lets go of all that it has locked in it."""
    return os.open(cache() / "ports.lock", os.O_RDWR | os.O_CREAT, 0o600)
