"""The ffmpeg that imageio-ffmpeg ships, run as a child: its binary, its pipes, its last words."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import IO

import imageio_ffmpeg

from worker.errors import OutputError

_BINARY_HELP = (
    "install imageio-ffmpeg, which brings one, or name one in the environment variable "
    "IMAGEIO_FFMPEG_EXE"
)
_WORDS_LIMIT = 2000
_chosen = ""
_running: dict[subprocess.Popen[bytes], int] = {}  # and the thread that it runs for


def use(path: str) -> None:
    """Use this ffmpeg from now on: that of the checkout's environment may be years older."""
    global _chosen  # noqa: PLW0603 - a process has one
    _chosen = path


def binary() -> str:
    """Return the path of an ffmpeg. Raises `OutputError` where there is none."""
    if _chosen:
        return _chosen
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise OutputError(f"no ffmpeg: {_BINARY_HELP}") from error


def kill_of(thread: int) -> None:
    """Kill what a thread waits for: it goes on, and raises `OutputError`."""
    for child, waiting in list(_running.items()):
        if waiting == thread:
            child.kill()


def major_version() -> int:
    """Return the major version of the ffmpeg in use; 0 where it does not say a number."""
    return _major_version(binary())


@lru_cache
def _major_version(path: str) -> int:
    try:
        said = subprocess.run([path, "-version"], capture_output=True, check=False, text=True)
    except OSError:
        return 0  # who runs it next says why it cannot
    found = re.match(r"ffmpeg version n?(\d+)\.", said.stdout)
    return int(found[1]) if found else 0


def run(arguments: Sequence[str], *, doing: str) -> bytes:
    """Run ffmpeg to its end and return its stdout.

    Raises `OutputError` that begins with `doing` and ends with what ffmpeg said.
    """
    with read_from(arguments, doing=doing) as stdout:
        return stdout.read()


@contextmanager
def fed(arguments: Sequence[str], *, doing: str) -> Iterator[IO[bytes]]:
    """Yield the stdin of an ffmpeg; closed, waited for and judged when the block ends.

    A block that raises ends ffmpeg at once.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with _child(arguments, pipes, doing=doing) as child:
        assert child.stdin is not None  # noqa: S101 - tells the type checker what PIPE means
        # ffmpeg that ends before it has read all says why in its last words.
        with suppress(BrokenPipeError):
            yield child.stdin
        _close(child.stdin)


@contextmanager
def read_from(arguments: Sequence[str], *, doing: str) -> Iterator[IO[bytes]]:
    """Yield the stdout of an ffmpeg, to be read to its end; judged when the block ends."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with _child(arguments, pipes, doing=doing) as child:
        assert child.stdout is not None  # noqa: S101 - tells the type checker what PIPE means
        yield child.stdout


@contextmanager
def _child(
    arguments: Sequence[str], pipes: Mapping[str, int], *, doing: str
) -> Iterator[subprocess.Popen[bytes]]:
    child = _start(arguments, pipes)
    _running[child] = threading.get_ident()
    # Read while it runs, so that a full stderr cannot stop it.
    said: list[bytes] = []
    listener = threading.Thread(target=_listen, args=(child, said), name="ffmpeg-stderr")
    listener.start()
    try:
        yield child
        status = child.wait()
        listener.join()
        _check(status, b"".join(said), doing)
    finally:
        child.kill()
        child.wait()
        del _running[child]
        listener.join()
        for pipe in (child.stdin, child.stdout, child.stderr):
            _close(pipe)


def _start(arguments: Sequence[str], pipes: Mapping[str, int]) -> subprocess.Popen[bytes]:
    command = [binary(), "-hide_banner", "-nostdin", "-loglevel", "error", *arguments]
    try:
        return subprocess.Popen(
            command, stdin=pipes["stdin"], stdout=pipes["stdout"], stderr=subprocess.PIPE
        )
    except OSError as error:
        raise OutputError(f"ffmpeg {command[0]!r} cannot run: {error}; {_BINARY_HELP}") from error


def _listen(child: subprocess.Popen[bytes], said: list[bytes]) -> None:
    assert child.stderr is not None  # noqa: S101 - tells the type checker what PIPE means
    said.append(child.stderr.read())


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.close()


def _check(status: int, words: bytes, doing: str) -> None:
    if status == 0:
        return
    said = " | ".join(words.decode(errors="replace").split("\n")).strip(" |")[-_WORDS_LIMIT:]
    how = f"exit status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"
    raise OutputError(f"{doing}: ffmpeg ended with {how}: {said or 'it said nothing'}")
