"""Where an input is named by a path or a URL, have it as a file on this machine."""

import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from worker.errors import InputError
from worker.inputs.download import SILENCE_S, Limits, download
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import scheme_of, shown

# A download under way; the rest of the name is the process, a random part and the final name.
_PART = ".part-"
_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}")


def accept(_path: Path) -> None:
    """Accept any file."""


def go_on() -> None:
    """Never stop a download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One input to be had.

    Attributes:
        source: A local path, or an http(s) URL.
        max_bytes: Size limit of the file.
        verify: Raises `InputError` for a file that cannot be used. It sees a download under its
            temporary name, before the cache has it, so that the cache holds good files only.
        check: Called between chunks; raises to stop the download.
    """

    source: str
    max_bytes: int
    verify: Callable[[Path], None] = accept
    check: Callable[[], None] = go_on


def cache_path(source: str, policy: InputPolicy) -> Path:
    """Return where the download of a URL is kept: by the URL's hash, with its file's suffix."""
    name = PurePosixPath(source.partition("?")[0].partition("#")[0]).name
    suffix = PurePosixPath(name).suffix.lower()
    digest = hashlib.sha256(source.encode()).hexdigest()
    return policy.cache_dir / f"{digest}{suffix if _SUFFIX.fullmatch(suffix) else ''}"


def fetch(wanted: Wanted, policy: InputPolicy) -> Path:
    """Return a file with the input's content: the local path itself, or a verified download.

    A download is kept by its URL and is not made again. It goes to a temporary name first, so that
    one that was cut off is never used.

    Raises:
        InputError: Names the source and what is wrong with it; `retryable` where another try may
            succeed.
    """
    check_source(wanted.source)
    if not scheme_of(wanted.source):
        path = check_local(wanted.source, policy, max_bytes=wanted.max_bytes)
    else:
        path = cache_path(wanted.source, policy)
        if not path.is_file():
            _keep(wanted, policy, path)
            return path
    wanted.verify(path)
    return path


def check_source(source: str) -> None:
    """Refuse what is neither a path nor an http(s) URL."""
    if not source.strip() or "\0" in source:
        raise InputError(source, "is no path; give the path of a file or an http(s) URL")
    scheme = scheme_of(source)
    if scheme not in {"", "http", "https"}:
        raise InputError(shown(source), f"{scheme}:// is refused; give a path or an http(s) URL")


def check_local(source: str, policy: InputPolicy, *, max_bytes: int) -> Path:
    """Return the real path of a local input: a file that is there, allowed, and not too large.

    Raises:
        InputError: Names the path as it was given.
    """
    path = Path(source)
    try:
        real = path.resolve(strict=True)
        size = real.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(source, f"there is no file {str(path.absolute())!r}") from error
    except (OSError, RuntimeError) as error:
        raise InputError(source, f"cannot be read: {error}") from error
    roots = [root.resolve() for root in policy.allowed_roots]
    if roots and not any(real.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise InputError(source, f"lies outside the folders that inputs may come from: {allowed}")
    if not real.is_file():
        raise InputError(source, "is not a file")
    if size > max_bytes:
        raise InputError(source, f"has {size:,} bytes, more than the limit of {max_bytes:,}")
    return real


def _keep(wanted: Wanted, policy: InputPolicy, kept: Path) -> None:
    part = kept.with_name(f"{_PART}{os.getpid()}-{secrets.token_hex(4)}-{kept.name}")
    limits = Limits(
        max_bytes=wanted.max_bytes,
        timeout_s=policy.timeout_s,
        private_addresses=policy.private_addresses,
        check=wanted.check,
    )
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        _sweep_parts(policy)
        with _removed_at_the_end(part), part.open("xb") as file:
            download(wanted.source, file, limits)
            file.flush()
            os.fsync(file.fileno())
            wanted.verify(part)
            part.replace(kept)
    except OSError as error:
        problem = f"cannot be kept in the cache {str(policy.cache_dir)!r}: {error}"
        raise InputError(shown(wanted.source), problem) from error


@contextlib.contextmanager
def _removed_at_the_end(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


def _sweep_parts(policy: InputPolicy) -> None:
    """Remove what killed processes left: no live download goes without a write for so long."""
    oldest = time.time() - policy.timeout_s - SILENCE_S
    for part in policy.cache_dir.glob(f"{_PART}*"):
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_mtime < oldest:
                part.unlink()
