"""Where an input is named by a path or a URL, have it as a file on this machine."""

import contextlib
import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from worker.errors import InputError
from worker.inputs.download import Limits, download
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import input_error, is_below, scheme_of, shown

# A download under way; the rest of the name is the process, a random part and the final name.
_PART = ".part-"
# A download gets no write while it is verified, which may take this long.
_VERIFYING_S = 300.0
_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}")
_log = logging.getLogger(__name__)


class NotInCache(InputError):
    """Raised by `fetch` offline for a URL whose download is not kept."""


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

    A download is kept by its URL and is not made again, unless what is kept no longer verifies:
    it has rotted on the disk, or the server has another file now. It goes to a temporary name
    first, so that one that was cut off is never used.

    Raises:
        InputError: Names the source and what is wrong with it; `retryable` where another try may
            succeed.
        NotInCache: It would have to be downloaded, and the policy is to stay offline.
    """
    check_source(wanted.source)
    if not scheme_of(wanted.source):
        path = check_local(wanted.source, policy, max_bytes=wanted.max_bytes)
        wanted.verify(path)
        return path
    path = cache_path(wanted.source, policy)
    if policy.offline:
        _refuse_unkept(wanted.source, path)
        wanted.verify(path)
    elif not _is_kept(wanted, path):
        _keep(wanted, policy, path)
    return path


def check_source(source: str) -> None:
    """Refuse what is neither a path nor an http(s) URL."""
    if not source.strip() or not _is_nameable(source):
        raise InputError(source, "is no path; give the path of a file or an http(s) URL")
    scheme = scheme_of(source)
    if scheme not in {"", "http", "https"}:
        raise input_error(source, f"{scheme}:// is refused; give a path or an http(s) URL")
    if scheme and not _has_host(source):
        raise input_error(source, "names no host; give a path or an http(s) URL")


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # brackets that hold no address
        return False


def check_local(source: str, policy: InputPolicy, *, max_bytes: int) -> Path:
    """Return the real path of a local input: a file that is there, allowed, and not too large.

    Raises:
        InputError: Names the path as it was given.
    """
    try:
        real = _allowed(source, policy)
        if not real.exists():
            raise InputError(source, f"there is no file {str(Path(source).absolute())!r}")
        if not real.is_file():  # a pipe or a device would be read for ever
            raise InputError(source, "is not a file")
        with real.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
        raise InputError(source, f"cannot be read: {error}") from error
    if size == 0:  # what the kernel makes up as it is read has no size either
        raise InputError(source, "is empty")
    if size > max_bytes:
        raise InputError(source, f"has {size:,} bytes, more than the limit of {max_bytes:,}")
    return real


def _is_nameable(source: str) -> bool:
    """Whether the system can be asked for it: it has no zero byte and is Unicode."""
    try:
        return b"\0" not in source.encode()
    except UnicodeEncodeError:
        return False


def _allowed(source: str, policy: InputPolicy) -> Path:
    """Return where a path leads in the end, before it is told whether anything is there."""
    real = Path(source).resolve()
    if policy.local_roots is None:
        return real
    if not policy.local_roots:
        problem = "is a local path, and none may be named here; give an http(s) URL"
        raise InputError(source, problem)
    roots = [root.resolve() for root in policy.local_roots]
    if not any(real.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise InputError(source, f"lies outside the folders that inputs may come from: {allowed}")
    return real


def _refuse_unkept(source: str, path: Path) -> None:
    if not path.is_file():
        problem = f"is not kept in the cache {str(path.parent)!r}, and nothing is downloaded now"
        raise NotInCache(shown(source), problem)


def _is_kept(wanted: Wanted, path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        wanted.verify(path)
    except InputError as error:
        _log.warning("a kept download is made again: %s", error)
        return False
    return True


def _keep(wanted: Wanted, policy: InputPolicy, kept: Path) -> None:
    part = kept.with_name(f"{_PART}{os.getpid()}-{secrets.token_hex(4)}-{kept.name}")
    limits = Limits(
        max_bytes=wanted.max_bytes,
        timeout_s=policy.timeout_s,
        private_addresses=policy.private_addresses
        or any(is_below(wanted.source, base) for base in policy.own_storage),
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
        raise input_error(wanted.source, problem) from error


@contextlib.contextmanager
def _removed_at_the_end(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


def _sweep_parts(policy: InputPolicy) -> None:
    """Remove what killed processes left: no live download goes without a write for so long."""
    oldest = time.time() - policy.timeout_s - _VERIFYING_S
    for part in policy.cache_dir.glob(f"{_PART}*"):
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_mtime < oldest:
                part.unlink()
