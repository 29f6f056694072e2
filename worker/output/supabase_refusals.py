"""What Supabase Storage's refusal means: try again, or what is wrong and the way out."""

from typing import Final

import httpx

from worker.errors import OutputError
from worker.output.bucket import StorageRefused, StorageUnavailable

_SERVER_ERROR: Final = 500
_PASSING: Final = frozenset({408, 425, 429})
_FORBIDDEN: Final = frozenset({401, 403})
_MISSING, _TAKEN, _TOO_LARGE = 404, 409, 413
_NO_BUCKET: Final = ("bucket not found", "nosuchbucket")


def is_missing(error: Exception) -> bool:
    """Whether it says that there is no such object; a bucket that is not there is more than that.

    storage3 calls an answer of no body InternalError.
    """
    return _status(error) == _MISSING and not _says(error, *_NO_BUCKET)


def is_taken(error: Exception) -> bool:
    """Whether it says that the target of a copy is there already."""
    return _status(error) == _TAKEN


def refusal_of(error: Exception, name: str) -> OutputError:
    """Make the error that says what a failed call means; it repeats no word of the server's."""
    status = _status(error)
    if status is None:
        return _unanswered(error, name)
    said = f"{name} answered {status}"
    if status >= _SERVER_ERROR or status in _PASSING:
        return StorageUnavailable(f"{said}; the storage cannot do it now")
    return StorageRefused(f"{said}: {_way_out(error, status)}")


def _way_out(error: Exception, status: int) -> str:
    if _says(error, *_NO_BUCKET):
        return "there is no such bucket; make it, or change LOOP26_STORAGE"
    if status in _FORBIDDEN:
        return "the key may not do this; SUPABASE_SECRET_KEY must be the project's secret key"
    if status == _TOO_LARGE or _says(error, "maximum allowed size", "entitytoolarge"):
        return "the file is larger than the bucket takes; raise its limit in the storage settings"
    if _says(error, "mime type"):
        return (
            "the bucket does not take files of this type; allow video/mp4, image/jpeg, "
            "application/json, text/plain and application/octet-stream in it"
        )
    return "see the project's storage log for what it says of it"


def _unanswered(error: Exception, name: str) -> OutputError:
    kind = type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StorageRefused(f"{name}: its certificate does not hold; mend it, or the address")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return StorageRefused(f"{name}: SUPABASE_URL is no address that can be asked")
    return StorageUnavailable(f"{name} gave no answer: {kind}; see network and address")


def _status(error: Exception) -> int | None:
    """Return the status that the storage speaks of; it may say 404 in an answer of 400."""
    from storage3.exceptions import StorageApiError

    if not isinstance(error, StorageApiError):
        return None
    try:
        return int(error.status)
    except ValueError:
        return 0


def _says(error: Exception, *words: str) -> bool:
    text = f"{getattr(error, 'code', '')} {getattr(error, 'message', '')}".lower()
    return any(word in text for word in words)
