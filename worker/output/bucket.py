"""What a storage needs of a bucket, whatever its protocol; and what a file has to be there."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from worker.errors import EXIT_CONFIGURATION, EXIT_QUEUE, OutputError

ANSWER_S: Final = 60.0  # for which each piece of an answer is waited for
# A file above this goes in parts of this size, each hashed by itself.
PART_BYTES: Final = 16 * 1024 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
_TYPES: Final = {
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".webm": "video/webm",
}


class StorageUnavailable(OutputError):
    """Raised by a bucket that cannot be reached, or cannot answer now; trying again may help."""

    exit_code = EXIT_QUEUE
    retryable = True


class StorageRefused(OutputError):
    """Raised by a bucket that will refuse the same again; says why and the way out."""

    exit_code = EXIT_CONFIGURATION


class ObjectMissing(StorageRefused):
    """Raised by a bucket that has no object of a name, as far as it tells who asks."""

    def __init__(self, bucket: str, otherwise: str = "") -> None:
        super().__init__(f"{bucket} has no such file{otherwise}")


class ObjectTooLarge(StorageRefused):
    """Raised by a bucket for an object that is larger than its reader takes."""

    def __init__(self, bucket: str, most_bytes: int) -> None:
        super().__init__(f"{bucket}: the file has more than {most_bytes:,} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file that goes into a bucket: what it must be when it is there.

    Attributes:
        path: The file.
        size: Bytes.
        type: For HTTP, by the file's suffix.
        sha256: Of its bytes, hexadecimal.
        etags: What stores that derive an object's ETag from its MD5 call this content, sent whole
            or in parts of `PART_BYTES`.
    """

    path: Path
    size: int
    type: str
    sha256: str
    etags: frozenset[str] = field(repr=False)

    @property
    def likely_etag(self) -> str:
        """What those stores call it as it is sent from here: in parts from their size on."""
        in_parts = self.size >= PART_BYTES
        return next(etag for etag in self.etags if ("-" in etag) == in_parts)

    @classmethod
    def of(cls, path: Path) -> "Content":
        """Read a file once, a chunk at a time. Raises `OutputError` when it cannot be read."""
        whole, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        parts: list[bytes] = []
        size = 0
        try:
            with path.open("rb") as file:
                while part := _part(file.read, whole.update, sha256.update):
                    parts.append(part[0])
                    size += part[1]
        except OSError as error:
            raise OutputError(
                f"output {str(path)!r} cannot be read to be published: {error.strerror}"
            ) from error
        joined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
        return cls(
            path=path,
            size=size,
            type=content_type(path.name),
            sha256=sha256.hexdigest(),
            etags=frozenset({whole.hexdigest(), f"{joined}-{len(parts)}"}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a bucket says of an object: its bytes, and its ETag without quotes."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object of a listing."""

    key: str
    changed_at: datetime


class Reader(Protocol):
    """What can be read of a bucket, with a key or without; raises what a `Bucket` does."""

    name: str
    """Names it for people: the bucket, and where it is."""

    def read(self, key: str, most_bytes: int, known: str = "") -> bytes | None:
        """Read an object that is not large; None where its ETag is still the known one.

        Raises also `ObjectMissing` and `ObjectTooLarge`. Of a server that is slow, each wait is
        bounded, and not their sum.
        """
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...


class Bucket(Reader, Protocol):
    """One bucket. Each call asks once, and may be asked again.

    Raises:
        StorageUnavailable: It cannot be reached, or cannot answer now.
        StorageRefused: It will say the same the next time. No message of either holds a key, nor
            do their causes and contexts, of which there are none.
    """

    def put(self, key: str, content: Content) -> None:
        """Write an object whole, from its file, in place of what has that name."""
        ...

    def stored(self, key: str) -> Stored | None:
        """Say what is kept under a name; None where nothing is, or where the key may not see it."""
        ...

    def digest(self, key: str) -> str:
        """Read an object back and return the sha256 of what comes, hexadecimal."""
        ...

    def copy(self, source: str, target: str, content: Content) -> None:
        """Copy an object within the bucket, in place of what has the target's name."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects; one that is not there is no error."""
        ...

    def listed(self, folder: str) -> Iterator[Listed]:
        """List the objects under a name that ends with a slash."""
        ...

    def public_base(self) -> str:
        """The address below which an object of a public bucket can be read."""
        ...

    def signed_url(self, key: str, seconds: int) -> str:
        """Return an address under which the object can be read for so long, by whoever has it."""
        ...

    def key_of(self, url: str) -> str | None:
        """Return the name of the object that an address of this bucket leads to, else None."""
        ...


def content_type(name: str) -> str:
    """Return the type of a file for HTTP, by its suffix."""
    return _TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def key_below(url: str, base: str) -> str | None:
    """Return the object's name where a URL lies below a base, else None; the query is left out."""
    from urllib.parse import unquote, urlsplit

    try:
        asked, ours = urlsplit(url), urlsplit(base)
    except ValueError:
        return None
    folder = f"{ours.path.rstrip('/')}/"
    if (asked.scheme.lower(), asked.netloc.lower()) != (ours.scheme.lower(), ours.netloc.lower()):
        return None
    key = unquote(asked.path.removeprefix(folder)) if asked.path.startswith(folder) else ""
    return key if key and not {"", ".", ".."} & set(key.split("/")) else None


def _part(read: "_Read", *update: "_Update") -> tuple[bytes, int] | None:
    """Read one part of an upload; return its MD5 and size, None at the end."""
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    while size < PART_BYTES and (chunk := read(_CHUNK_BYTES)):
        size += len(chunk)
        for each in (md5.update, *update):
            each(chunk)
    return (md5.digest(), size) if size else None


class _Read(Protocol):
    def __call__(self, size: int, /) -> bytes: ...


class _Update(Protocol):
    def __call__(self, chunk: bytes, /) -> None: ...
